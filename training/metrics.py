"""Figures of merit, with intervals that respect patients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def auc(labels: NDArray[np.int_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties counted half. NaN where one class is absent."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not len(positive) or not len(negative):
        return float("nan")
    order = np.sort(negative)
    below, upto = np.searchsorted(order, positive, "left"), np.searchsorted(order, positive, "right")
    return float((below + upto).sum() / 2 / len(positive) / len(negative))


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Twice the overlap over the sum of sizes; 1 where both are empty."""
    total = int(found.sum()) + int(true.sum())
    return 1.0 if total == 0 else 2.0 * int((found & true).sum()) / total


def bootstrap(
    groups: Sequence[str], figure: Callable[[NDArray[np.int_]], float], rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % interval by the percentile bootstrap over groups (patients), not pictures.

    ``figure`` takes the numbers of the drawn rows; draws for which it is NaN (one class alone) are left out.
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(np.asarray(groups), return_inverse=True)
    rows = [np.flatnonzero(inverse == i) for i in range(len(names))]
    drawn = [figure(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])) for _ in range(rounds)]
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def best_iou(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """The largest intersection over union of one connected part of ``found`` with the true lesion. (H, W) 0/1 each."""
    import cv2

    count, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
    wanted = true > 0
    ious = [float((wanted & (parts == i)).sum() / (wanted | (parts == i)).sum()) for i in range(1, count)]
    return max(ious, default=0.0)


@dataclass(frozen=True)
class MetricInterval:
    """A figure with its 95 % interval; NaN where it cannot be said (one class alone, no picture)."""

    value: float
    low: float
    high: float
    n: int
    """Pictures or cases that it is about."""


class Draws:
    """Bootstrap draws of groups, made once and used for every figure of the same rows.

    Two views of one patient are not two observations, so patients are drawn, not pictures: row ``i`` weighs, in each
    draw, how often its patient was drawn. Intervals are percentiles; draws for which a figure is NaN are left out.
    """

    def __init__(self, groups: Sequence[str] | NDArray[np.str_], rounds: int = 1000, seed: int = 0) -> None:
        names, place = np.unique(np.asarray(groups), return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), rounds) if len(names) else None
        whole = np.ones((1, len(place)))
        self.weights = whole if drawn is None else np.concatenate([whole, drawn[:, place]]).astype(np.float64)
        """(1 + rounds, n): the rows themselves, then the draws."""

    def ratio(self, part: NDArray[Any], total: NDArray[Any] | None = None) -> MetricInterval:
        """Sum of ``part`` over sum of ``total``: every rate and every mean. ``total`` None: all rows."""
        total = np.ones(len(part)) if total is None else np.asarray(total, np.float64)
        below = self.weights @ total
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(below > 0, self.weights @ np.asarray(part, np.float64) / below, np.nan)
        return self._interval(values, int(np.count_nonzero(total)))

    def auc(self, labels: NDArray[np.int_], scores: NDArray[np.floating]) -> MetricInterval:
        """Area under the ROC curve. Rows whose label is neither 0 nor 1 are left out."""
        return self._interval(self.aucs(labels, scores), int(np.isin(labels, (0, 1)).sum()))

    def auc_difference(
        self, labels: NDArray[np.int_], first: NDArray[np.floating], second: NDArray[np.floating]
    ) -> MetricInterval:
        """``first``'s area less ``second``'s, over the same draws: a paired comparison."""
        change = self.aucs(labels, first) - self.aucs(labels, second)
        return self._interval(change, int(np.isin(labels, (0, 1)).sum()))

    def aucs(self, labels: NDArray[np.int_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """(1 + rounds,): of the rows, then of each draw."""
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

    def aurcs(self, errors: NDArray[Any], doubt: NDArray[np.floating]) -> NDArray[np.float64]:
        """`aurc`, (1 + rounds,): of the rows, then of each draw."""
        order = np.argsort(doubt, kind="stable")
        weights = self.weights[:, order]
        judged = np.cumsum(weights, axis=1)
        wrong = np.cumsum(weights * even(errors, doubt)[order], axis=1)
        risk = wrong / np.maximum(judged, 1)
        return (weights * risk).sum(axis=1) / weights.sum(axis=1)

    def aurc(
        self, errors: NDArray[Any], doubt: NDArray[np.floating], against: NDArray[np.floating] | None = None
    ) -> MetricInterval:
        """Area under the risk-coverage curve; less that of another doubt if one is given, over the same draws."""
        values = self.aurcs(errors, doubt)
        return self._interval(values if against is None else values - self.aurcs(errors, against), len(errors))

    def over(self, figure: Callable[[NDArray[np.float64]], float], n: int) -> MetricInterval:
        """Any figure that takes a weight for each row."""
        return self._interval(np.array([figure(w) for w in self.weights]), n)

    @staticmethod
    def _interval(values: NDArray[np.float64], n: int) -> MetricInterval:
        drawn = values[1:][np.isfinite(values[1:])]
        if not np.isfinite(values[0]) or not len(drawn):
            return MetricInterval(float(values[0]), float("nan"), float("nan"), n)
        low, high = np.percentile(drawn, (2.5, 97.5))
        return MetricInterval(float(values[0]), float(low), float(high), n)


def roc(labels: NDArray[np.int_], scores: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """False positive rate, sensitivity and threshold, from none called ill to all; one point for each score."""
    levels = np.unique(scores)[::-1]
    ill, well = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    sensitivity = 1 - np.searchsorted(ill, levels, "left") / max(1, len(ill))
    false = 1 - np.searchsorted(well, levels, "left") / max(1, len(well))
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], sensitivity]), np.concatenate([[np.inf], levels])


