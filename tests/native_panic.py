"""Exception as a library in another language raises it, for tests of what such a library does to a program."""

from __future__ import annotations


class PanicError(BaseException):
    """Stands for what a decoder in Rust raises: no Exception."""
