"""Which processor cores a process keeps to."""

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
    """Those that this process may use, counted from 0: the machine's, or fewer where it was given fewer."""
    return sorted(os.sched_getaffinity(0))


def missing_cores(wanted: AffinitySettings, there: Sequence[int]) -> list[int]:
    """Cores that are asked for and are not among ``there``."""
    asked = {core for cores in msgspec.structs.astuple(wanted) for core in cores}
    return sorted(asked - set(there))


def fit(wanted: AffinitySettings, there: Sequence[int]) -> AffinitySettings:
    """``wanted`` as it can be had: without cores that are not there, and all of them for who is left without any.

    If none are asked for, nobody is told to keep to anything.
    """
    if wanted == AffinitySettings():
        return wanted

    def some_of(cores: Sequence[int]) -> list[int]:
        return [core for core in there if core in cores] or list(there)

    return AffinitySettings(
        frame=some_of(wanted.frame), runtime=some_of(wanted.runtime), publisher=some_of(wanted.publisher)
    )


def keep_to(cores: Sequence[int]) -> None:
    """Keep this process, with all the threads that it has, to ``cores``; empty: to those that it has.

    Threads and children that are made later keep to the same. Where a sandbox forbids it, that is logged.
    """
    if not cores:
        return
    try:
        for task in Path("/proc/self/task").iterdir():  # NumPy has started threads by now
            os.sched_setaffinity(int(task.name), cores)
    except OSError as error:
        log.warning("cores %s cannot be kept to: %s", list(cores), error.strerror)
