"""Lists the Python interpreters that the project can be tested with: on PATH or of pyenv, one a version, with venv.

    python tools/pythons.py             all of them, oldest first
    python tools/pythons.py --ends      the oldest and the newest
    python tools/pythons.py --others    of those two, the ones that are not the version that runs this

Run as a file, by whatever Python there is: it imports nothing of ours.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 13)
"""Versions that all packages of locks/test.txt have wheels for; make lock-check tells."""
PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:2])"


def usable_version(command: str) -> tuple[int, int] | None:
    """Version of the interpreter ``command``; None: it is not there, has no venv, or is too old or too new."""
    if shutil.which(command) is None:
        return None
    found = subprocess.run([command, "-c", PROBE], capture_output=True, text=True, check=False)
    numbers = re.fullmatch(r"(\d+) (\d+)", found.stdout.strip())
    if found.returncode or numbers is None:
        return None
    version = int(numbers[1]), int(numbers[2])
    return version if OLDEST <= version <= NEWEST else None


def pyenv_interpreters() -> list[str]:
    """Paths of what pyenv has installed: its own commands on PATH start only the versions that are switched on."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(
        str(path) for path in root.glob("versions/3.*/bin/python3.*") if re.fullmatch(r"3\.\d+", path.name[6:])
    )


def interpreters() -> dict[tuple[int, int], str]:
    """Commands of the usable interpreters by version, oldest first; ``python3`` where it is the only name of one."""
    found: dict[tuple[int, int], str] = {}
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    for command in [*names, "python3", *pyenv_interpreters()]:
        version = usable_version(command)
        if version is not None:
            found.setdefault(version, command)
    return dict(sorted(found.items()))


def main(arguments: list[str]) -> int:
    """Print the commands on one line."""
    found = interpreters()
    versions = list(found)
    if "--ends" in arguments or "--others" in arguments:
        versions = sorted({*versions[:1], *versions[-1:]})
    if "--others" in arguments:
        versions = [version for version in versions if version != sys.version_info[:2]]
    print(*(found[version] for version in versions))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
