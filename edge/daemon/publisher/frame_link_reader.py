"""The publisher's end of the line to the frame process: what is heard, what is ordered.

Neither side ever blocks here: what the other does not take is lost, and nothing durable goes this way.
"""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from edge.app.frame_link import MAX_PACKET, Acknowledged, UnstoredMessage, decode, encode_acknowledged, encode_command
from edge.contracts.decoding import UnreadableError
from edge.contracts.frame_command import FrameCommandResult
from edge.contracts.frame_report import FrameReport

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from edge.contracts.frame_command import FrameCommand

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Packets that are read in one go."""


class FrameLinkReader:
    """One end of the hand-over's pair. Register it with a selector; it is readable when something was said."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)

    def fileno(self) -> int:
        """For the selector."""
        return self._end.fileno()

    def read(self, take: Callable[[FrameReport | FrameCommandResult | UnstoredMessage], None]) -> bool:
        """Hand what the frame process said to ``take``; True if there may be more."""
        for _ in range(AT_ONCE):
            try:
                packet = self._end.recv(MAX_PACKET)
            except BlockingIOError:
                return False
            except OSError as error:
                log.error("the frame process cannot be heard: %s", error)
                return False
            if not packet:
                return False
            try:
                said = decode(packet)
            except UnreadableError as error:
                log.error("the frame process sent what is not understood: %s", error)
                continue
            if isinstance(said, (FrameReport, FrameCommandResult, UnstoredMessage)):
                take(said)
        return True

    def drop_stale(self, take: Callable[[FrameReport], None]) -> None:
        """What was sent while nobody listened is old now; only what the frame process last said of itself counts."""
        with contextlib.suppress(BlockingIOError):
            while packet := self._end.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    said = decode(packet)
                    if isinstance(said, FrameReport):
                        take(said)

    def give(self, order: FrameCommand) -> bool:
        """Hand over an order; False: it was not taken. Whether it was carried out, the frame process says itself."""
        try:
            self._end.send(encode_command(order))
        except OSError:
            return False
        return True

    def tell_acknowledged(self, seqs: Sequence[int]) -> None:
        """Say which messages were acknowledged, and that it was now."""
        with contextlib.suppress(OSError):  # nobody listens: nothing depends on it
            self._end.send(encode_acknowledged(Acknowledged(list(seqs), time.monotonic_ns())))
