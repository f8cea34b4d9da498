"""Record of a run in the file ``reading``: which files are open, which are done, and what got no result.

Files stand there by hashes only: their names can be patients' names.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


class StreamRecord(msgspec.Struct):
    """Record of one stream: the files that it has open, and the last that is done."""

    open: list[str] = []
    """Keys of the files that were begun and are not all reported; the last is being read."""
    done: str = ""
    """Hash of the path of the last file of which all is stored, as all before it."""


class ReadingRecord(msgspec.Struct):
    """Record of one run of the daemon, as its frame process hands it on to the next."""

    run_id: str
    boot_id: str
    streams: dict[str, StreamRecord] = {}
    unjudged: dict[str, int] = {}
    """How many files and frames of this run got no result, by reason."""


def path_hash(path: Path) -> str:
    """Hash that stands for a path in the record."""
    return sha256(os.fsencode(path)).hexdigest()[:32]


def file_key(path: Path) -> str:
    """Key that a file is remembered by: its path, size and time of change, hashed."""
    try:
        found = path.stat()
    except OSError:
        return path_hash(path)
    return sha256(b"%s\0%d\0%d" % (os.fsencode(path), found.st_size, found.st_mtime_ns)).hexdigest()[:32]
