"""Memory of a daemon's processes (PSS and peak), read from the kernel.

The benchmark reads it after the run: reading it within would be measured too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from edge.process.usage import PROC, module_of, peak_mb, process_tree, pss_mb

if TYPE_CHECKING:
    from pathlib import Path

NAMES = {
    "edge.daemon.frame.process": "frame",
    "edge.runtimes.isolated_child": "runtime",
    "edge.daemon.publisher.process": "publisher",
}
"""Of a daemon's processes, by the module that each was started with."""


class ProcessMemory(msgspec.Struct, frozen=True):
    """Memory by process, in MB of 10^6 bytes. Empty: the kernel does not say."""

    pss_mb: dict[str, float]
    """Proportional set size: pages that processes share are counted by share. The sum is what the machine gives."""
    peak_mb: dict[str, float]
    """The most that was ever resident. Counts shared pages in full: the sum is an upper bound."""

    @property
    def pss_total(self) -> float | None:
        """Proportional set size of all processes together, in MB; None: not known."""
        return round(sum(self.pss_mb.values()), 1) if self.pss_mb else None

    @property
    def peak_total(self) -> float | None:
        """Upper bound of the peak memory of all processes together, in MB; None: not known."""
        return round(sum(self.peak_mb.values()), 1) if self.peak_mb else None


def measure_memory(proc: Path = PROC, root: int | None = None, root_name: str = "frame") -> ProcessMemory:
    """Memory of this process (or ``root``) and of a daemon's processes below it; a broker is none of them.

    Args:
        proc: where the kernel's process files are.
        root: pid to begin with; None: this process.
        root_name: what that one is called in the result.
    """
    pss: dict[str, float] = {}
    peak: dict[str, float] = {}
    root = os.getpid() if root is None else root
    for pid in process_tree(root, proc):
        name = root_name if pid == root else NAMES.get(module_of(pid, proc) or "")
        if name is None:
            continue
        for column, megabytes in ((pss, pss_mb(pid, proc)), (peak, peak_mb(pid, proc))):
            if megabytes is not None:
                column[name] = round(column.get(name, 0.0) + megabytes, 1)
    return ProcessMemory(pss, peak)
