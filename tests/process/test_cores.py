"""CPU affinity: processes run on the cores that they are given, with all their threads; absent ones are left out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edge.config.settings import AffinitySettings
from edge.process.cores import allowed_cores, fit_affinity, missing_cores, set_cpu_affinity

KEEPER = """
import logging, sys, threading
from pathlib import Path
from edge.process.cores import set_cpu_affinity
logging.basicConfig(format="%(message)s")
stop = threading.Event()
threading.Thread(target=stop.wait, daemon=True).start()
set_cpu_affinity([int(word) for word in sys.argv[1:]])
threading.Thread(target=stop.wait, daemon=True).start()
for task in sorted(Path("/proc/self/task").iterdir()):
    lines = (task / "status").read_text().splitlines()
    print([line.split()[1] for line in lines if line.startswith("Cpus_allowed_list")][0])
"""


def kept(*cores: int) -> tuple[list[str], str]:
    """Cores of each thread as the kernel says, and what was logged."""
    done = subprocess.run(
        [sys.executable, "-c", KEEPER, *map(str, cores)], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split(), done.stderr


def test_all_threads_of_a_process_run_on_its_cores_only() -> None:
    last = allowed_cores()[-1]
    assert kept(last) == ([str(last)] * 3, "")


def test_no_cores_means_all_of_them() -> None:
    before = os.sched_getaffinity(0)
    set_cpu_affinity([])
    assert os.sched_getaffinity(0) == before


def test_what_the_kernel_refuses_is_a_warning() -> None:
    lists, logged = kept(1023)
    assert len(set(lists)) == 1
    assert logged == "cores [1023] cannot be kept to: Invalid argument\n"


@pytest.mark.parametrize(
    ("wanted", "there", "expected", "missing"),
    [
        (AffinitySettings(), [0, 1], AffinitySettings(), []),
        (
            AffinitySettings(frame=[0], runtime=[1, 2, 3], publisher=[0]),
            [0, 1],
            AffinitySettings(frame=[0], runtime=[1], publisher=[0]),
            [2, 3],
        ),
        # Without a word for it, the runtime would keep to its parent's core.
        (
            AffinitySettings(frame=[0]),
            [0, 1, 2],
            AffinitySettings(frame=[0], runtime=[0, 1, 2], publisher=[0, 1, 2]),
            [],
        ),
        (
            AffinitySettings(runtime=[6]),
            [0, 1],
            AffinitySettings(frame=[0, 1], runtime=[0, 1], publisher=[0, 1]),
            [6],
        ),
    ],
)
def test_what_can_be_had_of_what_is_asked(
    wanted: AffinitySettings, there: list[int], expected: AffinitySettings, missing: list[int]
) -> None:
    assert fit_affinity(wanted, there) == expected
    assert missing_cores(wanted, there) == missing
