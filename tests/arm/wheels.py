"""Fetches wheels for another machine than this one, with this one's pip."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from edge.contracts.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PYTHON_VERSION = "3.11"
"""Debian 12's, hence Raspberry Pi OS's."""
GLIBC_MINORS = range(17, 37)
"""Wheels for glibc 2.17 to Debian 12's 2.36 can be installed."""


def pip(command: str, machine: str, *args: str | Path, log: Path) -> None:
    """``pip download`` or ``pip install --target`` of wheels for ``machine`` (``aarch64``, ``x86_64``).

    Raises:
        DeviceError: pip refuses; with the last line that it said. All of it is in ``log``.
    """
    abis = [f"cp{PYTHON_VERSION.replace('.', '')}", "abi3", "none"]
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS)]
    given = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", command, "--only-binary=:all:"]
    given += ["--implementation", "cp", "--python-version", PYTHON_VERSION]
    given += [word for abi in abis for word in ("--abi", abi)]
    given += [word for name in platforms for word in ("--platform", name)]
    run([*given, *map(str, args)], f"{command} {machine} wheels", log=log)


def run(command: Sequence[str], what: str, *, log: Path) -> None:
    """Run a program; `DeviceError` with the last line that it printed if it fails."""
    with log.open("w") as said:
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise DeviceError(f"could not {what}: {last}", hint=f"see {log}")
