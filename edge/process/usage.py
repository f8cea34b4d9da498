"""Process tree, memory (PSS, peak) and uptime of processes, from /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

PROC = Path("/proc")


def process_tree(root: int, proc: Path = PROC) -> list[int]:
    """Process ids of ``root`` and all its descendants, as far as they can be seen."""
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


def pss_mb(pid: int, proc: Path = PROC) -> float | None:
    """Proportional set size of ``pid`` (pages that processes share are counted by share), in MB of 10^6 bytes.

    None: it has ended, is not ours to look into, or the kernel does not say.
    """
    return _megabytes(proc / str(pid) / "smaps_rollup", "Pss:")


def peak_mb(pid: int, proc: Path = PROC) -> float | None:
    """Peak resident memory of ``pid`` (shared pages in full), in MB of 10^6 bytes. None as for `pss_mb`."""
    return _megabytes(proc / str(pid) / "status", "VmHWM:")


def module_of(pid: int, proc: Path = PROC) -> str | None:
    """The module that a Python process was started with (``python -m MODULE``); None for any other process."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    after = words.index(b"-m") + 1 if b"-m" in words else len(words)
    return words[after].decode("utf-8", "replace") if after < len(words) else None


def uptime_s(pid: int, proc: Path = PROC) -> float:
    """Seconds since process ``pid`` started; 0 if it cannot be seen."""
    fields = _stat(pid, proc)
    if not fields:
        return 0.0
    started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, round(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 1))


def _stat(pid: int, proc: Path) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on; the second, the name, may hold anything."""
    try:
        return (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _megabytes(path: Path, key: str) -> float | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    kilobytes = next((int(line.split()[1]) for line in lines if line.startswith(key)), None)
    return None if kilobytes is None else kilobytes * 1024 / 1e6
