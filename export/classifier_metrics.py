"""Metrics of a classifier on held-back pictures, whole and by class, with 95 % intervals that draw patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import Metric
from export.metrics import METHOD, ROUNDS, percentile_interval, weighted_auc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHOWN = 20
"""Most classes that have figures of their own; of more, the means say enough."""
BINS = 10


def classifier_metrics(
    int8: Floats,
    floats: Floats,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    names: Sequence[str],
    limits: Floats,
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
    weights = draw_weights(groups)
    called, sure = int8.argmax(axis=1), int8.max(axis=1)
    right, told = (called == labels).astype(np.float64), (sure >= limits[called]).astype(np.float64)
    recall, precision, f1 = by_class(weights, labels, called, len(names))
    plain = by_class(weights, labels, floats.argmax(axis=1), len(names))[2]
    auc = auc_by_class(weights, labels, int8)
    total = weights.sum(axis=1)
    figures: list[tuple[str, Floats, str]] = [
        ("accuracy", weights @ right / total, "share of pictures"),
        ("macro F1", mean_known(f1), "mean over the classes"),
        ("macro recall", mean_known(recall), "mean over the classes"),
        ("macro AUC", mean_known(auc), "mean over the classes, each against the rest"),
        ("pictures told", weights @ told / total, "share over the threshold, the rest too uncertain"),
        ("accuracy of those told", _share(weights @ (right * told), weights @ told), "share of pictures"),
        ("calibration error", calibration_error(weights, sure, right), f"ECE, {BINS} equal bins"),
    ]
    for k, name in enumerate(names if len(names) <= SHOWN else ()):
        figures += [
            (f"recall {name}", recall[:, k], "share of the class's pictures"),
            (f"precision {name}", precision[:, k], "share of its calls"),
            (f"F1 {name}", f1[:, k], "of recall and precision"),
            (f"AUC {name}", auc[:, k], "against the rest"),
        ]
    figures += [
        ("macro F1, float", mean_known(plain), "the float model"),
        ("macro F1, int8 - float", mean_known(f1) - mean_known(plain), "paired"),
    ]
    return [figure_metric(name, values, len(labels), data, how) for name, values, how in figures if is_known(values)]


def out_of_fold_metrics(
    int8: NDArray[np.floating],
    floats: NDArray[np.floating],
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    size: int,
    data: str,
) -> list[Metric]:
    """Metrics out of fold, whose classes depend on no temperature and no threshold; arrays as for the others."""
    weights, figures = draw_weights(groups), []
    called, plain = int8.argmax(axis=1), floats.argmax(axis=1)
    f1, plain_f1 = (mean_known(by_class(weights, labels, each, size)[2]) for each in (called, plain))
    right = (called == labels).astype(np.float64)
    figures = [
        ("accuracy, out of fold", weights @ right / weights.sum(axis=1), "share of pictures"),
        ("macro F1, out of fold", f1, "mean over the classes"),
        ("macro F1, int8 - float, out of fold", f1 - plain_f1, "paired"),
    ]
    return [figure_metric(name, values, len(labels), data, how) for name, values, how in figures if is_known(values)]


def share_metric(name: str, values: Floats, groups: NDArray[np.str_], data: str) -> Metric:
    """Mean of ``values`` (n,), 0 or 1, with its interval over groups."""
    weights = draw_weights(groups)
    return figure_metric(name, weights @ values / weights.sum(axis=1), len(values), data, "share of pictures")


def draw_weights(groups: NDArray[np.str_]) -> Floats:
    """How often each picture counts, (1 + rounds, n): once, then in each draw of ``groups``, (n,)."""
    rng = np.random.default_rng(1)
    names, place = np.unique(groups, return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), ROUNDS)
    return np.concatenate([np.ones((1, len(place))), drawn[:, place].astype(np.float64)])


def by_class(
    weights: Floats, labels: NDArray[np.int64], called: NDArray[np.int64], size: int
) -> tuple[Floats, Floats, Floats]:
    """Recall, precision and F1 of each class in each draw, (1 + rounds, size); NaN where a class does not occur.

    ``weights``: (1 + rounds, n), as of `draw_weights`. ``labels``, ``called``: (n,) numbers of classes.
    """
    each = np.eye(size)
    there, given = weights @ each[labels], weights @ each[called]
    right = weights @ (each[labels] * (labels == called)[:, None])
    return _share(right, there), _share(right, given), _share(2 * right, there + given)


def auc_by_class(weights: Floats, labels: NDArray[np.int64], scores: Floats) -> Floats:
    """AUC of each class against the rest in each draw, (1 + rounds, k); NaN where one of both is absent.

    ``weights``: (1 + rounds, n). ``labels``: (n,) numbers of classes. ``scores``: (n, k).
    """
    found = np.empty((len(weights), scores.shape[1]))
    for k in range(scores.shape[1]):
        figure = weighted_auc(scores[:, k], (labels == k).astype(np.int8))
        found[:, k] = [figure(draw) for draw in weights]
    return found


def calibration_error(weights: Floats, sure: Floats, right: Floats) -> Floats:
    """Expected calibration error of the highest score ``sure`` (n,) in each draw, (1 + rounds,)."""
    place = np.eye(BINS)[np.minimum((sure * BINS).astype(int), BINS - 1)]
    gap = np.abs(weights @ (place * (sure - right)[:, None])).sum(axis=1)
    return _share(gap, weights.sum(axis=1))


def mean_known(values: Floats) -> Floats:
    """Mean over the classes that have a value, (draws,) of (draws, classes); NaN where none has."""
    known = np.isfinite(values)
    means: Floats = _share(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1).astype(np.float64))
    return means


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = np.where(whole > 0, part / whole, np.nan)
    return shares


def is_known(values: Floats) -> bool:
    """Whether there is a value and an interval: a class that was never called has no precision."""
    return bool(np.isfinite(values[0]) and np.isfinite(values[1:]).any())


def figure_metric(name: str, values: Floats, n: int, data: str, how: str) -> Metric:
    """Metric of the pictures themselves (first value) and its interval over the draws that have one."""
    low, high = percentile_interval(values[1:][np.isfinite(values[1:])])
    return Metric(
        name=name,
        value=round(float(values[0]), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
        data=data,
        n=n,
        method=f"{how}; {METHOD}",
    )
