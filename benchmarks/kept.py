"""One JSON file that several benchmarks put their part into, and the machine that they ran on."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import psutil

LOOK_S = 2.0
"""How long others are watched before anything is measured. A load average would still remember who has left."""


def keep(path: Path, section: str, said: dict[str, Any]) -> None:
    """Put ``said`` into the file, beside what others have put there."""
    whole = json.loads(path.read_text()) if path.is_file() else {}
    whole[section] = said
    path.write_text(json.dumps(whole, separators=(",", ":")) + "\n")


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was before."""
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
        "cores_busy_before": round(psutil.cpu_percent(LOOK_S) / 100 * (os.cpu_count() or 1), 2),
    }
