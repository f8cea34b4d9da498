"""Metrics of a classifier on held-back pictures, whole and by class, with 95 % intervals that draw patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import Metric
from export.metrics import METHOD, bootstrap_interval, weighted_auc, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from export.metrics import WeightedMetric

SHOWN = 20
"""Classes that have figures of their own; of more, the means say enough."""
BINS = 10


def classifier_metrics(
    int8: NDArray[np.float64],
    floats: NDArray[np.float64],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    names: Sequence[str],
    limits: NDArray[np.float64],
    data: str,
) -> list[Metric]:
    """Metrics of the quantised model, and how far it is from the float one.

    Args:
        int8: (n, k) scores of the quantised model, calibrated.
        floats: (n, k) of the float model, calibrated alike.
        labels: (n,) numbers of the true classes.
        groups: (n,) the patient of each picture.
        names: the k labels.
        limits: (k,) threshold of each label.
        data: description of the pictures, for people.
    """
    called, size = int8.argmax(axis=1), len(names)
    told = int8.max(axis=1) >= limits[called]
    right = (called == labels).astype(np.float64)
    confused = confusion_by_weight(labels, called, size)
    plain = confusion_by_weight(labels, floats.argmax(axis=1), size)
    figures: list[tuple[str, WeightedMetric, str]] = [
        ("accuracy", weighted_mean(right), ""),
        ("macro F1", lambda w: macro_f1(confused(w)), "mean over the classes"),
        ("macro recall", lambda w: mean_known(recall(confused(w))), "mean over the classes"),
        ("macro AUC", _macro_auc(int8, labels), "mean over the classes, each against the rest"),
        ("pictures told", weighted_mean(told.astype(np.float64)), "share over the threshold; the rest too uncertain"),
        ("accuracy of those told", weighted_mean(right, told), ""),
        ("calibration error", lambda w: calibration_error(int8.max(axis=1), right, w), f"ECE, {BINS} equal bins"),
    ]
    for number, name in enumerate(names[:SHOWN] if size <= SHOWN else ()):
        figures += _of_class(number, name, confused, int8, labels)
    figures += [
        ("macro F1, float", lambda w: macro_f1(plain(w)), "the float model"),
        ("macro F1, int8 - float", lambda w: macro_f1(confused(w)) - macro_f1(plain(w)), "paired"),
    ]
    made = (_metric(name, figure, groups, data, how) for name, figure, how in figures)
    return [metric for metric in made if metric is not None]


def _of_class(
    number: int,
    name: str,
    confused: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> list[tuple[str, WeightedMetric, str]]:
    """Recall, precision, F1 and AUC of one class against the rest."""
    return [
        (f"recall {name}", lambda w: float(recall(confused(w))[number]), ""),
        (f"precision {name}", lambda w: float(precision(confused(w))[number]), ""),
        (f"F1 {name}", lambda w: float(f1(confused(w))[number]), ""),
        (f"AUC {name}", weighted_auc(scores[:, number], (labels == number).astype(np.int8)), "against the rest"),
    ]


def confusion_by_weight(
    labels: NDArray[np.int64], called: NDArray[np.int64], size: int
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Confusion matrix (size, size) as a function of a weight for each picture: rows are the truth."""
    cell = labels * size + called
    return lambda weights: np.bincount(cell, weights, size * size).reshape(size, size).astype(np.float64)


def recall(confused: NDArray[np.float64]) -> NDArray[np.float64]:
    """Recall of each class; NaN where the class is absent."""
    return _share(np.diag(confused), confused.sum(axis=1))


def precision(confused: NDArray[np.float64]) -> NDArray[np.float64]:
    """Precision of each class; NaN where it was never called."""
    return _share(np.diag(confused), confused.sum(axis=0))


def f1(confused: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of each class; NaN where it is absent and never called."""
    return _share(2 * np.diag(confused), confused.sum(axis=0) + confused.sum(axis=1))


def mean_known(values: NDArray[np.float64]) -> float:
    """Mean of the classes that have a value; NaN where none has."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def macro_f1(confused: NDArray[np.float64]) -> float:
    """Mean F1 over the classes that occur."""
    return mean_known(f1(confused))


def calibration_error(scores: NDArray[np.float64], right: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Expected calibration error of the highest score: mean distance of score and accuracy over equal bins."""
    place = np.minimum((scores * BINS).astype(int), BINS - 1)
    stated, true = (np.bincount(place, weights * values, BINS) for values in (scores, right))
    return float(np.abs(stated - true).sum() / weights.sum())


def _macro_auc(scores: NDArray[np.float64], labels: NDArray[np.int64]) -> WeightedMetric:
    each = [weighted_auc(scores[:, k], (labels == k).astype(np.int8)) for k in range(scores.shape[1])]
    return lambda weights: mean_known(np.array([figure(weights) for figure in each]))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, part / whole, np.nan)


def _metric(name: str, figure: WeightedMetric, groups: NDArray[np.str_], data: str, how: str) -> Metric | None:
    """Metric with its interval; None where there is none: a class that was never called has no precision."""
    if not np.isfinite(figure(np.ones(len(groups)))):
        return None
    value, low, high = bootstrap_interval(figure, groups)
    return Metric(
        name=name,
        value=round(value, 4),
        low=round(low, 4),
        high=round(high, 4),
        data=data,
        n=len(groups),
        method=f"{how or 'share of pictures'}; {METHOD}",
    )
