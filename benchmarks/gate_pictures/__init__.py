"""Pictures that the gate is measured with: what must be refused, what is spoilt, and what is good.

Rendered or painted here are screens, traces, colour Doppler and freezes; real are photographs and the scans below them.
"""
