"""Start gate: children of one start check what they need, and wait until their parent lets all of them begin.

What a start would be refused for is found before anything is written or sent. Two kernel counters (eventfd): one that
whoever has checked adds to, one that is readable for good once the gate is open, for successors of a child too.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_S = 10.0
"""Longest that a start waits for the checks: then what is stored is delivered, and the device tells of its state."""
POLL_S = 0.1
"""A child that waits looks so often whether it was asked to stop."""


class StartGate:
    """The parent's side of a start gate. ``fds`` are handed to the children: what to pass to `wait_at_gate`."""

    def __init__(self, children: int) -> None:
        """Make the gate; it is closed, and none of so many children has checked yet."""
        self._missing, self._began = children, time.monotonic()
        self._checked = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._opened = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.is_open = False

    @property
    def fds(self) -> tuple[int, int]:
        """File descriptors for a child: where it says that it has checked, and what it waits for."""
        return self._checked, self._opened

    def all_checked(self) -> bool:
        """Whether all children have said that they have checked."""
        with contextlib.suppress(BlockingIOError):
            self._missing -= os.eventfd_read(self._checked)
        return self._missing <= 0

    def due(self) -> bool:
        """Whether it is to be opened: all have checked, or that takes longer than a start waits for it."""
        return self.all_checked() or time.monotonic() - self._began > LIMIT_S

    def open(self) -> None:
        """Let all children begin, now and whenever one is started again."""
        if not self.is_open:
            os.eventfd_write(self._opened, 1)
            self.is_open = True

    def close(self) -> None:
        """Close the file descriptors, when no child is started any more."""
        os.close(self._checked)
        os.close(self._opened)


def say_checked(fds: tuple[int, ...]) -> None:
    """Say, in a child, that all that it needs is there; without ``fds`` there is no gate, and nothing is done."""
    if fds:
        os.eventfd_write(fds[0], 1)


def wait_at_gate(fds: tuple[int, ...], stopped: Callable[[], bool]) -> bool:
    """Wait, in a child, until the gate is open. False: it was asked to stop before. Without ``fds``: at once."""
    if not fds:
        return not stopped()
    poll = select.poll()
    poll.register(fds[1], select.POLLIN)
    while not stopped():
        if poll.poll(POLL_S * 1000):
            return not stopped()
    return False
