"""Medians and percentiles with the interval that chance leaves them: the bootstrap's percentile interval.

Efron, Annals of Statistics 7:1, 1979: what was measured is drawn anew, with replacement, and the statistic computed of
each draw; the middle 95 % of these is the interval. Over rounds, whole rounds are drawn: frames of one round share
whatever the machine did meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge.quantiles import nearest_rank_index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

DRAWS = 1000
SHARE = 0.95


class Estimate(NamedTuple):
    """Estimate: a figure and its 95 % interval."""

    value: float
    low: float
    high: float


def bootstrap(statistic: Callable[[NDArray[np.intp]], float], rounds: int) -> Estimate:
    """Estimate of ``statistic`` of all rounds, with its bootstrap interval.

    Args:
        statistic: takes the numbers of rounds, some of them several times, and gives the figure.
        rounds: how many there are; at least one. With one, the interval is the figure itself.
    """
    if rounds < 1:
        raise ValueError("expected at least one round, got none")
    random = np.random.default_rng(0)  # the same figures from the same measurement
    drawn = [statistic(random.integers(0, rounds, rounds)) for _ in range(DRAWS if rounds > 1 else 1)]
    low, high = np.quantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    return Estimate(statistic(np.arange(rounds)), float(low), float(high))


def median(values: Sequence[float]) -> Estimate:
    """Median of one figure a round, with its interval."""
    array = np.asarray(values, float)
    return bootstrap(lambda rounds: float(np.median(array[rounds])), len(array))


def ratio(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """Median over rounds of ``value / other`` of the same round."""
    if len(values) != len(others):
        raise ValueError(f"expected as many rounds of both, got {len(values)} and {len(others)}")
    return median(np.asarray(values, float) / np.asarray(others, float))  # type: ignore[arg-type]


def percentile(values: Sequence[float] | NDArray[np.float64], share: float) -> float:
    """Nearest-rank percentile of ``values``: the smallest one that ``share`` (0 to 1) of all do not exceed."""
    index = nearest_rank_index(len(values), share)
    return float(np.partition(np.asarray(values, float), index)[index])


def pooled_percentile(rounds: Sequence[Sequence[float]], share: float) -> Estimate:
    """Percentile of the frames of all rounds together, with its interval."""
    return bootstrap(lambda drawn: percentile(np.concatenate([rounds[i] for i in drawn]), share), len(rounds))


def percentile_difference(
    rounds: Sequence[Sequence[float]], others: Sequence[Sequence[float]], share: float
) -> Estimate:
    """Percentile of ``rounds`` minus that of ``others``; the same rounds of both are drawn."""
    return _of_both(rounds, others, lambda one, other: percentile(one, share) - percentile(other, share))


def percentile_ratio(rounds: Sequence[Sequence[float]], others: Sequence[Sequence[float]], share: float) -> Estimate:
    """Percentile of ``rounds`` over that of ``others``; the same rounds of both are drawn."""
    return _of_both(rounds, others, lambda one, other: percentile(one, share) / percentile(other, share))


def _of_both(
    rounds: Sequence[Sequence[float]],
    others: Sequence[Sequence[float]],
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
) -> Estimate:
    if len(rounds) != len(others):
        raise ValueError(f"expected as many rounds of both, got {len(rounds)} and {len(others)}")
    return bootstrap(
        lambda drawn: statistic(np.concatenate([rounds[i] for i in drawn]), np.concatenate([others[i] for i in drawn])),
        len(rounds),
    )
