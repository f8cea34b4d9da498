"""Bootstrap intervals of metrics over patients: 95 % by the percentile method, never over single pictures.

Arrays are (n,), one value a picture, where nothing else is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.metrics import mean_over_ties

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def bootstrap(
    groups: Sequence[str] | NDArray[np.str_],
    figure: Callable[[NDArray[np.int_]], float],
    rounds: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % bootstrap interval (low, high) of any metric, by percentiles, over groups (patients), not pictures.

    ``figure`` computes the metric from the numbers of the drawn rows; draws for which it is NaN (one class alone) are
    left out.
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(inverse == i) for i in range(len(names))]
    drawn = [figure(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])) for _ in range(rounds)]
    return percentile_interval(drawn)


def percentile_interval(drawn: Sequence[float] | NDArray[np.floating]) -> tuple[float, float]:
    """95 % interval (low, high) of a metric in bootstrap draws, (n,): its percentiles; NaN is left out."""
    low, high = np.nanpercentile(drawn, (2.5, 97.5))
    return float(low), float(high)


@dataclass(frozen=True)
class MetricInterval:
    """Metric with its 95 % bootstrap interval; NaN where there is none (one class alone, no picture)."""

    value: float
    low: float
    high: float
    n: int
    """Number of pictures or cases that it is about."""


class BootstrapSamples:
    """Bootstrap samples of groups, drawn once and used for every metric of the same rows.

    Two views of one patient are not two observations, so patients are drawn, not pictures: row ``i`` weighs, in each
    draw, how often its patient was drawn. Intervals are percentiles; draws for which a metric is NaN are left out.
    """

    def __init__(self, groups: Sequence[str] | NDArray[np.str_], rounds: int = 1000, seed: int = 0) -> None:
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), rounds) if len(names) else None
        whole = np.ones((1, len(place)))
        self.weights = whole if drawn is None else np.concatenate([whole, drawn[:, place]]).astype(np.float64)
        """(1 + rounds, n): the rows themselves, then the draws."""

    def ratio(self, part: NDArray[Any], total: NDArray[Any] | None = None) -> MetricInterval:
        """Sum of ``part`` over sum of ``total``, both (n,): every rate and every mean. ``total`` None: all rows."""
        total = np.ones(len(part)) if total is None else np.asarray(total, np.float64)
        below = self.weights @ total
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(below > 0, self.weights @ np.asarray(part, np.float64) / below, np.nan)
        return self._interval(values, int(np.count_nonzero(total)))

    def auc(self, labels: NDArray[np.integer], scores: NDArray[np.floating]) -> MetricInterval:
        """Area under the ROC curve with its interval. Rows whose label is neither 0 nor 1 are left out."""
        return self._interval(self.auc_samples(labels, scores), int(np.isin(labels, (0, 1)).sum()))

    def auc_difference(
        self, labels: NDArray[np.integer], first: NDArray[np.floating], second: NDArray[np.floating]
    ) -> MetricInterval:
        """Area under ``first``'s ROC curve less ``second``'s, over the same draws: a paired comparison."""
        change = self.auc_samples(labels, first) - self.auc_samples(labels, second)
        return self._interval(change, int(np.isin(labels, (0, 1)).sum()))

    def auc_samples(self, labels: NDArray[np.integer], scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Areas under the ROC curve, (1 + rounds,): of the rows, then of each draw."""
        levels, place = np.unique(scores, return_inverse=True)
        starts = np.searchsorted(place[order := np.argsort(place, kind="stable")], np.arange(len(levels)))
        if not len(levels):
            return np.full(len(self.weights), np.nan)

        def by_level(label: int) -> NDArray[np.float64]:
            return np.add.reduceat((self.weights * (np.asarray(labels) == label))[:, order], starts, axis=1)

        ill, well = by_level(1), by_level(0)
        below = np.cumsum(well, axis=1) - well / 2
        pairs = ill.sum(axis=1) * well.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(pairs > 0, (ill * below).sum(axis=1) / pairs, np.nan)

    def aurc_samples(self, errors: NDArray[Any], uncertainty: NDArray[np.floating]) -> NDArray[np.float64]:
        """Areas under the risk-coverage curve (`aurc`), (1 + rounds,): of the rows, then of each draw."""
        order = np.argsort(uncertainty, kind="stable")
        weights = self.weights[:, order]
        judged = np.cumsum(weights, axis=1)
        wrong = np.cumsum(weights * mean_over_ties(errors, uncertainty)[order], axis=1)
        risk = wrong / np.maximum(judged, 1)
        areas: NDArray[np.float64] = (weights * risk).sum(axis=1) / weights.sum(axis=1)
        return areas

    def aurc(
        self, errors: NDArray[Any], uncertainty: NDArray[np.floating], against: NDArray[np.floating] | None = None
    ) -> MetricInterval:
        """Area under the risk-coverage curve; less that of another signal if one is given, over the same draws."""
        values = self.aurc_samples(errors, uncertainty)
        return self._interval(values if against is None else values - self.aurc_samples(errors, against), len(errors))

    def weighted(self, figure: Callable[[NDArray[np.float64]], float], n: int) -> MetricInterval:
        """Interval of any metric that takes a weight for each row, (n,)."""
        return self._interval(np.array([figure(w) for w in self.weights]), n)

    @staticmethod
    def _interval(values: NDArray[np.float64], n: int) -> MetricInterval:
        drawn = values[1:][np.isfinite(values[1:])]
        if not np.isfinite(values[0]) or not len(drawn):
            return MetricInterval(float(values[0]), float("nan"), float("nan"), n)
        return MetricInterval(float(values[0]), *percentile_interval(drawn), n)
