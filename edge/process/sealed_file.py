"""Sealed file: the bytes of a file, read once, in memory that nobody can change any more (Linux memfd with seals).

What was hashed and checked is then what every library loads, in this process and in children, whatever happens to the
file on disk: written over, renamed, a symbolic link turned elsewhere.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import mmap
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MFD_NOEXEC_SEAL = 0x8
"""Linux 6.3: the memory is no program. Where the system demands it (vm.memfd_noexec), memfd_create fails without it."""


class SealedFile(str):
    """Sealed copy of a file. As text it is a path that any library can open: ``/proc/self/fd/N``.

    The path holds for as long as this object lives; so keep the object, not a ``Path`` or a copy of its text. A child
    process that inherits ``fd`` finds the same bytes under the same path.
    """

    fd: int
    origin: Path
    """Where the file was read: for messages, and for what lies beside it."""
    sha256: str
    """SHA-256 of the bytes, hex."""
    size: int
    """Number of bytes."""

    def __new__(cls, fd: int, origin: Path, sha256: str, size: int) -> SealedFile:
        """Take over ``fd``, which is closed with the object. Raises ValueError if its memory can still be changed."""
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
            raise ValueError("the memory is not sealed")
        self = super().__new__(cls, f"/proc/self/fd/{fd}")
        self.fd, self.origin, self.sha256, self.size = fd, origin, sha256, size
        return self

    def __del__(self) -> None:
        """Close the descriptor; what has mapped the memory keeps it."""
        fd, self.fd = getattr(self, "fd", -1), -1
        if fd >= 0:
            os.close(fd)

    def view(self) -> memoryview:
        """Read-only view of the bytes, which are not copied."""
        if not self.size:
            return memoryview(b"")
        return memoryview(mmap.mmap(self.fd, self.size, mmap.MAP_SHARED, mmap.PROT_READ))


def read_once(path: Path, most: int) -> bytes:
    """Read a regular file of at most ``most`` bytes; its size and kind are those of the file that was opened.

    Raises OSError: it cannot be read, is a folder, a device or a pipe, or larger (``errno.EFBIG``). ValueError: a NUL
    in the path.
    """
    # Not to wait for whoever writes into a pipe that was put there.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        data = file.read(min(found.st_size, most) + 1) if found.st_size <= most else b""
        if found.st_size > most or len(data) > most:
            raise OSError(errno.EFBIG, f"it has over {most} bytes", str(path))
        return data


def seal_bytes(data: bytes, origin: Path) -> SealedFile:
    """Copy ``data``, read from ``origin``, into sealed memory. Raises OSError if the system gives none."""
    name = origin.name[:60]  # the kernel takes 249 bytes
    try:
        writable = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # an older kernel, which does not know the flag
            raise
        writable = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(writable, left) :]
        fcntl.fcntl(writable, fcntl.F_ADD_SEALS, SEALS)
        # Opened anew for reading: kernels before 6.7 map no writable descriptor of a sealed file.
        fd = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writable)
    return SealedFile(fd, origin, hashlib.sha256(data).hexdigest(), len(data))
