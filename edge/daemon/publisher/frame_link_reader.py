"""The publisher's end of the frame link: reads packets of the frame process and sends it frame commands.

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
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from edge.contracts.frame_command import FrameCommand

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Packets that are read in one go: the rest comes at the next turn."""


class FrameLinkReader:
    """The publisher's end of the socket pair. Register it with a selector; it is readable when a packet came."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._end.setblocking(False)
        self._limited_log = LogLimiter(log)

    def fileno(self) -> int:
        """File descriptor of the socket, for a selector."""
        return self._end.fileno()

    def read(self, handle: Callable[[FrameReport | FrameCommandResult | UnstoredMessage], None]) -> bool:
        """Call ``handle`` with each packet that came, decoded; True if there may be more."""
        for _ in range(AT_ONCE):
            try:
                packet = self._end.recv(MAX_PACKET)
            except BlockingIOError:
                return False
            except OSError as error:
                self._limited_log.error("socket", "the frame process cannot be heard: %s", error)
                return False
            if not packet:
                return False
            try:
                message = decode(packet)
            except UnreadableError as error:
                self._limited_log.error("packet", "the frame process sent what is not understood: %s", error)
                continue
            if isinstance(message, (FrameReport, FrameCommandResult, UnstoredMessage)):
                handle(message)
        return True

    def discard_stale(self, handle: Callable[[FrameReport], None]) -> None:
        """Drop packets that came while nobody read; only reports go to ``handle``, of which the last one counts."""
        with contextlib.suppress(BlockingIOError):
            while packet := self._end.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    message = decode(packet)
                    if isinstance(message, FrameReport):
                        handle(message)

    def send_command(self, command: FrameCommand) -> bool:
        """Send a frame command; False: it was not taken. Its result comes as a packet of the frame process."""
        try:
            self._end.send(encode_command(command))
        except OSError:
            return False
        return True

    def send_acknowledged(self, seqs: Sequence[int]) -> None:
        """Tell the frame process which messages were acknowledged, with the present time."""
        with contextlib.suppress(OSError):  # nobody listens: nothing depends on it
            self._end.send(encode_acknowledged(Acknowledged(list(seqs), time.monotonic_ns())))
