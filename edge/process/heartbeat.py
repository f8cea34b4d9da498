"""Heartbeat from child to parent, for the watchdog: a kernel counter (eventfd) that one adds to, the other empties."""

from __future__ import annotations

import contextlib
import os
import signal

WATCHDOG_SIGNAL = signal.SIGUSR1
"""Asks a child without a heartbeat to stop, before it is killed: as SIGTERM, but not because somebody wants the end."""


class Heartbeat:
    """The parent's side of a heartbeat. ``fd`` is handed to the child, and to its successors."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def received(self) -> bool:
        """Whether the child has sent a heartbeat since the last call."""
        try:
            return os.eventfd_read(self.fd) > 0
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Close the file descriptor. May be called again."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def send_heartbeat(fd: int) -> None:
    """Send a heartbeat, in the child: it is alive, and its work has just moved on. Never waits."""
    with contextlib.suppress(BlockingIOError):  # the parent has not read for 2^64 heartbeats
        os.eventfd_write(fd, 1)
