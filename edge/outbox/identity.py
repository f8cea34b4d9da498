"""Identity file (mark) beside an outbox: tells an outbox that was continued from a copy or a backup of it.

``outbox.sqlite3.mark`` holds one line: epoch, the highest ``next_seq`` that was given, which machine, which file. A
copy that was put back would number new messages with numbers that are taken, and consumers would drop those as
repeats; so an outbox that does not fit its mark is not continued. What is noticed:

    the file was put back from a backup    its next_seq is below the mark's, or it is another file on the disk
    the folder was put back or moved       the outbox is another file on the disk than the mark says
    the disk was cloned to another device  it is another machine
    one of both files is missing           there is nothing to compare

Not noticed: the whole folder overwritten in place on the same machine, or a snapshot of the whole disk brought back.

The line is written with every commit and synced at most once a second: `kill -9` loses nothing of it, and a power cut
leaves it behind the outbox, which is no contradiction.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import struct
import time
import zlib
from pathlib import Path
from typing import NamedTuple

FOLDER_LOST = "state_dir_lost"
"""Problem word for ``state``: the state directory was removed, moved or replaced under the running daemon."""
SYNC_EVERY_S = 1.0
LINE = 192
"""Bytes: within one sector of any disk, so that it is written whole or not at all."""
AT_FDCWD, STATX_BTIME = -100, 0x800
MACHINE_FILES = ("/etc/machine-id", "/sys/firmware/devicetree/base/serial-number")
"""The second tells devices apart whose memory cards were copied from one image."""


class OutboxIdentity(NamedTuple):
    """Contents of the identity file: epoch, highest number, machine and file."""

    epoch: str
    next_seq: int
    machine: str
    file: str


def identity_path(outbox: Path) -> Path:
    """Path of the identity file of ``outbox``."""
    return outbox.with_name(outbox.name + ".mark")


def read(outbox: Path) -> OutboxIdentity | None:
    """Read the identity file of ``outbox``; None if there is none, or none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        text, _, checksum = identity_path(outbox).read_bytes().strip().rpartition(b" ")
        epoch, next_seq, machine, file = text.decode("ascii").split(" ")
        if int(checksum, 16) == zlib.crc32(text):
            return OutboxIdentity(epoch, int(next_seq), machine, file)
    return None


def contradiction(mark: OutboxIdentity | None, epoch: str, next_seq: int, machine: str, file: str) -> str | None:
    """Why an outbox is a copy: not the one that ``mark`` was written for. In words for a log; None: it is that one."""
    if mark is None:
        return "its mark is missing"
    if mark.epoch != epoch:
        return "its mark is another outbox'"
    if next_seq < mark.next_seq:
        return f"an older copy: it would give number {next_seq} again, and {mark.next_seq - 1} was given"
    if mark.machine != machine:
        return "copied from another machine"
    if mark.file != file:
        return "a copy, not the file that was written here"
    return None


def machine_identity(files: tuple[str, ...] = MACHINE_FILES) -> str:
    """Hash that names this machine; it tells nothing about it. ``none`` where the system has nothing to name it by."""
    known = b""
    for name in files:
        with contextlib.suppress(OSError):
            known += Path(name).read_bytes().strip(b"\0 \n") + b"\n"
    return hashlib.sha256(b"sonoedge outbox\n" + known).hexdigest()[:16] if known.strip() else "none"


def file_identity(path: Path) -> str:
    """Name of this file on its disk: the inode, and when that was made where the file system tells.

    The outbox is not opened for it: closing it would release the locks that SQLite holds in this process (POSIX locks
    belong to process and file, not to the handle), and another process would then delete the journal in use.
    """
    inode, born = path.stat().st_ino, 0
    buffer = ctypes.create_string_buffer(256)
    with contextlib.suppress(AttributeError):  # a C library older than statx(2)
        failed = ctypes.CDLL(None).statx(AT_FDCWD, os.fsencode(path), 0, STATX_BTIME, buffer)
        if not failed and struct.unpack_from("I", buffer, 0)[0] & STATX_BTIME:
            seconds, nanoseconds = struct.unpack_from("qI", buffer, 80)
            born = seconds * 10**9 + nanoseconds
    return f"{inode}:{born}"


class FolderIdentity:
    """Identity of the state directory: tells whether the one that was opened is still found under its name."""

    def __init__(self, path: Path) -> None:
        """Raises OSError if there is no such directory."""
        found = path.stat()
        self._path, self._device, self._inode = path, found.st_dev, found.st_ino

    def lost(self) -> bool:
        """Whether the directory was removed, moved or replaced. A disk that does not answer tells nothing."""
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        return (found.st_dev, found.st_ino) != (self._device, self._inode)


class IdentityFile:
    """Writes the identity file of one open outbox. All methods raise OSError if the disk does not take it."""

    def __init__(self, outbox: Path, identity_of: Path | None = None) -> None:
        """``identity_of``: the outbox under the name that it has now, if it is not moved into place yet."""
        self._machine = machine_identity()
        self._file = file_identity(identity_of or outbox)
        self._handle = os.open(identity_path(outbox), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._synced_at = 0.0

    def write(self, epoch: str, next_seq: int, sync: bool = False) -> None:
        """Write that ``next_seq`` has been committed; synced to the disk at most once a second, or with ``sync``."""
        text = f"{epoch} {next_seq} {self._machine} {self._file}".encode("ascii")
        os.pwrite(self._handle, (text + b" %08x" % zlib.crc32(text)).ljust(LINE - 1) + b"\n", 0)
        now = time.monotonic()
        if sync or now - self._synced_at >= SYNC_EVERY_S:
            os.fdatasync(self._handle)
            self._synced_at = now

    def close(self) -> None:
        """Close the file. May be called twice."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
