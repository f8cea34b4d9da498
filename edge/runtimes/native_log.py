"""Keeps what native libraries print to stderr out of the user's terminal, and in our log at level debug."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

STDERR = 2


@contextlib.contextmanager
def native_output_to_log(log: logging.Logger) -> Iterator[None]:
    """While inside, file descriptor 2 of this process leads to memory. For loading a model, not for running it."""
    memory = os.memfd_create("native-stderr", os.MFD_CLOEXEC)
    saved = os.dup(STDERR)
    try:
        os.dup2(memory, STDERR)
        yield
    finally:
        os.dup2(saved, STDERR)
        os.close(saved)
        size = os.fstat(memory).st_size
        for line in os.pread(memory, size, 0).decode("utf-8", "replace").splitlines():
            log.debug("%s", line)
        os.close(memory)
