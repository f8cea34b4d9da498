"""FUSE file system with one file, ``driver``, that does not answer: who reads it cannot be killed.

    python -m faults.stuck_mount MOUNT_POINT

Once the request is with the file system, the kernel waits for the answer whatever signal comes: after SIGKILL in state
D, uninterruptible sleep, as it does for the driver of a device that hangs. Commands come in as lines on stdin:
``release`` answers all reads, also later ones; ``stick`` answers none from then on. The end of this process releases
all, too. For each read that has to wait a line goes to stdout.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from typing import Any

from faults.stuck_driver import FILE
from mfusepy import FUSE, Operations


class StuckMount(Operations):
    """FUSE operations of a folder with one file, whose reads wait until they are released."""

    use_ns = True

    def __init__(self) -> None:
        self.released = threading.Event()

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/":
            return {"st_mode": stat.S_IFDIR | 0o755, "st_nlink": 2}
        return {"st_mode": stat.S_IFREG | 0o444, "st_nlink": 1, "st_size": 1}

    def readdir(self, path: str, fh: int) -> list[str]:  # type: ignore[override]
        return [".", "..", FILE]

    def open(self, path: str, flags: int) -> int:
        return 1

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        if not self.released.is_set():
            os.write(sys.stdout.fileno(), b"reading\n")  # in one piece: two reads may come at the same moment
            self.released.wait()
        return b"x"[offset : offset + size]


def main() -> None:
    """Mount the file system, and carry out the commands on stdin."""
    stuck = StuckMount()

    def serve() -> None:
        for line in sys.stdin:
            (stuck.released.set if line.strip() == "release" else stuck.released.clear)()
            os.write(sys.stdout.fileno(), b"done\n")
        os._exit(0)  # who started us is gone

    threading.Thread(target=serve, daemon=True).start()
    # direct_io: through the page cache the kernel would wait for a page, and that wait can be killed.
    FUSE(stuck, sys.argv[1], foreground=True, nothreads=False, direct_io=True)


if __name__ == "__main__":
    main()
