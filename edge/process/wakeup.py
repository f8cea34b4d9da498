"""Wakes a thread that waits in a selector, from any other thread or from a signal handler."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """Register it with a selector; it is readable when it rings."""

    def __init__(self) -> None:
        self._alarm, self._wakeup = socket.socketpair()
        self._alarm.setblocking(False)
        self._wakeup.setblocking(False)
        self._rung = False

    def fileno(self) -> int:
        """For the selector."""
        return self._alarm.fileno()

    def wake(self) -> None:
        """Heard at the next turn; one ring that has not been heard yet is enough for all."""
        if not self._rung:
            self._rung = True
            with contextlib.suppress(OSError):  # it rings already, or we have ended
                self._wakeup.send(b"!")

    def clear(self) -> None:
        """Call it at the beginning of a turn, before anything is looked at: what comes afterwards rings anew."""
        with contextlib.suppress(BlockingIOError):
            self._alarm.recv(4096)
        self._rung = False  # after it was emptied

    def close(self) -> None:
        """It rings no more."""
        self._alarm.close()
        self._wakeup.close()
