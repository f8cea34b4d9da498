"""Fleet monitoring on the consumer's side: what has arrived from many devices, and what is missing.

``ranges`` and ``ledger`` are pure: messages in, answers out, no I/O. ``fleet_overview`` adds the state and the numbers
of each device, ``device_table`` writes them as text, ``live_table`` draws them on a terminal, ``fleet_watch`` listens
to a broker. ``simulated_device`` and ``simulation`` are the other end: devices that do not exist, whose losses are
known exactly.
"""
