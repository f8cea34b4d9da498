"""Figures of merit, with intervals that respect patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
