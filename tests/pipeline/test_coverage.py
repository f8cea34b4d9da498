from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.results import Reason, Status
from edge.pipeline.coverage import CoverageKeeper

states = st.sampled_from(
    [(Status.FINDING, None), (Status.CLEAR, None), (Status.ABSTAINED, Reason.BLACK), (Status.NO_RESULT, Reason.FROZEN)]
)


def test_only_changes_are_told_and_each_closes_the_one_before():
    keeper = CoverageKeeper()
    start = keeper.observe(Status.NO_RESULT, Reason.STARTING, 10, None)
    assert start is not None
    assert start.previous is None
    change = keeper.observe(Status.CLEAR, None, 20, 0)
    assert change is not None
    assert change.previous is not None
    assert (change.previous.status, change.previous.frames) == (Status.NO_RESULT, 0)
    assert keeper.observe(Status.CLEAR, None, 30, 1) is None
    change = keeper.observe(Status.ABSTAINED, Reason.BLACK, 40, 2)
    assert change is not None
    assert change.previous is not None
    assert change.previous.frames == 2
    assert (change.previous.from_mono_ns, change.previous.to_mono_ns) == (20, 40)


def test_another_reason_is_another_state():
    keeper = CoverageKeeper()
    keeper.observe(Status.ABSTAINED, Reason.BLACK, 0, 0)
    assert keeper.observe(Status.ABSTAINED, Reason.WRONG_ANATOMY, 1, 1) is not None


@given(st.lists(states, min_size=1))
def test_intervals_join_without_gaps_and_count_every_frame(sequence):
    keeper = CoverageKeeper()
    changes = [c for i, (status, reason) in enumerate(sequence) if (c := keeper.observe(status, reason, i, i))]
    final = keeper.observe(Status.NO_RESULT, Reason.STOPPED, len(sequence), None)
    assert final is not None
    closed = [c.previous for c in [*changes, final] if c.previous is not None]
    assert sum(interval.frames for interval in closed) == len(sequence)
    for before, after in itertools.pairwise(closed):
        assert before.to_mono_ns == after.from_mono_ns
