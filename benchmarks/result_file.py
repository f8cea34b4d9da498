"""Result file of the benchmarks (JSON): each writes its own section; description of the machine."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import psutil

LOAD_WINDOW_S = 2.0
"""How long others are watched before anything is measured. A load average would still remember who has left."""


def write_section(path: Path, section: str, results: dict[str, Any]) -> None:
    """Write ``results`` as a section of the file, beside the sections of other benchmarks."""
    whole = json.loads(path.read_text()) if path.is_file() else {}
    whole[section] = results
    path.write_text(json.dumps(whole, separators=(",", ":")) + "\n")


def describe_machine() -> dict[str, Any]:
    """Describe the machine that the benchmark runs on, and how busy it was before."""
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith(("model name", "hardware"))]
    words = set(" ".join(lines).split())
    extensions = [word for word in ("avx2", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm") if word in words]
    return {
        "cpu": models[0] if models else platform.processor() or "not told",
        "extensions": extensions,
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "cores_busy_before": round(psutil.cpu_percent(LOAD_WINDOW_S) / 100 * (os.cpu_count() or 1), 2),
    }
