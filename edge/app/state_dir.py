"""State directory of a daemon, for what must outlive it, and the lock file that makes it one daemon's."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


LOCK = "lock"
"""File in the state directory that its daemon holds a lock of."""


@contextlib.contextmanager
def locked_state_dir(path: Path) -> Iterator[Path]:
    """Create the state directory ``path`` if need be (mode 0700) and hold its lock.

    The kernel releases the lock however the process ends.

    Raises `DeviceError` if another daemon holds it, if it cannot be made or written, or if it is not ours alone.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            whose = "belongs to another user" if found.st_uid != os.geteuid() else "can be written by others"
            raise DeviceError(
                f"the state directory {path} {whose}",
                hint="give another with --state-dir DIR, or make it ours alone: chown and chmod 700",
            )
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DeviceError(
            f"the state directory {path} cannot be used: {error.strerror}",
            hint="make room on its disk, or give another with --state-dir DIR"
            if error.errno in (errno.ENOSPC, errno.EDQUOT)
            else "give another with --state-dir DIR, or mend its permissions",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise DeviceError(
                f"the state directory {path} is in use by another daemon (process {owner})",
                hint="stop that one, or give this one its own with --state-dir DIR",
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, it only does not say whose
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield path
    finally:
        os.close(lock)


@contextlib.contextmanager
def new_state_dir(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of the state directory ``path``; what was made for it goes again unless the start is confirmed.

    Yields a function that confirms the start: then all stays. Raises as `locked_state_dir`.
    """
    folders = [folder for folder in (path, *path.parents) if not folder.exists()]
    had_lock = (path / LOCK).exists()
    confirmed: list[bool] = []
    with locked_state_dir(path):
        try:
            yield lambda: confirmed.append(True)
        finally:
            if not confirmed and not had_lock:
                with contextlib.suppress(OSError):  # something else is in there: it stays
                    (path / LOCK).unlink()
                    for folder in folders:
                        folder.rmdir()
