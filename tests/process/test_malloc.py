"""malloc_trim: memory that was freed goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

HELD_OPEN = """
from edge.process.malloc import trim_malloc, limit_malloc_arenas

def resident_kb():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))

limit_malloc_arenas()
blocks = [bytearray(b"x" * 60_000) for _ in range(2000)]
top = bytearray(b"x" * 60_000)  # holds what was freed below it in place
del blocks
before = resident_kb()
trim_malloc()
print(before - resident_kb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone keeps what was freed, and can be asked")
def test_what_was_freed_goes_back_to_the_system():
    freed_kb = int(subprocess.run([sys.executable, "-c", HELD_OPEN], check=True, capture_output=True).stdout)
    assert freed_kb > 50_000


def test_where_the_c_library_does_not_know_it_nothing_happens(monkeypatch):
    import edge.process.malloc as memory

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    memory.limit_malloc_arenas()
    memory.trim_malloc()
