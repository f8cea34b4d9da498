"""Thousands of seeded schedules of faults: no message is lost, and what else is promised holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulation import schedule as kinds
from simulation.installed import installed
from simulation.places import simulation_folder
from simulation.schedule import KINDS, Schedule, Setup, Step, from_seed
from simulation.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = 2000
ONCE_BROKEN = (406, 536, 1185, 2082, 2520)
"""Seeds that found something in the product: what lay between the ranges of a request was sent again, counts of missed
health fell, repeats went to the other receiver, a first live message was taken for an old one."""

setups = st.builds(
    Setup, noise=st.integers(0, 2**32 - 1), brokers=st.sampled_from((1, 1, 1, 2)),
    latency_s=st.sampled_from(kinds.LATENCIES), slowness=st.sampled_from(kinds.SLOWNESS),
    sync_s=st.sampled_from(kinds.SYNCS), inflight=st.sampled_from(kinds.INFLIGHT),
    health_every_s=st.sampled_from(kinds.HEALTH), idle_s=st.sampled_from(kinds.IDLE),
    nest_share=st.sampled_from(kinds.NESTED), lock_share=st.sampled_from(kinds.LOCKED),
    frames_late_s=st.sampled_from(kinds.LATE), max_mb=st.sampled_from((512.0, 512.0, 512.0, 0.15)), backlog=st.just(0),
)  # fmt: skip
steps = st.lists(
    st.builds(
        Step, kind=st.sampled_from([kind for kind in KINDS for _ in range(kinds.WEIGHTS.get(kind, 2))]),
        after_s=st.sampled_from(kinds.DELAYS), amount=st.sampled_from(kinds.AMOUNTS),
    ),
    min_size=1, max_size=12,
)  # fmt: skip
schedules = st.builds(lambda setup, found: Schedule(setup, tuple(found)), setups, steps)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with simulation_folder() as place, installed():
        yield place


@pytest.mark.slow
@pytest.mark.timeout(900)
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, print_blob=True,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(schedules)
def test_what_is_promised_holds_whatever_breaks(folder: Path, schedule: Schedule) -> None:
    assert simulate(schedule, folder).violations == []


@pytest.mark.parametrize("seed", ONCE_BROKEN)
def test_seeds_that_once_found_something(folder: Path, seed: int) -> None:
    assert simulate(from_seed(seed), folder).violations == []


def test_a_schedule_is_the_same_whenever_it_is_run(folder: Path) -> None:
    first, second = (simulate(from_seed(7), folder, keep_trace=True) for _ in range(2))
    assert len(first.trace) > 20
    assert first == second


def test_schedules_are_varied_and_have_repeats_faults_and_connections(folder: Path) -> None:
    outcomes = [simulate(from_seed(seed), folder) for seed in range(20)]
    assert sum(one.messages for one in outcomes) > 200
    assert sum(one.repeats for one in outcomes) > 0
    assert sum(one.connections for one in outcomes) > 20
    assert {step.kind for seed in range(200) for step in from_seed(seed).steps} == set(KINDS)
