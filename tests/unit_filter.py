"""Runs a command under the system call filter of the unit that ships, as systemd would set it.

    python unit_filter.py UNIT COMMAND...

Calls that the filter refuses fail with EPERM, for the command and all its children. Needs systemd-analyze, which knows
what is in a set such as @system-service, and libseccomp, which systemd itself uses.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM


@cache
def members(name: str) -> frozenset[str]:
    """System calls of a set (``@resources``) or of a single name."""
    if not name.startswith("@"):
        return frozenset({name})
    told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True)
    found = [line.strip() for line in told.stdout.splitlines()[1:] if line.strip() and line.strip()[0] != "#"]
    return frozenset(each for one in found for each in members(one))


def allowed(unit: Path) -> set[str]:
    """System calls that the unit allows: its lines are applied in order, the first one opens nothing else."""
    found: set[str] = set()
    for line in unit.read_text().splitlines():
        key, _, value = line.partition("=")
        if key != "SystemCallFilter":
            continue
        calls = {call for word in value.lstrip("~").split() for call in members(word)}
        found = found - calls if value.startswith("~") else found | calls
    return found | set(members("@default"))


def main() -> None:
    """Set the filter, and become the command."""
    unit, *command = sys.argv[1:]
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"), use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(REFUSE)))
    for name in sorted(allowed(Path(unit))):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            library.seccomp_rule_add(context, ctypes.c_uint32(ALLOW), number, 0)
    if library.seccomp_load(context) != 0:
        raise SystemExit("the filter cannot be set")
    os.execvp(command[0], command)  # noqa: S606  (no shell is what is wanted)


if __name__ == "__main__":
    main()
