"""Memory of our processes and free disk space, from the kernel, for `health`. None where it does not say."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from edge.process.usage import PROC, process_tree, pss_mb

if TYPE_CHECKING:
    from pathlib import Path


def memory_mb(root: int, proc: Path = PROC) -> float | None:
    """Proportional set size (shared pages counted by share) of ``root`` and its descendants, in MB of 10^6 bytes."""
    sizes = [pss_mb(pid, proc) for pid in process_tree(root, proc)]
    total = sum(size for size in sizes if size is not None)
    return round(total, 1) if total else None


def disk_free_mb(path: Path) -> float | None:
    """Free disk space for this user where ``path`` lies, in MB of 10^6 bytes; None if it cannot be read."""
    try:
        return round(shutil.disk_usage(path).free / 1e6, 1)
    except OSError:
        return None
