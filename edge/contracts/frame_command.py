"""Commands from the publisher to the frame process, and their results. They stay inside the device."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

FrameCommandName = Literal["exam", "stream/start", "stream/stop"]


class FrameCommand(msgspec.Struct, frozen=True, kw_only=True):
    """A command from the publisher to the frame process, which answers it with `FrameCommandResult`.

    It is not carried out after ``until_ns``: whoever asked has been told by then that it was not done.
    """

    id: str
    name: FrameCommandName
    streams: list[str]
    at_ns: int
    """Monotonic clock when the command was given, in nanoseconds."""
    until_ns: int


class FrameCommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a `FrameCommand`, sent by the frame process."""

    id: str
    error: str | None = None
    """Why it was not carried out, one word as in `Response.error`; None: it was carried out."""
    result: dict[str, Any] = {}
