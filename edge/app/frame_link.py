"""From the frame process to the publisher: what must not be lost through the outbox, the rest through a socket.

The other way only orders go, see `edge.contracts.frame_command`, and to who measures, what has arrived.

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
    from collections.abc import Callable

    from edge.contracts.envelope import Durable, Envelope

WAKE, LATEST, REPORT, DONE, ORDER, ARRIVED = b"w", b"m", b"r", b"d", b"o", b"a"
MAX_PACKET = 1 << 18
"""Room for any packet, in bytes: the kernel's own limit for such sockets is a little lower."""


@dataclass(frozen=True, slots=True)
class UnstoredMessage:
    """A message to be sent now or never."""

    suffix: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OutboxChanged:
    """Something new is in the outbox."""


def encode_unstored(suffix: str, message: Envelope) -> bytes:
    """The packet that `decode` makes a `UnstoredMessage` of."""
    return LATEST + suffix.encode() + b"\n" + msgspec.json.encode(message)


def encode_report(report: FrameReport) -> bytes:
    """The packet that `decode` makes a `FrameReport` of."""
    return REPORT + msgspec.json.encode(report)


def encode_command(order: FrameCommand) -> bytes:
    """The packet that `OutboxFrameLink.orders` makes an `FrameCommand` of."""
    return ORDER + msgspec.json.encode(order)


class Acknowledged(msgspec.Struct, frozen=True):
    """Durable messages that a receiver has acknowledged."""

    seqs: list[int]
    at_ns: int
    """Monotonic clock when the publisher learnt of it."""


def encode_acknowledged(acknowledged: Acknowledged) -> bytes:
    """The packet that `decode_acknowledged` reads."""
    return ARRIVED + msgspec.json.encode(acknowledged)


def decode_acknowledged(packet: bytes) -> Acknowledged | None:
    """What a packet from the publisher says has arrived; None if it says something else, or nothing readable."""
    with contextlib.suppress(UnreadableError):
        return decode_json(packet[1:], Acknowledged) if packet[:1] == ARRIVED else None
    return None


def decode(packet: bytes) -> UnstoredMessage | FrameReport | FrameCommandResult | OutboxChanged:
    """What a packet says. Raises `UnreadableError` if it is none of ours, or names no topic."""
    kind, rest = packet[:1], packet[1:]
    if kind == LATEST and b"\n" in rest:
        suffix, body = rest.split(b"\n", 1)
        return UnstoredMessage(decode_topic(suffix), body)
    if kind == REPORT:
        return decode_json(rest, FrameReport)
    if kind == DONE:
        return decode_json(rest, FrameCommandResult)
    if packet == WAKE:
        return OutboxChanged()
    raise UnreadableError(f"a packet of {len(packet)} bytes that begins with {kind!r}")


class OutboxFrameLink:
    """The real `Handover`. Its methods cost the caller microseconds: encoding of durable messages happens elsewhere."""

    def __init__(
        self, state_dir: str | Path, telemetry: socket.socket, on_stored: Callable[[int], None] | None = None
    ) -> None:
        """``telemetry`` is the frame process' end of the pair; it is not closed here.

        ``on_stored`` is told, from the writer's thread, how many messages each commit has brought to disk.
        """
        telemetry.setblocking(False)
        self._socket = telemetry
        self._writer = OutboxWriter(Path(state_dir) / FILE_NAME, on_commit=self._wake, on_stored=on_stored)

    def durable(self, suffix: str, message: Durable) -> bool:
        """See `Handover`. A message that the full queue cannot take is counted and reported as ``messages_lost``."""
        return self._writer.put(suffix, message)

    def latest(self, suffix: str, message: Envelope) -> None:
        """See `Handover`."""
        self._send(encode_unstored(suffix, message))

    def report(self, report: FrameReport) -> None:
        """Tell the publisher how the frame process is; what ails the outbox is added."""
        reasons = [*report.reasons, *self._writer.problems()]
        self._send(encode_report(msgspec.structs.replace(report, reasons=reasons)))

    def hung(self) -> bool:
        """Whether the disk does not come back: nothing that is found now would be kept."""
        return self._writer.hung()

    def orders(self) -> list[FrameCommand]:
        """What the publisher has asked for since the last call."""
        found = []
        with contextlib.suppress(OSError):  # nothing, or the publisher is away
            while packet := self._socket.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    found.append(decode_json(packet.removeprefix(ORDER), FrameCommand))
        return found

    def done(self, done: FrameCommandResult) -> None:
        """Answer an order."""
        self._send(DONE + msgspec.json.encode(done))

    def close(self, timeout_s: float) -> None:
        """See `Handover`."""
        self._writer.close(timeout_s)

    def _wake(self) -> None:
        self._send(WAKE)

    def _send(self, packet: bytes) -> None:
        with contextlib.suppress(OSError):  # full, or the publisher is away: it comes back by itself
            self._socket.send(packet)


@dataclass(slots=True)
class MemoryFrameLink:
    """The fake: keeps everything, numbers it as an outbox would. For tests, and for one-process commands."""

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
        """See `Handover`."""
        if self.full:
            return False
        numbered = msgspec.structs.replace(message, epoch=self.epoch, seq=len(self.stored) + 1)
        self.stored.append((suffix, numbered))
        return True

    def latest(self, suffix: str, message: Envelope) -> None:
        """See `Handover`."""
        self.sent.append((suffix, message))

    def report(self, report: FrameReport) -> None:
        """See `OutboxFrameLink.report`."""
        self.reports.append(report)

    def close(self, timeout_s: float) -> None:
        """See `Handover`."""
        self.closed = True
