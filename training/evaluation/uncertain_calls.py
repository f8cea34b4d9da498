"""Interval of probabilities whose calls are uncertain: those that cost most if they are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNCERTAIN_SHARE = 0.1
"""Share of pictures with a lesion whose calls are uncertain."""


def chance_of_error(p: Floats, threshold: float | Floats) -> Floats:
    """Estimated chance that a call at ``threshold`` is wrong, by the calibrated probability itself: (n,)."""
    return np.where(p >= threshold, 1 - p, p)


def cost_of_error(p: Floats, threshold: float) -> Floats:
    """Expected cost of the call at ``threshold`` (n,), a missed cancer weighed as the operating point weighs it.

    An operating point t says that a missed cancer is worth (1 - t) / t false alarms. So a benign call costs p (1 - t),
    a suspicious one (1 - p) t: equal at the operating point, and less the farther from it. At t = 0.5 this is half the
    chance of error; at a low t, that alone would call every suspicious call uncertain and no benign one.
    """
    return np.where(p >= threshold, (1 - p) * threshold, p * (1 - threshold))


def uncertain_interval(
    p: Floats, weights: Floats, threshold: float, share: float = UNCERTAIN_SHARE
) -> tuple[float, float]:
    """Interval around ``threshold`` that holds the costliest calls (`cost_of_error`), ``share`` of the whole weight.

    ``p``, ``weights`` (n,): pictures with a lesion, and how much each counts.
    """
    most = weighted_quantile(cost_of_error(p, threshold), weights, 1 - share)
    low, high = most / (1 - threshold), 1 - most / threshold
    return round(min(low, threshold - 1e-4), 4), round(max(high, threshold + 1e-4), 4)


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float:
    """Smallest of ``values`` (n,) that the share ``share`` of the weight lies at or under."""
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order])
    return float(values[order][min(len(values) - 1, int(np.searchsorted(total, share * total[-1] - 1e-9)))])
