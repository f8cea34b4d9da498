"""Folder for the files of simulated devices: in memory, where there is such a file system."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY_DISK = "/dev/shm"  # noqa: S108 - the folders in it have names of their own


@contextlib.contextmanager
def simulation_folder() -> Iterator[Path]:
    """An empty folder, removed at the end of the block."""
    place = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="simulate-") as folder:
        yield Path(folder) / "device"
