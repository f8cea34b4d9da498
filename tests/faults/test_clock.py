"""Settable wall clock: it moves the wall clock of running processes, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from faults.clock import SettableClock, compiler

ASKED = """
import sys, time
for line in sys.stdin:
    time.sleep(0.001)
    print(time.time(), time.monotonic(), flush=True)
"""


@pytest.mark.skipif(compiler() is None, reason="there is no C compiler to make a clock with")
@pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux'")
def test_only_the_wall_clock_jumps(tmp_path):
    clock = SettableClock(tmp_path)
    command = [sys.executable, "-c", ASKED]
    environment = {**os.environ, **clock.environment}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as asked:
        for ahead_s in (0, 3600, -36_000, 0):
            clock.set(ahead_s)
            asked.stdin.write("\n")
            asked.stdin.flush()
            wall, monotonic = map(float, asked.stdout.readline().split())
            assert wall - time.time() == pytest.approx(ahead_s, abs=60)
            assert monotonic == pytest.approx(time.monotonic(), abs=60)
        asked.stdin.close()
    clock.close()
    assert asked.returncode == 0
