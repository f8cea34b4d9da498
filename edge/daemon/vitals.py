"""What the kernel says of our processes and disk. None where it does not say."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

PROC = Path("/proc")


def process_tree(root: int, proc: Path = PROC) -> list[int]:
    """``root`` and all its descendants, as far as they can be seen."""
    children: dict[int, list[int]] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name), proc)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    tree = [root]
    for pid in tree:  # grows while it is gone through
        tree += children.get(pid, [])
    return tree


def memory_mb(root: int, proc: Path = PROC) -> float | None:
    """Proportional set size (shared pages counted by share) of ``root`` and its descendants, in MB of 10^6 bytes."""
    total_kb = 0
    for pid in process_tree(root, proc):
        try:
            lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:  # it ended meanwhile, or is not ours to look into
            continue
        total_kb += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return round(total_kb * 1024 / 1e6, 1) if total_kb else None


def uptime_s(pid: int, proc: Path = PROC) -> float:
    """Seconds since process ``pid`` started; 0 if it cannot be seen."""
    fields = _stat(pid, proc)
    if not fields:
        return 0.0
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, round(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 1))


def disk_free_mb(path: Path) -> float | None:
    """Free room for us where ``path`` lies, in MB of 10^6 bytes."""
    try:
        return round(shutil.disk_usage(path).free / 1e6, 1)
    except OSError:
        return None


def _stat(pid: int, proc: Path) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on; the second, the name, may hold anything."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
