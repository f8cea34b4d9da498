"""Self-check of a machine for ``edge-cli doctor``: tries all that a daemon needs and says what is missing.

One module a subject; each gives `Check` lines and raises nothing. What could hang or crash is done in a child.
"""
