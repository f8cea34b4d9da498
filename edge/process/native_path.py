"""Paths for native libraries, which take UTF-8 only: OpenCV crashes (SIGSEGV) on a name of other bytes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def native_path(path: Path | str) -> Iterator[str]:
    """Absolute path of a file to read, as text that any library can open while the context lasts.

    A name that is not UTF-8 is reached by a descriptor; where it cannot be opened, the path names nothing.
    """
    text = os.path.abspath(path)  # a relative a:b would be a protocol to FFmpeg
    if not any("\ud800" <= c <= "\udfff" for c in text):
        yield text
        return
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        yield "/proc/self/fd/-1"
        return
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)
