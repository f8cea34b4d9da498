"""Opens regular files: never waits for a writer, as the opening of a named pipe would."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path


def open_regular(path: Path) -> int:
    """Open a regular file for reading; its descriptor.

    Raises:
        OSError: it cannot be opened.
        SourceError: it is a pipe, a device or a folder.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise SourceError("a pipe, device or folder, not a file", hint="take it out of the folder")
    return fd
