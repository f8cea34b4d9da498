"""Messages between a live source and its child process, on a SOCK_SEQPACKET pair. Frames go through the ring."""

from __future__ import annotations

from typing import Any

import msgspec

from edge.config.uri import Uri
from edge.contracts.decoding import decode_json
from edge.contracts.results import Reason
from edge.sources.live.reader import LiveOptions, StreamInfo

MAX_PACKET = 1 << 16
"""Largest message in bytes."""


class LiveJob(msgspec.Struct, frozen=True):
    """First message to the child, by its stdin (never its command line: it may hold a password)."""

    reader: str
    """``module:class`` of the `LiveReader`."""
    uri: Uri
    options: LiveOptions


class StreamOpened(msgspec.Struct, frozen=True, tag="opened"):
    """The child has opened the stream, as it was asked to."""

    info: StreamInfo


class RingMade(msgspec.Struct, frozen=True, tag="ring"):
    """The child has made a ring; its descriptor comes with this message. Frames before it are of the ring before."""


class FramesDamaged(msgspec.Struct, frozen=True, tag="damaged"):
    """The child could not decode a frame; it goes on."""

    detail: str
    reason: Reason


class StreamLost(msgspec.Struct, frozen=True, tag="lost"):
    """The child has lost the stream, or could not open it. It waits to be asked to open it again."""

    message: str
    hint: str = ""
    reason: str = Reason.SOURCE_LOST.value
    exit_code: int = 0
    """Exit code of the error: tells its class."""
    refused: bool = False
    """The server refuses us by name: see `edge.sources.live.refusals`."""
    setup: bool = False
    """Only a person at this machine can mend it: `SourceSetupError`."""
    traceback: str = ""
    """Not empty: a bug of ours, for the log."""


class StreamEnded(msgspec.Struct, frozen=True, tag="ended"):
    """The stream has ended for good."""


ChildMessage = StreamOpened | RingMade | FramesDamaged | StreamLost | StreamEnded
_KINDS: Any = ChildMessage
OPEN = b"open"
"""The one message to the child after the first."""


def decode_child_message(packet: bytes) -> ChildMessage:
    """Message of the child. Raises `UnreadableError` for what is none."""
    message: ChildMessage = decode_json(packet, _KINDS)
    return message
