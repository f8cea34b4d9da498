"""FUSE file system that loses what was not synced: `Store`, in a process of its own that dies with its memory.

    python -m faults.forgetful_mount PLATTER MOUNT_POINT [--lies N]

PLATTER is the folder where the disk rests between two lives. Commands come in as lines on stdin, answers go out on
stdout. ``arm N``: after N more changes the power is gone: no change that comes later is answered before ``release``,
and then with an error. ``gone``: is it? ``freeze S``: wait S seconds for that, and then it is gone anyhow; the answer
is how many changes are not synced. ``cut MODE SEED``: fall, save to PLATTER, end.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import stat
import sys
import threading
from pathlib import Path
from typing import Any

from faults.forgetful_store import PAGE, ROOT, Node, Resize, Store, Write
from mfusepy import FUSE, Operations


class ForgetfulMount(Operations):
    """FUSE operations on a `Store`. One thread serves all calls, so that each is whole.

    Files are known by number: names may be gone.
    """

    use_ns = True
    flag_nopath = 1
    flag_nullpath_ok = 1

    def __init__(self, store: Store, lies: int) -> None:
        """``lies``: of so many syncs only one is done, though all are answered; 0: an honest disk."""
        self.store = store
        self._lies, self._syncs = lies, 0
        self.change_lock = threading.Lock()
        """Guards ``countdown`` and ``frozen``. Not called ``lock``: that is the name of a FUSE operation."""
        self.countdown: int | None = None
        self.frozen = threading.Event()
        self.released = threading.Event()
        self._open: dict[int, Node] = {}
        self._handles = 0

    # --- names -------------------------------------------------------------------------------------------------------
    def create(self, path: str, mode: int) -> int:  # type: ignore[override]
        self._check_power()
        directory, name = self._place(path)
        number = self.store.create_node(stat.S_IFREG | mode, directory=False)
        self.store.apply_names([(directory, name, number)])
        return self._handle(self.store.nodes[number])

    def mkdir(self, path: str, mode: int) -> int:
        self._check_power()
        directory, name = self._place(path)
        self.store.apply_names([(directory, name, self.store.create_node(stat.S_IFDIR | mode, directory=True))])
        return 0

    def unlink(self, path: str) -> int:
        self._check_power()
        self._find(path)
        directory, name = self._place(path)
        self.store.apply_names([(directory, name, None)])
        return 0

    rmdir = unlink

    def rename(self, old: str, new: str) -> int:
        self._check_power()
        number = self._find(old).number
        self.store.apply_names([(*self._place(old), None), (*self._place(new), number)])
        return 0

    # --- what is in them ---------------------------------------------------------------------------------------------
    def open(self, path: str, flags: int) -> int:
        return self._handle(self._find(path))

    def opendir(self, path: str) -> int:
        return self._handle(self._find(path))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._open[fh].content[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._check_power()
        self._open[fh].change(Write(offset, data))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        self._check_power()
        (self._find(path) if fh is None else self._open[fh]).change(Resize(length))
        return 0

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:  # type: ignore[override]
        names = {".": self._open[fh].number, "..": ROOT, **(self._open[fh].names or {})}
        return [(name, {"st_ino": number}, 0) for name, number in names.items()]

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        node = self._find(path) if fh is None else self._open[fh]
        kind = stat.S_IFREG if node.names is None else stat.S_IFDIR
        size = len(node.content)
        return {
            "st_ino": node.number,
            "st_mode": kind | stat.S_IMODE(node.mode),
            "st_size": size,
            "st_blocks": -(-size // 512),
            "st_nlink": 1,
            "st_uid": os.getuid(),
            "st_gid": os.getgid(),
        }

    def chmod(self, path: str, mode: int) -> int:
        self._check_power()
        self._find(path).mode = mode
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return {"f_bsize": PAGE, "f_frsize": PAGE, "f_blocks": 1 << 20, "f_bfree": 1 << 19, "f_bavail": 1 << 19}

    # --- durability --------------------------------------------------------------------------------------------------
    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._check_power()
        if self._sync_is_done():
            self._open[fh].sync()
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._check_power()
        if self._sync_is_done():
            self.store.sync_directory(self._open[fh].number)
        return 0

    def flush(self, path: str, fh: int) -> int:
        return 0

    def release(self, path: str, fh: int) -> int:
        del self._open[fh]
        return 0

    releasedir = release

    def _sync_is_done(self) -> bool:
        """Whether to do this sync. A disk that lies destages now and then of its own accord, and then everything."""
        if not self._lies:
            return True
        self._syncs += 1
        if self._syncs % self._lies == 0:
            self.store.sync_all()
        return False

    def _check_power(self) -> None:
        """Called before every change: raise OSError if the power is gone (after `Disk.release`)."""
        with self.change_lock:
            if self.countdown is not None:
                if self.countdown <= 0:
                    self.frozen.set()
                self.countdown -= 1
        if self.frozen.is_set():
            self.released.wait()
            raise OSError(errno.EIO, "no power")

    def _handle(self, node: Node) -> int:
        self._handles += 1
        self._open[self._handles] = node
        return self._handles

    def _find(self, path: str) -> Node:
        node = self.store.nodes[ROOT]
        for name in filter(None, path.split("/")):
            if node.names is None or name not in node.names:
                raise OSError(errno.ENOENT, path)
            node = self.store.nodes[node.names[name]]
        return node

    def _place(self, path: str) -> tuple[int, str]:
        folder, _, name = path.rpartition("/")
        return self._find(folder).number, name


def serve_commands(power: ForgetfulMount, platter: Path) -> None:
    """Carry out the commands on stdin until the end; see the module."""
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "arm":
            with power.change_lock:
                power.countdown = int(rest[0])
            print("ok", flush=True)
        elif word == "gone":
            print(int(power.frozen.is_set()), flush=True)
        elif word == "freeze":
            power.frozen.wait(float(rest[0]))
            with power.change_lock:
                power.frozen.set()
            print(power.store.unsynced(), flush=True)
        elif word == "release":
            power.released.set()
            print("ok", flush=True)
        elif word == "cut":
            power.store.cut_power(rest[0], random.Random(int(rest[1])))
            power.store.save(platter)
            print("ok", flush=True)
            break
    os._exit(0)  # and with it everything that was not saved


def main() -> None:
    """Mount the store of PLATTER at MOUNT_POINT, and serve commands from stdin."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("platter", type=Path)
    parser.add_argument("mount_point", type=Path)
    parser.add_argument("--lies", type=int, default=0)
    options = parser.parse_args()
    power = ForgetfulMount(Store.load(options.platter), options.lies)
    threading.Thread(target=serve_commands, args=(power, options.platter), daemon=True).start()
    # kernel_cache: opening a file must not drop its pages, which others have mapped; use_ino: numbers are ours.
    FUSE(
        power,
        str(options.mount_point),
        foreground=True,
        nothreads=True,
        hard_remove=True,
        use_ino=True,
        kernel_cache=True,
        default_permissions=True,
    )


if __name__ == "__main__":
    main()
