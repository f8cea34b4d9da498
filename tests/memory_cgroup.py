"""A memory limit by cgroup, version 2 or 1, as a service manager sets one: what breaks it is killed."""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_FILES = {
    "cgroup2": ("memory.max", "memory.swap.max"),
    "cgroup": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
}
KILL_FILES = {"cgroup2": "memory.events", "cgroup": "memory.oom_control"}


class MemoryCgroup:
    """A cgroup with a memory limit; processes join it before they start."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder, self._kind = folder, kind

    def join(self) -> None:
        """Put this process there: for ``preexec_fn``."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def kills(self) -> int:
        """Number of processes that the kernel has killed because of the limit."""
        lines = (self.folder / KILL_FILES[self._kind]).read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def _memory_mounts() -> Iterator[tuple[Path, str]]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options, *_ = line.split()
        if kind == "cgroup2":
            has_memory = "memory" in (Path(place) / "cgroup.controllers").read_text().split()
        else:
            has_memory = kind == "cgroup" and "memory" in options.split(",")
        if has_memory:
            yield Path(place), kind


@contextlib.contextmanager
def memory_cgroup(limit: int) -> Iterator[MemoryCgroup | None]:
    """Make a cgroup that allows ``limit`` bytes, without swap; None: none can be made here."""
    for place, kind in _memory_mounts():
        folder = place / f"sonoedge-test-{uuid.uuid4().hex[:8]}"
        try:
            folder.mkdir()
        except OSError:
            continue
        most, swap = LIMIT_FILES[kind]
        try:
            (folder / most).write_text(str(limit))  # OSError: its parent does not hand the controller down
            with contextlib.suppress(OSError):  # there is no swap
                (folder / swap).write_text("0" if kind == "cgroup2" else str(limit))
        except OSError:
            folder.rmdir()
            continue
        try:
            yield MemoryCgroup(folder, kind)
        finally:
            deadline = time.monotonic() + 20.0
            while (folder / "cgroup.procs").read_text() and time.monotonic() < deadline:
                time.sleep(0.02)
            with contextlib.suppress(OSError):
                folder.rmdir()
        return
    yield None
