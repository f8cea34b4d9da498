"""Metrics of a segmentation: Dice, IoU, recall and precision by class, with 95 % intervals over patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.classify.metrics import with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANY_SHARE = 0.001
"""Share of a picture's pixels from which a class counts as found in it."""


def dice_by_picture(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Dice of each class in each picture, (n, k) of pixel counts (n, k, k); NaN where it is neither there nor found."""
    right = np.diagonal(counts, axis1=1, axis2=2).astype(np.float64)
    total = counts.sum(axis=2) + counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        values: NDArray[np.float64] = np.where(total > 0, 2 * right / total, np.nan)
    return values


def mean_dice(counts: NDArray[np.int64]) -> float:
    """Mean over classes but the background of their mean Dice over the pictures that hold them; NaN without any."""
    each, there = dice_by_picture(counts), counts.sum(axis=2) > 0
    parts = [each[:, k][there[:, k]] for k in range(1, counts.shape[1])]
    means = [float(part.mean()) for part in parts if len(part)]
    return float(np.mean(means)) if means else float("nan")


def mask_metrics(
    counts: NDArray[np.int64], groups: Sequence[str], classes: Sequence[str], rounds: int = 1000
) -> dict[str, dict[str, float]]:
    """Metrics with intervals, of every class but the background and as means over them.

    ``dice`` is the mean over the pictures that hold the class, and so is ``missed``, the share in which none of it is
    found; ``found elsewhere`` is the share of the other pictures in which it is. ``pixel recall``, ``pixel precision``
    and ``iou`` are of all pixels together. ``counts``: (n, k, k), rows are the truth.
    """
    truth, called = counts.sum(axis=2), counts.sum(axis=1)
    each, pixels = dice_by_picture(counts), counts[0].sum()
    figures: dict[str, dict[str, float]] = {}
    there = truth > 0
    figures["dice macro"] = with_interval(lambda r: mean_dice(counts[r]), groups, rounds)
    figures["pixel accuracy"] = with_interval(
        lambda r: float(np.trace(counts[r].sum(axis=0)) / counts[r].sum()), groups, rounds
    )
    for k, name in enumerate(classes):
        if k == 0:
            continue
        found = called[:, k] >= ANY_SHARE * pixels
        right, wanted, given = counts[:, k, k], truth[:, k], called[:, k]
        holds = there[:, k]
        figures |= {
            f"dice {name}": _mean(each[:, k], holds, groups, rounds),
            f"iou {name}": _ratio(right, wanted + given - right, groups, rounds),
            f"pixel recall {name}": _ratio(right, wanted, groups, rounds),
            f"pixel precision {name}": _ratio(right, given, groups, rounds),
            f"missed {name}": _mean((~found).astype(float), holds, groups, rounds),
            f"found elsewhere {name}": _mean(found.astype(float), ~holds, groups, rounds),
        }
    return {name: figure for name, figure in figures.items() if np.isfinite(figure["value"])}


def _mean(
    values: NDArray[np.float64], chosen: NDArray[np.bool_], groups: Sequence[str], rounds: int
) -> dict[str, float]:
    """Mean over the chosen pictures, whose groups are drawn; n is their number."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return {"value": float("nan"), "low": float("nan"), "high": float("nan"), "n": 0}
    part = values[rows]
    return with_interval(lambda r: float(part[r].mean()), [groups[i] for i in rows.tolist()], rounds)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64], groups: Sequence[str], rounds: int) -> dict[str, float]:
    def share(rows: NDArray[np.int_]) -> float:
        total = int(whole[rows].sum())
        return float(part[rows].sum() / total) if total else float("nan")

    return with_interval(share, groups, rounds)
