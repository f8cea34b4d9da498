"""Board, architecture and system versions of this machine, and whether sonoedge can run on it at all."""

from __future__ import annotations

import os
import platform
import re
import struct
import sys
from pathlib import Path

import msgspec

OLDEST_GLIBC = (2, 27)
"""Oldest GNU C library (major, minor) that LiteRT's wheels are made for."""
OLDEST_PYTHON = (3, 10)
"""Oldest Python (major, minor) that sonoedge runs on."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Board, architecture and versions of one machine: what decides whether our libraries exist for it."""

    board: str
    """Name of the board, from the device tree or the firmware; empty: neither says it."""
    architecture: str
    """The kernel's architecture: ``x86_64``, ``aarch64``, ``armv7l``."""
    bits: int
    """Pointer size of the programs, 32 or 64, which may be fewer than the kernel's."""
    kernel: str
    """Release of the kernel, as ``uname -r`` prints it."""
    glibc: tuple[int, ...] | None
    """Version (major, minor) of the GNU C library. None: another C library."""
    python: tuple[int, ...]
    """Version of the running Python: major, minor, micro."""
    jetpack: int | None
    """Major version of JetPack, a Jetson's system. None: no Jetson, or it does not say."""


def read_machine(root: Path = Path("/")) -> Machine:
    """Describe this machine. ``root``: of the file tree in which the board and JetPack are named."""
    return Machine(
        board=_board(root),
        architecture=platform.machine(),
        bits=struct.calcsize("P") * 8,
        kernel=platform.release(),
        glibc=_glibc(),
        python=tuple(sys.version_info[:3]),
        jetpack=_jetpack(root),
    )


def incompatibilities(machine: Machine) -> list[tuple[str, str]]:
    """Reasons why sonoedge cannot run on ``machine``, each with what to do about it; empty: it can run."""
    found = []
    if machine.bits < 64 and machine.architecture in ("aarch64", "arm64", "x86_64"):
        found.append(
            (
                f"{machine.bits}-bit programs on a 64-bit kernel: LiteRT has no wheels for them",
                "install a 64-bit one",
            )
        )
    elif machine.architecture not in ("x86_64", "aarch64", "arm64"):
        found.append(
            (
                f"{machine.architecture}: LiteRT has no wheels for it",
                "take a 64-bit system, or a board that can run one: from the Raspberry Pi 3 and Zero 2 W on",
            )
        )
    if machine.glibc is None:
        found.append(("not the GNU C library, which LiteRT needs", "take Debian, Ubuntu or Raspberry Pi OS"))
    elif machine.glibc < OLDEST_GLIBC:
        found.append(
            (
                f"glibc {_dotted(machine.glibc)}, LiteRT needs {_dotted(OLDEST_GLIBC)}",
                "a newer system: Debian 10, Ubuntu 18.04 or later",
            )
        )
    if machine.python < OLDEST_PYTHON:
        found.append((f"Python {_dotted(machine.python)}, we need {_dotted(OLDEST_PYTHON)}", "a newer system has it"))
    if found and machine.jetpack == 4:  # the last for Jetson Nano, TX1 and TX2
        found = [(f"JetPack 4: {why}", "this board gets no newer JetPack; take a Jetson Orin") for why, _ in found]
    return found


def _board(root: Path) -> str:
    for name in ("proc/device-tree/model", "sys/class/dmi/id/product_name"):
        try:
            text = (root / name).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
        except OSError:
            continue
        if text:
            return text
    return ""


def _glibc() -> tuple[int, ...] | None:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    found = re.search(r"glibc (\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def _jetpack(root: Path) -> int | None:
    """``# R32 (release), REVISION: 7.1``: release 32 is JetPack 4, 35 is 5, 36 is 6."""
    try:
        found = re.match(r"# R(\d+) ", (root / "etc/nv_tegra_release").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None
    return {32: 4, 34: 5, 35: 5, 36: 6}.get(int(found[1])) if found else None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
