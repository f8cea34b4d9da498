"""Medians, ratios and percentiles of the benchmarks, with their bootstrap intervals."""

from __future__ import annotations

import intervals
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.slow
def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(60):
        one = intervals.median(rng.normal(10.0, 1.0, 25))
        covered += one.low <= 10.0 <= one.high
    assert covered >= 51  # 57 is what it says; 51 is 3.5 standard deviations of sixty throws below


def test_a_ratio_is_taken_within_its_round():
    speeds = [100.0, 50.0, 200.0]  # a machine that wanders
    assert intervals.ratio([0.9 * speed for speed in speeds], speeds) == pytest.approx((0.9, 0.9, 0.9))


@given(st.lists(st.floats(0.1, 1e3), min_size=1, max_size=40), st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_percentile_is_a_value_that_was_measured_and_divides_them_as_it_says(values, share):
    got = intervals.percentile(values, share)
    assert got in values
    assert sum(value <= got for value in values) >= share * len(values) - 1e-9


def test_percentiles_of_rounds_are_of_all_their_frames_and_draw_whole_rounds():
    quiet, busy = [1.0] * 50, [9.0] * 50
    one = intervals.pooled_percentile([quiet, busy], 0.5)
    assert (one.value, one.low, one.high) == (1.0, 1.0, 9.0)


def test_differences_and_ratios_of_percentiles_share_what_the_machine_did():
    rounds = [[float(busy)] * 20 for busy in (1, 5, 2, 8)]
    later = [[value + 2.0 for value in taken] for taken in rounds]
    twice = [[value * 2.0 for value in taken] for taken in rounds]
    assert intervals.percentile_difference(later, rounds, 0.99) == (2.0, 2.0, 2.0)
    assert intervals.percentile_ratio(rounds, twice, 0.99) == (0.5, 0.5, 0.5)


def test_one_round_has_no_interval_and_none_is_refused():
    assert intervals.median([3.0]) == (3.0, 3.0, 3.0)
    with pytest.raises(ValueError, match="none"):
        intervals.median([])


def test_unequal_rounds_are_refused():
    with pytest.raises(ValueError, match="got 2 and 1"):
        intervals.ratio([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="got 1 and 2"):
        intervals.percentile_ratio([[1.0]], [[1.0], [2.0]], 0.5)
