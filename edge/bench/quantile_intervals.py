"""Quantiles with confidence intervals that assume nothing of the distribution.

The estimate is the nearest-rank order statistic: a time that was really measured. The interval runs from one order
statistic to another, by the binomial law of how many samples lie below the true quantile (David and Nagaraja, Order
Statistics, 3rd ed., section 7.1). That law holds for independent samples, and a slow frame is often followed by a slow
one; so it is taken not for n samples but for the *effective* number of them: n over the autocorrelation time of "below
the quantile, or not" (as for quantiles of Markov chains: Vehtari et al. 2021, Bayesian Analysis 16:667).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.quantiles import nearest_rank_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
"""The quantiles that are reported, by name."""
CONFIDENCE = 0.95


class Quantile(msgspec.Struct, frozen=True):
    """One quantile with its interval, in the unit of the samples.

    A bound that so few samples cannot give is None.
    """

    value: float
    low: float | None
    high: float | None


class QuantileSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of a list of times: number, quantiles with intervals, maximum."""

    n: int
    effective: int
    """As how many independent samples they count, around the median."""
    quantiles: dict[str, Quantile]
    """By the names of `SHARES`."""
    max: float
    """The slowest one seen. It has no interval: a longer run may see a slower one."""


def summarise(times: Sequence[float] | NDArray[np.float64]) -> QuantileSummary | None:
    """Summary of ``times``, (n,) in any unit, in the order in which they were measured; None if there are none."""
    values = np.asarray(times, np.float64)
    if not values.size:
        return None
    ordered = np.sort(values)
    return QuantileSummary(
        n=values.size,
        effective=round(effective_samples(values <= nearest_rank(ordered, 0.5))),
        quantiles={name: quantile(values, share, ordered=ordered) for name, share in SHARES.items()},
        max=float(ordered[-1]),
    )


def quantile(
    values: NDArray[np.float64],
    share: float,
    confidence: float = CONFIDENCE,
    ordered: NDArray[np.float64] | None = None,
) -> Quantile:
    """The ``share`` quantile of non-empty ``values``, with its interval at ``confidence``.

    Args:
        values: (n,) float64 in order of time.
        share: from 0 to 1.
        confidence: from 0 to 1.
        ordered: the same values sorted, where the caller has them already.
    """
    ordered = np.sort(values) if ordered is None else ordered
    value = nearest_rank(ordered, share)
    effective = effective_samples(values <= value)
    low, high = binomial_ranks(max(1, int(effective)), share, confidence)
    stretch = values.size / max(1, int(effective))
    return Quantile(
        value,
        None if low is None else float(ordered[max(0, math.floor(low * stretch) - 1)]),
        None if high is None else float(ordered[min(values.size, math.ceil(high * stretch)) - 1]),
    )


def nearest_rank(ordered: NDArray[np.float64], share: float) -> float:
    """Nearest-rank quantile of sorted, non-empty samples, (n,) float64; ``share`` from 0 to 1."""
    return float(ordered[nearest_rank_index(ordered.size, share)])


def binomial_ranks(n: int, share: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """Ranks (from 1) of the two order statistics of ``n`` independent samples that enclose the quantile.

    Each side misses with a chance of at most (1 - confidence) / 2; None where no order statistic can promise that.
    """
    miss = (1.0 - confidence) / 2
    below = np.cumsum(_binomial(n, share))  # below[k]: chance that at most k samples lie under the quantile
    # X(r) lies above the quantile if fewer than r samples are below it: a chance of below[r - 1].
    low = int(np.searchsorted(below, miss, side="right"))  # the last r with below[r - 1] <= miss
    high = int(np.searchsorted(below, 1.0 - miss, side="left")) + 1  # the first r with below[r - 1] >= 1 - miss
    return (low if low >= 1 else None), (high if high <= n else None)


def effective_samples(flags: NDArray[np.bool_]) -> float:
    """Effective sample size of ``flags``, (n,) bool: as how many independent ones they count, from 1 to n.

    Autocorrelations are added up in pairs as long as the pairs are positive (Geyer 1992, Statistical Science 7:473).
    Oscillation, which would count as more than there are, is not believed.
    """
    n = flags.size
    centred = flags.astype(np.float64) - flags.mean()
    spread = float(centred @ centred)
    if n < 4 or spread == 0.0:
        return float(n)
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(centred, size)
    correlation = np.fft.irfft(spectrum * spectrum.conj(), size)[:n] / spread
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    ends = np.flatnonzero(pairs <= 0)
    positive = pairs[: ends[0]] if ends.size else pairs
    time = 2.0 * float(np.minimum.accumulate(positive).sum()) - 1.0 if positive.size else 1.0
    return float(np.clip(n / max(time, 1.0), 1.0, n))


def _binomial(n: int, share: float) -> NDArray[np.float64]:
    """Chances of 0 to n hits of n."""
    k = np.arange(n + 1, dtype=np.float64)
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1, dtype=np.float64)))))
    log_choose = log_factorial[n] - log_factorial - log_factorial[::-1]
    chances: NDArray[np.float64] = np.exp(log_choose + k * math.log(share) + (n - k) * math.log1p(-share))
    return chances
