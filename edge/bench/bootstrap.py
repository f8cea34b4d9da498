"""Two runs side by side: how much slower is B than A, and how sure is that?

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
    """Of (rows, samples): a number a row."""

DRAWS = 2000
AT_ONCE = 2_000_000
"""Numbers that are drawn together: 16 MB."""
LEAST = 20
"""Fewer samples than this are not compared."""


class Ratio(msgspec.Struct, frozen=True):
    """B over A, with an interval."""

    value: float
    low: float
    high: float


def ratio_of(
    a: NDArray[np.float64], b: NDArray[np.float64], statistic: Statistic, confidence: float, seed: int = 0
) -> Ratio:
    """``statistic`` of B over that of A. Samples are in order of time, positive, at least `LEAST` each."""
    rng = np.random.default_rng(seed)
    of_a, of_b = draw(a, statistic, rng), draw(b, statistic, rng)
    miss = (1.0 - confidence) / 2
    low, high = np.quantile(of_b / of_a, (miss, 1.0 - miss))
    return Ratio(value(statistic, b) / value(statistic, a), float(low), float(high))


def draw(samples: NDArray[np.float64], statistic: Statistic, rng: np.random.Generator) -> NDArray[np.float64]:
    """``statistic`` of `DRAWS` series of the same length, made of blocks of ``samples``."""
    n, block = samples.size, block_length(samples.size)
    steps = np.arange(block)
    at_once = max(1, min(DRAWS, AT_ONCE // n))
    found = []
    for begin in range(0, DRAWS, at_once):
        rows = min(at_once, DRAWS - begin)
        starts = rng.integers(0, n - block + 1, (rows, -(-n // block)))
        found.append(statistic(samples[(starts[:, :, None] + steps).reshape(rows, -1)[:, :n]]))
    return np.concatenate(found)


def value(statistic: Statistic, samples: NDArray[np.float64]) -> float:
    """``statistic`` of one series."""
    return float(statistic(samples[None])[0])


def block_length(n: int) -> int:
    """About 2 n^(1/3), the rate that is right for quantiles and means of series that forget soon."""
    return max(1, min(n, round(2 * math.pow(n, 1 / 3))))


def at(share: float) -> Statistic:
    """The nearest-rank ``share`` quantile of each row, as a statistic."""

    def of_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        rank = nearest_rank_index(rows.shape[1], share)
        found: NDArray[np.float64] = np.partition(rows, rank, axis=1)[:, rank]
        return found

    return of_rows


def mean(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each row, as a statistic."""
    found: NDArray[np.float64] = rows.mean(axis=1)
    return found


def slower_share(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Chance that a frame of B took longer than one of A, 0 to 1; 0.5: neither."""
    ordered = np.sort(a)
    less, not_more = np.searchsorted(ordered, b, side="left"), np.searchsorted(ordered, b, side="right")
    return float((less + not_more).sum() / 2 / a.size / b.size)
