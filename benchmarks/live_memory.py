"""Memory of a source's processes over many faults, for `benchmarks/live.py`: PSS and private memory by quarters."""

from __future__ import annotations

import statistics
from pathlib import Path


def quarters(values: list[float]) -> dict[str, float]:
    """Median of the first and of the last quarter, and by how many per cent they differ."""
    quarter = max(1, len(values) // 4)
    first, last = statistics.median(values[:quarter]), statistics.median(values[-quarter:])
    change = round(100 * (last / first - 1), 1)
    return {"first_quarter": round(first, 1), "last_quarter": round(last, 1), "change_percent": change}


def private_mb(pid: int) -> float:
    """Memory that a process shares with none, in megabytes; others that come and go do not change it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024
