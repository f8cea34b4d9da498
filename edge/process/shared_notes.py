"""Notes in shared memory (memfd) that outlive the process that writes them, for its successor in the same run.

No file: nothing to be left from an earlier run, and no disk that may be full or hang when something is to be noted.
"""

from __future__ import annotations

import os

SIZE = 4096
"""One page: the kernel copies it whole, whatever kills the writer."""


class SharedNotes:
    """A page of memory, written by one process and read by its successor through the same file descriptor."""

    def __init__(self, fd: int | None = None) -> None:
        """``fd``: inherited from who made the page; None: make one, all blank."""
        self.fd = os.memfd_create("run-notes", os.MFD_CLOEXEC) if fd is None else fd

    def read(self) -> bytes:
        """Content as it was written last; empty if nothing was."""
        return os.pread(self.fd, SIZE, 0).rstrip()

    def write(self, content: bytes) -> bool:
        """Replace the content; False if it does not fit, or there is no memory. Ending whitespace is not kept."""
        if self.fd < 0 or len(content) > SIZE:
            return False
        try:
            return os.pwrite(self.fd, content.ljust(SIZE), 0) == SIZE
        except OSError:
            return False

    def close(self) -> None:
        """Close the file descriptor. May be called again."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
