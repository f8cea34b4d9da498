"""Wakes a thread that waits in a selector, from any other thread or from a signal handler."""

from __future__ import annotations

import contextlib
import socket


class Wakeup:
    """A wake-up for a selector (self-pipe). Register it; it is readable after `wake`, until `clear`."""

    def __init__(self) -> None:
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        self._pending = False

    def fileno(self) -> int:
        """File descriptor to register with the selector."""
        return self._receiver.fileno()

    def wake(self) -> None:
        """Wake the selector; a wake-up that has not been cleared yet is enough for all."""
        if not self._pending:
            self._pending = True
            with contextlib.suppress(OSError):  # a wake-up is pending already, or we have ended
                self._sender.send(b"!")

    def clear(self) -> None:
        """Reset it; call this at the beginning of a turn, before anything is checked: what comes later wakes anew."""
        with contextlib.suppress(BlockingIOError):
            self._receiver.recv(4096)
        self._pending = False  # after it was emptied

    def close(self) -> None:
        """Close both sockets; it wakes no more."""
        self._receiver.close()
        self._sender.close()
