"""``edge-cli doctor``: tries everything that a daemon will need on this machine, and says what is missing.

One module a subject; each gives `Check` lines and raises nothing. What could hang or crash is done in a child.
"""
