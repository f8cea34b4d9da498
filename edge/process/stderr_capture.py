"""Captures what native libraries print to stderr (file descriptor 2): kept out of the user's terminal, and read.

There is one such descriptor in a process, so whoever redirects it holds `stderr_lock`; so does who starts a child,
which would else inherit the redirection for ever. Several threads may share a redirection: then what was printed is
known, but not by whom.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import threading
from typing import TYPE_CHECKING

from edge.process.rwlock import RWLock

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

STDERR = 2

stderr_lock = RWLock()


class CapturedStderr:
    """Captured bytes of stderr, known when the capture has ended. May hold lines of other threads."""

    data = b""
    shared = False
    """Other threads captured meanwhile, and something was printed: by whom, nobody knows. ``data`` is empty."""


@contextlib.contextmanager
def capture_stderr() -> Iterator[CapturedStderr]:
    """Capture file descriptor 2 of this process in memory, alone. A few microseconds; other threads wait."""
    got = CapturedStderr()
    with stderr_lock.exclusive():
        saved = _redirect_to_memory()
        try:
            yield got
        finally:
            got.data = _restore(saved)


@contextlib.contextmanager
def capture_stderr_shared(dropped: tuple[bytes, ...]) -> Iterator[CapturedStderr]:
    """Capture file descriptor 2 as `capture_stderr` does, but together with other threads that call this.

    If something is printed meanwhile, a thread that was alone gets it as from `capture_stderr`; all others get
    ``shared`` and have to do again, in `capture_stderr`, what they did. Lines that were printed then go to the
    terminal, but for those that begin with one of ``dropped``: they come again.
    """
    got = CapturedStderr()
    with stderr_lock.shared():
        visit = _shared.enter()
        try:
            yield got
        finally:
            _shared.leave(visit, got, dropped)


def print_captured(data: bytes) -> None:
    """Print to stderr what was captured but meant for the terminal."""
    with contextlib.suppress(OSError):  # as lost as it would have been
        os.write(STDERR, data)


@contextlib.contextmanager
def stderr_to_log(log: logging.Logger) -> Iterator[None]:
    """Send what is printed to stderr meanwhile to ``log`` at level debug. For loading a model, not for running it."""
    got = CapturedStderr()
    try:
        with capture_stderr() as got:
            yield
    finally:
        for line in got.data.decode("utf-8", "replace").splitlines():
            log.debug("%s", line)


class _SharedRedirection:
    """A redirection that begins with the first thread that enters and ends with the last that leaves."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._saved = -1
        self._inside = 0
        self._entered = 0
        """Visits so far, to tell whether anybody came during one."""
        self._ending = False
        """Something was printed: nobody joins until all have left, so that a log line does not lie here for long."""

    def enter(self) -> tuple[int, int, bool]:
        """Number of the visit, size of what was printed before it, and whether nobody else was inside."""
        with self._changed:
            self._changed.wait_for(lambda: not self._ending)
            if not self._inside:
                self._saved = _redirect_to_memory()
            self._inside += 1
            self._entered += 1
            return self._entered, os.fstat(_memory()).st_size, self._inside == 1

    def leave(self, visit: tuple[int, int, bool], got: CapturedStderr, dropped: tuple[bytes, ...]) -> None:
        """End the visit, and fill in ``got``; the last thread restores file descriptor 2."""
        number, size_before, was_first = visit
        with self._changed:
            alone = was_first and number == self._entered
            got.shared = not alone and os.fstat(_memory()).st_size > size_before
            self._ending = self._ending or got.shared
            self._inside -= 1
            if self._inside:
                return
            printed = _restore(self._saved)
            self._ending = False
            self._changed.notify_all()
        if alone:
            got.data = printed
        elif printed:
            print_captured(b"".join(line for line in printed.splitlines(keepends=True) if not line.startswith(dropped)))


_shared = _SharedRedirection()


def _redirect_to_memory() -> int:
    """Redirect file descriptor 2 to memory; returns a duplicate of what it was before."""
    memory = _memory()
    saved = os.dup(STDERR)
    os.dup2(memory, STDERR)
    return saved


def _restore(saved: int) -> bytes:
    """Restore file descriptor 2 from ``saved``; returns what was printed meanwhile."""
    os.dup2(saved, STDERR)
    os.close(saved)
    memory = _memory()
    size = os.fstat(memory).st_size
    if not size:
        return b""
    data = os.pread(memory, size, 0)
    os.ftruncate(memory, 0)
    return data


@functools.cache
def _memory() -> int:
    """A file in memory, for the life of the process."""
    try:
        os.fstat(STDERR)
    except OSError:  # started with stderr closed: else the file in memory, or any other, would become it
        null = os.open(os.devnull, os.O_WRONLY)
        if null != STDERR:
            os.dup2(null, STDERR)
            os.close(null)
    memory = os.memfd_create("native-stderr", os.MFD_CLOEXEC)
    fcntl.fcntl(memory, fcntl.F_SETFL, os.O_APPEND)  # so that truncating it is enough to begin anew
    return memory
