"""Throughput in frames a second, with a bootstrap interval that allows for slow phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.bench.bootstrap import MIN_SAMPLES, mean_statistic, percentile_interval, resample
from edge.bench.quantile_intervals import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.bench.samples import Samples


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """Throughput of a run: frames a second of all streams together, with its interval."""

    fps: float
    low: float | None
    """Interval by the moving-block bootstrap of the times between results; None: too few frames."""
    high: float | None
    frames: int
    """Computed to their end."""
    failed: int = 0
    """Refused before the runtime, or without a result. They took their time, and do not count."""
    between_ms: list[float]
    """Times between results, raw."""


def throughput(samples: Samples) -> Throughput | None:
    """Throughput of the frames after the warm-up that were computed to their end; None: fewer than two.

    A frame without a result takes time and does not count: it makes the next one's wait longer.
    """
    kept = samples.countable()
    failed = int(samples.rows().sum() - kept.sum())
    return from_times(np.array(samples.answered_s, np.float64)[kept], failed)


def from_times(at_s: NDArray[np.float64], failed: int = 0) -> Throughput | None:
    """Throughput from the times at which results came; None: fewer than two.

    Args:
        at_s: (n,) float64, when each result came, in seconds, in order.
        failed: frames that are not among them.
    """
    between = np.diff(at_s)
    if not between.size or between.sum() <= 0:
        return None
    low = high = None
    if between.size >= MIN_SAMPLES:
        drawn = resample(between, mean_statistic, np.random.default_rng(0))
        short, long = percentile_interval(drawn, CONFIDENCE)
        low, high = 1 / long, 1 / short
    return Throughput(
        fps=float(1 / between.mean()),
        low=low,
        high=high,
        frames=int(at_s.size),
        failed=failed,
        between_ms=[round(float(value) * 1e3, 4) for value in between],
    )
