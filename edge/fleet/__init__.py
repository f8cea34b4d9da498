"""The consumer's side: what anybody who listens to devices needs to know whether all of it has arrived.

``ranges`` and ``ledger`` are pure: messages in, answers out, no I/O. ``overview`` adds what a person wants to see of
each device, ``table`` writes it down, ``watch`` listens to a broker. ``device`` and ``simulate`` are the other end:
devices that are not there, whose losses are known.
"""
