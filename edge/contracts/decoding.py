"""Decoding of bytes from outside the process: a value of the expected type, or one kind of error.

JSON that somebody else wrote can fail in more ways than ``msgspec.DecodeError``: a byte that is not UTF-8 raises
UnicodeDecodeError, deep nesting RecursionError, a long number OverflowError, size MemoryError. Here all of them become
`UnreadableError`. No other module of `edge` calls ``msgspec.json.decode``; a test holds it to that.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Hashable

T = TypeVar("T")

FAILURES = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, MemoryError)
"""Everything that decoding has been seen to raise. UnicodeDecodeError is a ValueError."""
REASON_LENGTH = 200
"""Characters of a reason: it may quote what was sent."""
WILDCARDS = "+#"
"""Stand in subscriptions, never in the topic of a message (MQTT 5, section 4.7.1)."""


class UnreadableError(msgspec.DecodeError):
    """Bytes from outside are not what was expected. The text is one printable line, fit for a log."""

    def __init__(self, reason: str, mismatch: bool = False) -> None:
        """``mismatch``: it could be read, and is not of the expected type."""
        self.mismatch = mismatch
        shown = reason[:REASON_LENGTH]
        super().__init__("".join(c if c.isprintable() else "?" for c in shown))


def decode_json(data: bytes | bytearray | memoryview | str, kind: type[T], *, limit: int | None = None) -> T:
    """Value of type ``kind`` in UTF-8 JSON; ``limit``: the most bytes that are looked at, None where others keep one.

    Raises:
        UnreadableError: it is too long, not UTF-8 anywhere, not JSON, or not a ``kind``.
    """
    if limit is not None and len(data) > limit:
        raise UnreadableError(f"{len(data)} bytes, more than {limit}")
    try:
        # msgspec does not look at the UTF-8 of fields that ``kind`` lacks; other readers would fail there.
        text = data if isinstance(data, str) else str(data, "utf-8")
        value: T = _decoder(kind).decode(text)  # type: ignore[arg-type]  # types are hashable
    except FAILURES as error:
        raise UnreadableError(_reason(error), isinstance(error, msgspec.ValidationError)) from None
    return value


def convert_value(value: Any, kind: type[T]) -> T:
    """Decoded JSON ``value`` as a ``kind``; raises `UnreadableError` if it is none."""
    try:
        return msgspec.convert(value, kind)
    except FAILURES as error:
        raise UnreadableError(_reason(error)) from None


def decode_text(data: bytes) -> str:
    """UTF-8 bytes as text; raises `UnreadableError` if they are not UTF-8."""
    try:
        return str(data, "utf-8")
    except FAILURES as error:
        raise UnreadableError(_reason(error)) from None


def decode_topic(data: bytes) -> str:
    """Topic of an MQTT message; raises `UnreadableError` if it is empty, not UTF-8, or unfit for a topic.

    Unfit are control characters, surrogates, non-characters and wildcards: brokers and clients refuse some of them.
    """
    topic = decode_text(data)
    if not topic or not topic.isprintable() or any(c in WILDCARDS or ord(c) & 0xFFFE == 0xFFFE for c in topic):
        raise UnreadableError(f"no topic: {topic!r}")
    return topic


@lru_cache(maxsize=128)
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
