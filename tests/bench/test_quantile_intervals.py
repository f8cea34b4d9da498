"""Confidence intervals hold what they promise: against exact sums, and in many runs whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.quantile_intervals import binomial_ranks, effective_samples, nearest_rank, quantile, summarise

SHARES = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999])


def chance_below(n: int, share: float, rank: int) -> float:
    """That fewer than ``rank`` of ``n`` samples lie under the quantile: summed term by term."""
    return math.fsum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(rank))


@given(st.integers(1, 250), SHARES)
def test_each_side_misses_at_most_as_often_as_promised_and_is_as_tight_as_can_be(n: int, share: float) -> None:
    low, high = binomial_ranks(n, share)
    if low is not None:
        assert chance_below(n, share, low) <= 0.025 + 1e-9
    assert chance_below(n, share, (low or 0) + 1) > 0.025 - 1e-9
    if high is not None:
        assert chance_below(n, share, high) >= 0.975 - 1e-9
        assert chance_below(n, share, high - 1) < 0.975 + 1e-9
    else:
        assert chance_below(n, share, n) < 0.975 + 1e-9


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=200), SHARES)
def test_the_estimate_is_a_time_that_was_measured(values: list[float], share: float) -> None:
    found = nearest_rank(np.sort(values), share)
    assert found in values
    assert found == pytest.approx(float(np.quantile(values, share, method="inverted_cdf")))


@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=300))
def test_intervals_enclose_their_estimate_and_quantiles_rise(values: list[float]) -> None:
    summary = summarise(values)
    assert summary is not None
    assert summary.n == len(values)
    assert 1 <= summary.effective <= summary.n
    estimates = [one.value for one in summary.quantiles.values()]
    assert estimates == sorted(estimates)
    assert estimates[-1] <= summary.max == max(values)
    for one in summary.quantiles.values():
        assert one.low is None or one.low <= one.value
        assert one.high is None or one.value <= one.high


def coverage(runs: np.ndarray, truth: float, share: float) -> float:
    """Of ``runs`` (a row each), how many have the truth in their interval."""
    found = [quantile(run, share) for run in runs]
    return float(np.mean([(q.low is None or q.low <= truth) and (q.high is None or truth <= q.high) for q in found]))


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_intervals_of_independent_times_hold_the_truth(share: float) -> None:
    rng = np.random.default_rng(1)
    truth = -math.log(1 - share)
    assert coverage(rng.exponential(1.0, (300, 500)), truth, share) >= 0.93


def slow_phases(rng: np.random.Generator, runs: int, n: int = 600, keep: float = 0.9) -> np.ndarray:
    """Gaussian series in which each value leans on the one before; its quantiles are the normal's."""
    values = rng.normal(size=(runs, n))
    for i in range(1, n):
        values[:, i] = keep * values[:, i - 1] + math.sqrt(1 - keep**2) * values[:, i]
    return values


def test_intervals_of_times_that_hang_together_are_wide_enough() -> None:
    runs = slow_phases(np.random.default_rng(2), 300)
    assert coverage(runs, 0.0, 0.5) >= 0.88
    low, high = binomial_ranks(runs.shape[1], 0.5)
    ordered = np.sort(runs, axis=1)
    naive = np.mean((ordered[:, low - 1] <= 0.0) & (ordered[:, high - 1] >= 0.0))
    assert naive < 0.6  # what the correction is for


def test_effective_samples() -> None:
    rng = np.random.default_rng(3)
    alone = rng.random(2000) < 0.5
    assert effective_samples(alone) > 1400
    stretches = np.repeat(rng.random(100) < 0.5, 20)
    assert 50 < effective_samples(stretches) < 250
    assert effective_samples(np.zeros(50, bool)) == 50
    assert effective_samples(np.arange(100) % 2 == 0) == 100


def test_few_samples_bound_nothing_far_out() -> None:
    summary = summarise(np.arange(1.0, 101.0))
    assert summary is not None
    assert summary.quantiles["p99.9"].high is None
    assert summarise([]) is None
