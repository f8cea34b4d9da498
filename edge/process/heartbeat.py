"""Signs of life from child to parent: a counter in the kernel (eventfd), which one adds to and the other empties."""

from __future__ import annotations

import contextlib
import os


class Heartbeat:
    """The parent's side. ``fd`` is handed to the child, and to its successors."""

    def __init__(self) -> None:
        self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def heard(self) -> bool:
        """Whether the child has beaten since the last call."""
        try:
            return os.eventfd_read(self.fd) > 0
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Let go of it. May be called again."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def beat(fd: int) -> None:
    """The child's side: I am alive, and what I am for has just moved on. Never waits."""
    with contextlib.suppress(BlockingIOError):  # the parent has not listened for 2^64 beats
        os.eventfd_write(fd, 1)