def threshold_for_sensitivity(labels: NDArray[np.int_], scores: NDArray[np.floating], wanted: float) -> float:
    """The highest threshold at which at least the share ``wanted`` of the ill reach it, half a step under a score.

    Halfway to the next lower score that occurs, so that rounding on another machine turns no call over.
    """
    ill = np.sort(scores[labels == 1])[::-1]
    if not len(ill):
        return float("nan")
    level = ill[max(0, int(np.ceil(wanted * len(ill) - 1e-9)) - 1)]
    lower = scores[scores < level]
    return float((level + lower.max()) / 2 if len(lower) else level)


def youden(labels: NDArray[np.int_], scores: NDArray[np.floating], above: float = -np.inf) -> float:
    """The threshold with the largest sum of sensitivity and specificity (Youden, Cancer 3:32, 1950).

    Among those greater than ``above``; infinite where no score is.
    """
    false, sensitivity, levels = roc(labels, scores)
    best = int(np.argmax(np.where(levels > above, sensitivity - false, -np.inf)))
    lower = np.append(scores[scores < levels[best]], above).max()
    return float((levels[best] + lower) / 2 if np.isfinite(lower) and np.isfinite(levels[best]) else levels[best])


def reliability(
    labels: NDArray[np.int_], p: NDArray[np.floating], bins: int = 10
) -> list[tuple[float, float, float, int]]:
    """(mean probability, share ill, half-width of its 95 % interval, n) of bins of equal width; empty ones left out."""
    place = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    out = []
    for k in range(bins):
        rows = place == k
        if n := int(rows.sum()):
            share = float((labels[rows] == 1).mean())
            out.append((float(p[rows].mean()), share, 1.96 * float(np.sqrt(share * (1 - share) / n)), n))
    return out


def ece(labels: NDArray[np.int_], p: NDArray[np.floating], bins: int = 10) -> float:
    """Expected calibration error (Naeini et al., AAAI 2015): mean gap over bins of equal width, by pictures."""
    rows = reliability(labels, p, bins)
    return float(sum(n * abs(mean - share) for mean, share, _, n in rows) / max(1, len(labels)))


def log_loss(labels: NDArray[np.int_], p: NDArray[np.floating]) -> float:
    """Mean negative log likelihood, in nats."""
    inside = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels == 1, np.log(inside), np.log(1 - inside))))


def even(errors: NDArray[Any], doubt: NDArray[np.floating]) -> NDArray[np.float64]:
    """Errors with each replaced by the mean of those of equal doubt, whose order means nothing."""
    levels, place = np.unique(doubt, return_inverse=True)
    count = np.bincount(place, minlength=len(levels))
    return (np.bincount(place, np.asarray(errors, float), len(levels)) / count)[place]


def risk_coverage(errors: NDArray[Any], doubt: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Coverage, and the share of errors among those judged, when the most doubtful are left out first."""
    count = np.arange(1, len(doubt) + 1)
    return count / len(doubt), np.cumsum(even(errors, doubt)[np.argsort(doubt, kind="stable")]) / count


def aurc(errors: NDArray[Any], doubt: NDArray[np.floating]) -> float:
    """Area under the risk-coverage curve (Geifman et al., ICLR 2019): lower is better."""
    return float(risk_coverage(errors, doubt)[1].mean())
