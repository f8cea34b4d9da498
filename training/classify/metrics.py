"""Metrics of a classifier's scores, with 95 % bootstrap intervals over patients, and the confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import bootstrap
from training.evaluation.metrics import auc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    RowMetric = Callable[[NDArray[np.int_]], float]
    """Metric of the rows whose numbers it is given."""


def confusion(labels: NDArray[np.int_], called: NDArray[np.int_], classes: int) -> NDArray[np.int64]:
    """Confusion matrix (classes, classes) int64: rows are the truth, columns what was called."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, called), 1)
    return table


def class_metrics(
    scores: NDArray[np.floating],
    labels: NDArray[np.int_],
    groups: Sequence[str],
    classes: Sequence[str],
    rounds: int = 1000,
    called: NDArray[np.int_] | None = None,
) -> dict[str, dict[str, float]]:
    """Metrics with intervals: accuracy, mean AUC, macro means, and recall, precision, F1 and specificity of each class.

    Args:
        scores: (n, k) probabilities.
        labels: (n,) numbers of the classes.
        groups: (n,) the patient of each picture.
        classes: their k names.
        rounds: number of bootstrap draws.
        called: (n,) the class that is called; None: the likeliest.
    """
    if called is None:
        called = scores.argmax(axis=1)
    figures: dict[str, RowMetric] = {
        "accuracy": lambda r: float((called[r] == labels[r]).mean()),
        "auc": lambda r: mean_auc(scores[r], labels[r]),
        **_macro(labels, called, len(classes)),
    }
    for number, name in enumerate(classes):
        figures |= _one_class(name, labels == number, called == number)
    return {name: with_interval(figure, groups, rounds) for name, figure in figures.items()}


def _macro(labels: NDArray[np.int_], called: NDArray[np.int_], classes: int) -> dict[str, RowMetric]:
    """Means over the classes that occur: recall, precision (of the classes that are called) and F1."""

    def counts(rows: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.int_], NDArray[np.int_]]:
        truth, call = labels[rows], called[rows]
        right = np.bincount(truth[truth == call], minlength=classes)
        return right, np.bincount(truth, minlength=classes), np.bincount(call, minlength=classes)

    def recall(rows: NDArray[np.int_]) -> float:
        right, there, _ = counts(rows)
        return float((right[there > 0] / there[there > 0]).mean())

    def precision(rows: NDArray[np.int_]) -> float:
        right, _, given = counts(rows)
        return float((right[given > 0] / given[given > 0]).mean())

    def f1(rows: NDArray[np.int_]) -> float:
        right, there, given = counts(rows)
        known = there + given > 0
        return float((2 * right[known] / (there + given)[known]).mean())

    return {"recall macro": recall, "precision macro": precision, "f1 macro": f1}


def _one_class(name: str, truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> dict[str, RowMetric]:
    return {
        f"recall {name}": lambda r: _share(truth[r] & called[r], truth[r]),
        f"specificity {name}": lambda r: _share(~truth[r] & ~called[r], ~truth[r]),
        f"precision {name}": lambda r: _share(truth[r] & called[r], called[r]),
        f"f1 {name}": lambda r: _f1(truth[r], called[r]),
    }


def with_interval(figure: RowMetric, groups: Sequence[str], rounds: int = 1000) -> dict[str, float]:
    """Value, low, high and n of a metric over rows; the interval is NaN where the metric is."""
    value = figure(np.arange(len(groups)))
    low, high = bootstrap(groups, figure, rounds) if np.isfinite(value) else (float("nan"), float("nan"))
    return {"value": value, "low": low, "high": high, "n": len(groups)}


def mean_auc(scores: NDArray[np.floating], labels: NDArray[np.int_]) -> float:
    """AUC of the second of two classes; of more, the mean over each against the rest. ``scores``: (n, k)."""
    numbers = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    each = [auc((labels == k).astype(int), scores[:, k]) for k in numbers]
    known = [value for value in each if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Format metrics as text, one line each."""
    width = max(len(name) for name in figures)
    return "\n".join(
        f"{name:{width}}  {f['value']:.4f}  ({f['low']:.4f} to {f['high']:.4f}), n = {int(f['n'])}"
        for name, f in figures.items()
    )


def confusion_text(table: NDArray[Any], classes: Sequence[str]) -> str:
    """Format the confusion matrix, (k, k), as text: rows are the truth."""
    width = max(8, *(len(name) for name in classes))
    head = " " * width + "".join(f" {name:>{width}}" for name in classes)
    rows = [
        f"{name:{width}}" + "".join(f" {n:>{width}}" for n in row) for name, row in zip(classes, table, strict=True)
    ]
    return "\n".join(["rows: truth, columns: called", head, *rows])


def _share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / whole.sum()) if whole.any() else float("nan")


def _f1(truth: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    total = truth.sum() + called.sum()
    return float(2 * (truth & called).sum() / total) if total else float("nan")
