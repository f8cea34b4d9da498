"""A folder that must keep what it is given: on which file system it lies, and whether writing to it works."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

VOLATILE_FILESYSTEMS = {"tmpfs": "in memory", "ramfs": "in memory", "overlay": "in a container's own layer"}
"""File systems that do not outlive the machine's, or the container's, end: where what is written to them is."""
NETWORK_FILESYSTEMS = re.compile(r"^(nfs\d?|cifs|smb3|9p|fuse\.sshfs|glusterfs|ceph)$")
"""File systems over a network, where locks and syncs are not what SQLite needs."""


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
    """``path``, or the lowest folder above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def fsync_fault(folder: Path) -> str | None:
    """What goes wrong when a file is written to ``folder`` and brought to the disk with its name; None: nothing."""
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
