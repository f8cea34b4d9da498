"""Description of the machine that a benchmark ran on: board, processor, kernel, libraries."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

ROOT = Path("/")
LIBRARIES = (
    "sonoedge", "ai-edge-litert", "numpy", "opencv-python-headless", "paho-mqtt", "msgspec", "tflite-runtime",
    "onnxruntime", "mlcommons-loadgen",
)  # fmt: skip
"""Those that decide how fast it is, as far as they are installed."""


class MachineDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Machine that a benchmark ran on; None: the machine does not say."""

    board: str | None
    processor: str | None
    architecture: str
    cores: int
    """That this process may use."""
    memory_mb: float | None
    kernel: str
    system: str | None
    python: str
    libraries: dict[str, str]
    load: float | None
    """Mean number of processes that wanted a core in the minute before: far over 0, others were at work too."""


def describe_machine(root: Path = ROOT) -> MachineDescription:
    """Description of this machine, read below ``root``. Never raises."""
    libraries = {}
    for name in LIBRARIES:
        try:
            libraries[name] = version(name)
        except PackageNotFoundError:  # noqa: PERF203  (a handful)
            continue
    return MachineDescription(
        board=_board(root),
        processor=_processor(root),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=_memory(root),
        kernel=platform.release(),
        system=_system(root),
        python=platform.python_version(),
        libraries=libraries,
        load=_load(root),
    )


def filesystem(path: Path, root: Path = ROOT) -> str | None:
    """Kind of the file system that ``path`` lies on (``ext4``); None: not known.

    On ``tmpfs`` a commit waits for no disk.
    """
    best, kind = "", None
    for line in (_text(root / "proc/mounts") or "").splitlines():
        words = line.split()
        if len(words) >= 3 and path.is_relative_to(words[1]) and len(words[1]) >= len(best):
            best, kind = words[1], words[2]
    return kind


def _board(root: Path) -> str | None:
    """From the device tree on Arm boards, from DMI elsewhere."""
    tree = _text(root / "proc/device-tree/model")
    if tree:
        return tree
    words = [_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name")]
    return " ".join(word for word in words if word) or None


def _processor(root: Path) -> str | None:
    lines = (_text(root / "proc/cpuinfo") or "").splitlines()
    found = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    by_key = {key.strip(): value.strip() for key, value in found.items()}
    for key in ("model name", "Model", "Hardware"):
        if by_key.get(key):
            return by_key[key]
    part = by_key.get("CPU part")
    return None if part is None else f"CPU implementer {by_key.get('CPU implementer', '?')}, part {part}"


def _memory(root: Path) -> float | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) * 1024 / 1e6)
    return None


def _system(root: Path) -> str | None:
    for line in (_text(root / "etc/os-release") or "").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return None


def _load(root: Path) -> float | None:
    words = (_text(root / "proc/loadavg") or "").split()
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().rstrip(b"\0\n").decode(errors="replace").strip() or None
    except OSError:
        return None
