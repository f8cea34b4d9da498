"""What native libraries print to file descriptor 2: kept out of the user's terminal, and read.

There is one such descriptor in a process, so whoever leads it elsewhere holds `exclusive`; so does who starts a child,
which would else inherit the detour for ever.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

STDERR = 2

exclusive = threading.RLock()


class Captured:
    """What was printed, known when its `captured` is left. May hold lines of other threads."""

    data = b""


@contextlib.contextmanager
def captured() -> Iterator[Captured]:
    """While inside, file descriptor 2 of this process leads to memory. A few microseconds; others wait."""
    got = Captured()
    with exclusive:
        memory = _memory()
        saved = os.dup(STDERR)
        try:
            os.dup2(memory, STDERR)
            yield got
        finally:
            os.dup2(saved, STDERR)
            os.close(saved)
            if size := os.fstat(memory).st_size:
                got.data = os.pread(memory, size, 0)
                os.ftruncate(memory, 0)


def hand_back(data: bytes) -> None:
    """Print what was captured but meant for the terminal."""
    with contextlib.suppress(OSError):  # as lost as it would have been
        os.write(STDERR, data)


@contextlib.contextmanager
def native_output_to_log(log: logging.Logger) -> Iterator[None]:
    """What is printed while inside goes to ``log`` at level debug. For loading a model, not for running it."""
    got = Captured()
    try:
        with captured() as got:
            yield
    finally:
        for line in got.data.decode("utf-8", "replace").splitlines():
            log.debug("%s", line)


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
