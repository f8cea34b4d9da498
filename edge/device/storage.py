"""Type of the file system that a folder lies on, and whether files that are written to it can be synced to the disk."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

VOLATILE_FILESYSTEMS = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "in a container's own layer"}
"""File systems that do not outlive a restart of the machine or container, and where their content is, in words."""
NETWORK_FILESYSTEMS = re.compile(r"^(nfs\d?|cifs|smb3|9p|fuse\.sshfs|glusterfs|ceph)$")
"""Types of file systems over a network, where locks and syncs are not what SQLite needs."""


def filesystem_type(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Type of the file system that ``path``, which exists, lies on. None: the kernel does not say."""
    real = os.path.realpath(path)
    best, kind = "", None
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields.split()[4])  # \040 is a space
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # of two on the same point, the later one is seen
            best, kind = point, rest.split()[0]
    return kind


def nearest_existing_folder(path: Path) -> Path:
    """``path`` itself, or the lowest folder above it that exists; absolute."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def fsync_fault(folder: Path) -> str | None:
    """Write a test file to ``folder`` and sync it and its directory entry (fsync): the error text; None: it works."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except OSError as error:
        return error.strerror or str(error)
    return None
