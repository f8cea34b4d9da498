"""CPU affinity: which processor cores each process of the daemon runs on."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edge.config.settings import AffinitySettings

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)


def allowed_cores() -> list[int]:
    """Cores that this process may use, counted from 0: the machine's, or fewer where it was given fewer."""
    return sorted(os.sched_getaffinity(0))


def missing_cores(wanted: AffinitySettings, there: Sequence[int]) -> list[int]:
    """Cores that ``wanted`` asks for and that are not among ``there``."""
    asked = {core for cores in msgspec.structs.astuple(wanted) for core in cores}
    return sorted(asked - set(there))


def fit_affinity(wanted: AffinitySettings, there: Sequence[int]) -> AffinitySettings:
    """``wanted`` without cores that are not ``there``; a process that is left without any gets all of them.

    If none are asked for, no affinity is set at all.
    """
    if wanted == AffinitySettings():
        return wanted

    def some_of(cores: Sequence[int]) -> list[int]:
        return [core for core in there if core in cores] or list(there)

    return AffinitySettings(
        frame=some_of(wanted.frame), runtime=some_of(wanted.runtime), publisher=some_of(wanted.publisher)
    )


def set_cpu_affinity(cores: Sequence[int]) -> None:
    """Run this process, with all the threads that it has, on ``cores`` only; empty: nothing is changed.

    Threads and children that are made later keep to the same. Where a sandbox forbids it, that is logged.
    """
    if not cores:
        return
    try:
        for task in Path("/proc/self/task").iterdir():  # NumPy has started threads by now
            os.sched_setaffinity(int(task.name), cores)
    except OSError as error:
        log.warning("cores %s cannot be kept to: %s", list(cores), error.strerror)
