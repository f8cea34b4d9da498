"""Link from the frame process to the publisher: durable messages through the outbox, all else through a socket.

The other way only frame commands go, see `edge.contracts.frame_command`, and for benchmarks, what was acknowledged.

The socket is one end of a SOCK_SEQPACKET pair that the supervisor made; each packet is a kind byte and what belongs to
it, see `encode_unstored` and `decode`. It never blocks: a packet that does not fit now is dropped, also the wake-up,
because the publisher looks into the outbox by itself soon enough.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json, decode_topic
from edge.contracts.frame_command import FrameCommand, FrameCommandResult
from edge.contracts.frame_report import FrameReport
from edge.outbox.schema import FILE_NAME
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable

    from edge.contracts.envelope import Durable, Envelope

WAKE, UNSTORED, REPORT, COMMAND_RESULT, FRAME_COMMAND, ACKNOWLEDGED = b"w", b"m", b"r", b"d", b"o", b"a"
MAX_PACKET = 1 << 18
"""Room for any packet, in bytes: the kernel's own limit for such sockets is a little lower."""


@dataclass(frozen=True, slots=True)
class UnstoredMessage:
    """A message that is not stored: sent now or never."""

    suffix: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OutboxChanged:
    """Packet that wakes the publisher: something new is in the outbox."""


def encode_unstored(suffix: str, message: Envelope) -> bytes:
    """Encode a message as the packet that `decode` makes an `UnstoredMessage` of."""
    return UNSTORED + suffix.encode() + b"\n" + msgspec.json.encode(message)


def encode_report(report: FrameReport) -> bytes:
    """Encode a report as the packet that `decode` makes a `FrameReport` of."""
    return REPORT + msgspec.json.encode(report)


def encode_command(command: FrameCommand) -> bytes:
    """Encode a command as the packet that `OutboxFrameLink.frame_commands` makes a `FrameCommand` of."""
    return FRAME_COMMAND + msgspec.json.encode(command)


class Acknowledged(msgspec.Struct, frozen=True):
    """Seq of durable messages that a receiver has acknowledged, and when."""

    seqs: list[int]
    at_ns: int
    """Monotonic clock when the publisher learnt of it."""


def encode_acknowledged(acknowledged: Acknowledged) -> bytes:
    """Encode acknowledgements as the packet that `decode_acknowledged` reads."""
    return ACKNOWLEDGED + msgspec.json.encode(acknowledged)


def decode_acknowledged(packet: bytes) -> Acknowledged | None:
    """Decode a packet of acknowledgements from the publisher; None if it is another packet, or not readable."""
    with contextlib.suppress(UnreadableError):
        return decode_json(packet[1:], Acknowledged) if packet[:1] == ACKNOWLEDGED else None
    return None


def decode(packet: bytes) -> UnstoredMessage | FrameReport | FrameCommandResult | OutboxChanged:
    """Decode a packet from the frame process. Raises `UnreadableError` if it is none of ours, or names no topic."""
    kind, rest = packet[:1], packet[1:]
    if kind == UNSTORED and b"\n" in rest:
        suffix, body = rest.split(b"\n", 1)
        return UnstoredMessage(decode_topic(suffix), body)
    if kind == REPORT:
        return decode_json(rest, FrameReport)
    if kind == COMMAND_RESULT:
        return decode_json(rest, FrameCommandResult)
    if packet == WAKE:
        return OutboxChanged()
    raise UnreadableError(f"a packet of {len(packet)} bytes that begins with {kind!r}")


class OutboxFrameLink:
    """The real `FrameLink`: outbox and socket. Calls take microseconds: another thread encodes durable messages."""

    def __init__(
        self, state_dir: str | Path, telemetry: socket.socket, on_stored: Callable[[int], None] | None = None
    ) -> None:
        """``telemetry`` is the frame process' end of the socket pair; it is not closed here.

        ``on_stored`` is called, from the writer's thread, with how many messages each commit has brought to disk.
        """
        telemetry.setblocking(False)
        self._socket = telemetry
        self._writer = OutboxWriter(Path(state_dir) / FILE_NAME, on_commit=self._wake, on_stored=on_stored)

    def durable(self, suffix: str, message: Durable) -> bool:
        """Implement `FrameLink.durable`: store a message.

        A message that the full queue cannot take is counted and reported as ``messages_lost``.
        """
        return self._writer.put(suffix, message)

    def latest(self, suffix: str, message: Envelope) -> None:
        """Implement `FrameLink.latest`: send a message now or never."""
        self._send(encode_unstored(suffix, message))

    def report(self, report: FrameReport) -> None:
        """Send the frame process' report to the publisher; the outbox' problems are added to its reasons."""
        reasons = [*report.reasons, *self._writer.problems()]
        self._send(encode_report(msgspec.structs.replace(report, reasons=reasons)))

    def hung(self) -> bool:
        """Whether a commit to the disk hangs: nothing that is found now would be kept."""
        return self._writer.hung()

    def mark(self) -> threading.Event:
        """Return an event that is set when all that was handed over until now is on disk. Never waits."""
        return self._writer.mark()

    def frame_commands(self) -> list[FrameCommand]:
        """Frame commands that the publisher has sent since the last call."""
        found = []
        with contextlib.suppress(OSError):  # nothing, or the publisher is away
            while packet := self._socket.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    found.append(decode_json(packet.removeprefix(FRAME_COMMAND), FrameCommand))
        return found

    def answer_command(self, result: FrameCommandResult) -> None:
        """Send the result of a frame command to the publisher."""
        self._send(COMMAND_RESULT + msgspec.json.encode(result))

    def close(self, timeout_s: float) -> None:
        """Implement `FrameLink.close`: bring all durable messages to disk within ``timeout_s``."""
        self._writer.close(timeout_s)

    def _wake(self) -> None:
        self._send(WAKE)

    def _send(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # full, or the publisher is away: it comes back by itself
            self._socket.send(packet)


@dataclass(slots=True)
class MemoryFrameLink:
    """A `FrameLink` in memory: keeps all messages, numbered as by an outbox. For tests and one-process commands."""

    epoch: str = "00000000-0000-4000-8000-000000000000"
    stored: list[tuple[str, Durable]] = field(default_factory=list)
    """(suffix, message) of all durable messages, in order."""
    sent: list[tuple[str, Envelope]] = field(default_factory=list)
    """(suffix, message) of all others, in order."""
    reports: list[FrameReport] = field(default_factory=list)
    closed: bool = False
    full: bool = False
    """Set it, and nothing more is taken."""

    def durable(self, suffix: str, message: Durable) -> bool:
        """Implement `FrameLink.durable`: keep a message, with epoch and seq."""
        if self.full:
            return False
        numbered = msgspec.structs.replace(message, epoch=self.epoch, seq=len(self.stored) + 1)
        self.stored.append((suffix, numbered))
        return True

    def latest(self, suffix: str, message: Envelope) -> None:
        """Implement `FrameLink.latest`: keep a message that is not stored."""
        self.sent.append((suffix, message))

    def report(self, report: FrameReport) -> None:
        """Keep the report, as `OutboxFrameLink.report` would send it."""
        self.reports.append(report)

    def close(self, timeout_s: float) -> None:
        """Implement `FrameLink.close`: note that it was closed."""
        self.closed = True
