"""Checks by pip that each lock can be installed from wheels alone, on every Python and machine that it is meant for.

Nothing is installed or compiled: pip resolves and says what it would fetch. It asks the package index, so it is no test.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.source_tree import ROOT

LOCKS = ("demo", "test", "training")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
GLIBC = range(17, 42)
"""Minor versions of the C library whose wheels are taken: up to that of the newest Debian."""


def requirements(lock: Path, python: str, machine: str) -> str:
    """The lock's lines for one Python and machine, without their markers: pip judges markers by where it runs itself."""
    from packaging.requirements import Requirement

    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "os_name": "posix",
        "platform_system": "Linux",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    kept = []
    for entry in re.split(r"\n(?=\S)", lock.read_text().strip()):
        head, *hashes = entry.replace("\\\n", " ").split("--hash=")
        wanted = Requirement(head.strip())
        if wanted.marker is None or wanted.marker.evaluate(environment):
            kept.append(" ".join([f"{wanted.name}{wanted.specifier}", *(f"--hash={one.strip()}" for one in hashes)]))
    return "\n".join(kept) + "\n"


def failure(lock: str, python: str, machine: str) -> str | None:
    """Why the lock cannot be installed there, in pip's words; None: it can."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"--platform=manylinux2014_{machine}", f"--platform=linux_{machine}"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text(requirements(ROOT / "locks" / f"{lock}.txt", python, machine))
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
        command += ["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:", "--target", folder]
        command += [f"--python-version={python}", "--implementation=cp", *platforms, "--requirement", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own words)
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return None if done.returncode == 0 else (errors or [done.stderr[-300:]])[-1]


def main() -> int:
    """Print a line for each lock, Python and machine; 1 if one cannot be installed."""
    failed = False
    for lock, python, machine in itertools.product(LOCKS, PYTHONS, MACHINES):
        why = failure(lock, python, machine)
        print(f"{lock:9} {python:5} {machine:8} {why or 'ok'}", flush=True)
        failed |= why is not None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
