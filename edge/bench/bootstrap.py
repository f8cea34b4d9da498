"""Moving-block bootstrap: confidence interval of how much slower run B is than run A.

The moving-block bootstrap (Künsch 1989, Annals of Statistics 17:1217) draws stretches of neighbouring frames, not
single ones, so that slow phases stay what they are. Of each draw the ratio of a quantile in B to the same in A is
taken; the interval holds the middle of these ratios (percentile method). How often a frame of B is slower than one of
A is the Mann-Whitney statistic over both numbers of frames, ties counting half.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.quantiles import nearest_rank_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """Takes (rows, samples) float64 and gives (rows,) float64: a number for each row."""

DRAWS = 2000
BATCH_NUMBERS = 2_000_000
"""Numbers that are drawn together: 16 MB."""
MIN_SAMPLES = 20
"""Fewer samples than this are not compared."""


class Ratio(msgspec.Struct, frozen=True):
    """Ratio of a number of run B to that of run A, with its confidence interval."""

    value: float
    low: float
    high: float


def ratio_of(
    a: NDArray[np.float64], b: NDArray[np.float64], statistic: Statistic, confidence: float, seed: int = 0
) -> Ratio:
    """Ratio of ``statistic`` of B to that of A, with its interval at ``confidence``.

    ``a`` and ``b`` are (n,) float64 in order of time, positive, at least `MIN_SAMPLES` each.
    """
    rng = np.random.default_rng(seed)
    of_a, of_b = resample(a, statistic, rng), resample(b, statistic, rng)
    return Ratio(statistic_of(statistic, b) / statistic_of(statistic, a), *percentile_interval(of_b / of_a, confidence))


def percentile_interval(drawn: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Ends of the interval that holds the middle ``confidence`` (0 to 1) of bootstrap draws, (n,) float64."""
    miss = (1.0 - confidence) / 2
    low, high = np.quantile(drawn, (miss, 1.0 - miss))
    return float(low), float(high)


def resample(samples: NDArray[np.float64], statistic: Statistic, rng: np.random.Generator) -> NDArray[np.float64]:
    """Bootstrap draws: ``statistic`` of `DRAWS` series that are made of blocks of ``samples``.

    ``samples`` is (n,) float64 in order of time; each series has the same length. Returns (`DRAWS`,) float64.
    """
    n, block = samples.size, block_length(samples.size)
    steps = np.arange(block)
    at_once = max(1, min(DRAWS, BATCH_NUMBERS // n))
    found = []
    for begin in range(0, DRAWS, at_once):
        rows = min(at_once, DRAWS - begin)
        starts = rng.integers(0, n - block + 1, (rows, -(-n // block)))
        found.append(statistic(samples[(starts[:, :, None] + steps).reshape(rows, -1)[:, :n]]))
    return np.concatenate(found)


def statistic_of(statistic: Statistic, samples: NDArray[np.float64]) -> float:
    """Value of ``statistic`` for one series, (n,) float64."""
    return float(statistic(samples[None])[0])


def block_length(n: int) -> int:
    """Block length of the bootstrap for ``n`` samples: about 2 n^(1/3).

    That rate is right for quantiles and means of series whose values depend only on those shortly before.
    """
    return max(1, min(n, round(2 * math.pow(n, 1 / 3))))


def quantile_statistic(share: float) -> Statistic:
    """Statistic that takes the nearest-rank ``share`` quantile of each row; ``share`` from 0 to 1."""

    def of_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        rank = nearest_rank_index(rows.shape[1], share)
        found: NDArray[np.float64] = np.partition(rows, rank, axis=1)[:, rank]
        return found

    return of_rows


def mean_statistic(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Statistic that takes the mean of each row: (rows, samples) float64 to (rows,) float64."""
    found: NDArray[np.float64] = rows.mean(axis=1)
    return found


def slower_share(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Chance that a frame of B took longer than one of A (Mann-Whitney), 0 to 1; 0.5: neither is slower.

    ``a`` and ``b`` are (n,) float64 times in the same unit; they may differ in length.
    """
    ordered = np.sort(a)
    less, not_more = np.searchsorted(ordered, b, side="left"), np.searchsorted(ordered, b, side="right")
    return float((less + not_more).sum() / 2 / a.size / b.size)
