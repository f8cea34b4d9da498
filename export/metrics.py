"""Evaluation metrics (AUC, weighted mean), and 95 % bootstrap intervals that draw patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    WeightedMetric = Callable[[Floats], float]
    """Function of a weight for each picture (how often it was drawn), which gives the metric."""

ROUNDS = 2000
"""Draws of the bootstrap."""
METHOD = f"95 % percentile bootstrap over patients, {ROUNDS} draws"


def weighted_auc(scores: Floats, labels: NDArray[np.int8]) -> WeightedMetric:
    """Area under the ROC curve (Mann-Whitney, ties counted half), as a function of weights; NaN if a class is absent.

    ``scores``: (n,). ``labels``: (n,) 0 or 1.
    """
    levels, place = np.unique(scores, return_inverse=True)
    positive = labels == 1

    def figure(weights: Floats) -> float:
        ill = np.bincount(place, weights * positive, len(levels))
        well = np.bincount(place, weights * ~positive, len(levels))
        pairs = ill.sum() * well.sum()
        below = np.cumsum(well) - well
        return float((ill * (below + well / 2)).sum() / pairs) if pairs else float("nan")

    return figure


def weighted_mean(values: Floats, among: NDArray[np.bool_] | None = None) -> WeightedMetric:
    """Mean of ``values`` (n,), only ``among`` some pictures if given; NaN if none of those was drawn."""
    chosen = np.ones(len(values), bool) if among is None else among

    def figure(weights: Floats) -> float:
        total = float((weights * chosen).sum())
        return float((weights * chosen * values).sum() / total) if total else float("nan")

    return figure


def bootstrap_interval(figure: WeightedMetric, groups: NDArray[np.str_]) -> tuple[float, float, float]:
    """Metric over all pictures, and its 95 % interval by a bootstrap that draws patients.

    ``groups``: (n,) the patient of each picture. Returns the value, and the low and high end of the interval.
    Two views of one lesion are not two observations. Draws without one of the classes are left out.
    """
    rng = np.random.default_rng(1)
    names, place = np.unique(groups, return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), ROUNDS).astype(np.float64)
    values = [figure(counts[place]) for counts in drawn]
    return figure(np.ones(len(groups))), *percentile_interval(values)


def percentile_interval(drawn: Sequence[float] | Floats) -> tuple[float, float]:
    """95 % interval (low, high) of a metric in bootstrap draws, (n,): its percentiles; NaN is left out."""
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return float(low), float(high)
