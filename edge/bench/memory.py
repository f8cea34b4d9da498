"""Memory of the processes that took part, asked of the kernel after the run: asking in it would be measured too."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

PROC = Path("/proc")


class Memory(msgspec.Struct, frozen=True):
    """In MB of 10^6 bytes, by process. Empty: the kernel does not say."""

    pss_mb: dict[str, float]
    """Proportional set size: pages that processes share are counted by share. The sum is what the machine gives."""
    peak_mb: dict[str, float]
    """The most that was ever resident. Counts shared pages in full: the sum is an upper bound."""

    @property
    def pss_total(self) -> float | None:
        """Of all processes."""
        return round(sum(self.pss_mb.values()), 1) if self.pss_mb else None

    @property
    def peak_total(self) -> float | None:
        """Upper bound over all processes."""
        return round(sum(self.peak_mb.values()), 1) if self.peak_mb else None


def look(proc: Path = PROC, root: int | None = None) -> Memory:
    """This process (or ``root``) and those below it, by what they run."""
    pss: dict[str, float] = {}
    peak: dict[str, float] = {}
    root = os.getpid() if root is None else root
    for pid in _tree(root, proc):
        name = "frame" if pid == root else _name(pid, proc)
        if name is None:
            continue
        for column, file, key in ((pss, "smaps_rollup", "Pss:"), (peak, "status", "VmHWM:")):
            kilobytes = _field(proc / str(pid) / file, key)
            if kilobytes is not None:
                column[name] = round(column.get(name, 0.0) + kilobytes * 1024 / 1e6, 1)
    return Memory(pss, peak)


def _tree(root: int, proc: Path) -> list[int]:
    tree = [root]
    for pid in tree:  # grows while it is gone through
        for children in (proc / str(pid) / "task").glob("*/children"):
            try:
                tree += map(int, children.read_text().split())
            except OSError:  # noqa: PERF203  (a thread that has ended)
                continue
    return tree


def _name(pid: int, proc: Path) -> str | None:
    """``runtime``, ``publisher``; None for what is no process of a daemon (a broker)."""
    try:
        words = (proc / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    names = {b"edge.runtimes.child": "runtime", b"edge.daemon.publisher": "publisher"}
    return next((name for module, name in names.items() if module in words), None)


def _field(path: Path, key: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), None)
