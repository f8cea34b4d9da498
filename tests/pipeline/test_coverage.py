"""Coverage of a stream: only changes are told, and no time is lost or counted twice."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.results import Reason, Status
from edge.pipeline.coverage import CoverageTracker

states = st.sampled_from(
    [(Status.FINDING, None), (Status.CLEAR, None), (Status.ABSTAINED, Reason.BLACK), (Status.NO_RESULT, Reason.FROZEN)]
)


def test_only_changes_are_told_and_each_closes_the_one_before():
    coverage = CoverageTracker()
    start = coverage.observe(Status.NO_RESULT, Reason.STARTING, 10, None)
    assert start is not None
    assert start.previous is None
    change = coverage.observe(Status.CLEAR, None, 20, 0)
    assert change is not None
    assert change.previous is not None
    assert (change.previous.status, change.previous.frames) == (Status.NO_RESULT, 0)
    assert coverage.observe(Status.CLEAR, None, 30, 1) is None
    change = coverage.observe(Status.ABSTAINED, Reason.BLACK, 40, 2)
    assert change is not None
    assert change.previous is not None
    assert change.previous.frames == 2
    assert (change.previous.from_mono_ns, change.previous.to_mono_ns) == (20, 40)


def test_after_a_silence_the_state_that_held_ends_where_it_was_last_seen():
    coverage = CoverageTracker()
    coverage.observe(Status.CLEAR, None, 0, 0)
    coverage.observe(Status.CLEAR, None, 1_000_000_000, 1)
    assert coverage.check_silence(5_900_000_000) is None
    gap = coverage.check_silence(6_100_000_000)
    assert gap is not None
    assert (gap.status, gap.reason, gap.since_ns) == (Status.NO_RESULT, Reason.NO_FRAMES, 1_000_000_000)
    assert gap.previous is not None
    assert (gap.previous.to_mono_ns, gap.previous.frames) == (1_000_000_000, 2)
    assert coverage.check_silence(99_000_000_000) is None  # said once


def test_another_reason_is_another_state():
    coverage = CoverageTracker()
    coverage.observe(Status.ABSTAINED, Reason.BLACK, 0, 0)
    assert coverage.observe(Status.ABSTAINED, Reason.WRONG_ANATOMY, 1, 1) is not None


@given(st.lists(states, min_size=1), st.randoms())
def test_intervals_join_without_gaps_and_count_every_frame(sequence, random):
    coverage = CoverageTracker()
    times = [i + random.randint(-3, 3) for i in range(len(sequence))]  # frames decoded ahead come out of order
    told = zip(sequence, times, strict=True)
    changes = [c for (status, reason), at in told if (c := coverage.observe(status, reason, at, at))]
    final = coverage.observe(Status.NO_RESULT, Reason.STOPPED, len(sequence), None)
    assert final is not None
    closed = [c.previous for c in [*changes, final] if c.previous is not None]
    assert sum(interval.frames for interval in closed) == len(sequence)
    assert all(interval.to_mono_ns >= interval.from_mono_ns for interval in closed)
    for before, after in itertools.pairwise(closed):
        assert before.to_mono_ns == after.from_mono_ns
