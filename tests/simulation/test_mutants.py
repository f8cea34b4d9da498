"""The simulation finds faults that are put back, each within a few hundred schedules."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from simulation.installed import installed
from simulation.mutants import MUTANTS, resend_marks_all_at_once
from simulation.places import simulation_folder
from simulation.schedule import from_seed
from simulation.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WITHIN = 300
"""Schedules within which each is found."""


@pytest.fixture
def folder() -> Iterator[Path]:
    with simulation_folder() as place, installed():
        yield place


def seeds_for(mutant: Callable[[pytest.MonkeyPatch], None]) -> Iterator[int]:
    """Seeds to look in: for large requests, those with a large outbox, of which there are few."""
    return (seed for seed in count(1) if mutant is not resend_marks_all_at_once or from_seed(seed).setup.backlog)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_fault_that_is_put_back_is_found(
    folder: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    mutant(monkeypatch)
    for _, seed in zip(range(WITHIN), seeds_for(mutant), strict=False):
        if any(one.invariant == MUTANTS[mutant] for one in simulate(from_seed(seed), folder).violations):
            return
    pytest.fail(f"not found in {WITHIN} schedules")
