"""Lists the Python interpreters on PATH that the project can be tested with: one a version, and with venv.

    python tools/pythons.py             all of them, oldest first
    python tools/pythons.py --ends      the oldest and the newest
    python tools/pythons.py --others    of those two, the ones that are not the version that runs this

Run as a file, by whatever Python there is: it imports nothing of ours.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

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


def interpreters() -> dict[tuple[int, int], str]:
    """Commands of the usable interpreters by version, oldest first; ``python3`` where it is the only name of one."""
    found: dict[tuple[int, int], str] = {}
    for command in [*(f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)), "python3"]:
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
