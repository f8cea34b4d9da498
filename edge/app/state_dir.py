"""State directory of a daemon, for what must outlive it, and the lock file that makes it one daemon's.

A lock is worth something only while the file that is locked is the one that others find under its name. So it is looked
at again and again while the daemon runs: `StateDirLock.check`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import stat
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger(__name__)

LOCK_NAME = "lock"


class StateDirLock:
    """Lock on one state directory; the kernel releases it however the process ends."""

    def __init__(self, path: Path) -> None:
        """Create the state directory ``path`` if need be (mode 0700) and take its lock.

        Raises `DeviceError` if another daemon holds it, if it cannot be made or written, or if it is not ours alone.
        """
        self.path = path
        self._limited_log = LogLimiter(log, every_s=60.0)
        _make(path)
        # Held open: while it is, no other directory gets its inode, by which all processes know it.
        self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._lock = self._take()
        except BaseException:
            os.close(self._folder)
            raise

    def check(self) -> None:
        """Check that directory and lock are still the ones that others find; a lock file that is gone is made anew.

        Raises `DeviceError` if the directory was removed, moved or replaced, or if another daemon has its lock now.
        """
        if not _same(self._folder, self.path):
            raise DeviceError(
                f"the state directory {self.path} was removed, moved or replaced while the daemon ran",
                hint="find out who did it, put it back if it was moved, and start the daemon again; what was found and"
                " not delivered by now is where that directory is",
            )
        if _same(self._lock, self.path / LOCK_NAME):
            return
        try:
            lock = self._take()
        except DeviceError as error:
            if error.__cause__ is None:  # another daemon has it
                raise
            self._limited_log.warning("lock", "its lock is gone and cannot be made anew: %s", error.message)
            return
        log.warning("the lock of %s was removed or replaced; it is made anew", self.path)
        os.close(self._lock)
        self._lock = lock

    def close(self) -> None:
        """Release the lock of the directory."""
        os.close(self._lock)
        os.close(self._folder)

    def _take(self) -> int:
        """Lock the lock file, and write into it whose it is; its descriptor. Raises `DeviceError` if it is taken."""
        try:
            lock = os.open(LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=self._folder)
        except OSError as error:
            raise _unusable(self.path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise DeviceError(
                f"the state directory {self.path} is in use by another daemon (process {owner})",
                hint="stop that one, or give this one its own with --state-dir DIR",
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, it only does not say whose
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        return lock


@contextlib.contextmanager
def held_state_dir(path: Path) -> Iterator[StateDirLock]:
    """Create the state directory ``path`` if need be, and hold its lock. Raises what `StateDirLock` raises."""
    lock = StateDirLock(path)
    try:
        yield lock
    finally:
        lock.close()


@contextlib.contextmanager
def new_state_dir(path: Path) -> Iterator[tuple[StateDirLock, Callable[[], None]]]:
    """Hold the lock of the state directory ``path``; what was made for it goes again unless the start is confirmed.

    Yields the lock, and a function that confirms the start: then all stays. Raises what `StateDirLock` raises.
    """
    folders = [folder for folder in (path, *path.parents) if not folder.exists()]
    had_lock = (path / LOCK_NAME).exists()
    confirmed: list[bool] = []
    with held_state_dir(path) as lock:
        try:
            yield lock, lambda: confirmed.append(True)
        finally:
            if not confirmed and not had_lock:
                with contextlib.suppress(OSError):  # something else is in there: it stays
                    (path / LOCK_NAME).unlink()
                    for folder in folders:
                        folder.rmdir()


@contextlib.contextmanager
def locked_state_dir(path: Path) -> Iterator[Path]:
    """Create the state directory ``path`` if need be (mode 0700) and hold its lock.

    Raises `DeviceError` if another daemon holds it, if it cannot be made or written, or if it is not ours alone.
    """
    with held_state_dir(path) as lock:
        yield lock.path


def _same(handle: int, path: Path) -> bool:
    """Whether what is open as ``handle`` is what is found at ``path``."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a disk that does not answer tells nothing
        return True
    ours = os.fstat(handle)
    return (ours.st_dev, ours.st_ino) == (found.st_dev, found.st_ino)


def _unusable(path: Path, error: OSError) -> DeviceError:
    return DeviceError(
        f"the state directory {path} cannot be used: {error.strerror}",
        hint="make room on its disk, or give another with --state-dir DIR"
        if error.errno in (errno.ENOSPC, errno.EDQUOT)
        else "give another with --state-dir DIR, or mend its permissions",
    )


def _make(path: Path) -> None:
    """Create ``path`` if need be. Raises `DeviceError` if that cannot be, or if it is not ours alone."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = path.stat()
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            whose = "belongs to another user" if found.st_uid != os.geteuid() else "can be written by others"
            raise DeviceError(
                f"the state directory {path} {whose}",
                hint="give another with --state-dir DIR, or make it ours alone: chown and chmod 700",
            )
    except OSError as error:
        raise _unusable(path, error) from error
