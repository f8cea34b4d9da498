"""Commands from the publisher to the frame process, and their results. They stay inside the device."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

OrderName = Literal["exam", "stream/start", "stream/stop"]


class FrameCommand(msgspec.Struct, frozen=True, kw_only=True):
    """Command of the publisher to the frame process, answered with `FrameCommandResult`.

    It is not heeded after ``until_ns``, when whoever asked has been told that it was not done.
    """

    id: str
    name: OrderName
    streams: list[str]
    at_ns: int
    """Monotonic clock when it was given."""
    until_ns: int


class FrameCommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a frame command, or the reason why it was not carried out."""

    id: str
    error: str | None = None
    """As in `Response.error`; None: it was carried out."""
    result: dict[str, Any] = {}
