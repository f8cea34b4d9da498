"""Metrics of classification, segmentation and calibration: AUC, ROC, Dice, IoU, ECE, log loss, risk-coverage curve.

Arrays are (n,), one value a picture, where nothing else is said: ``labels`` 0 or 1, scores and probabilities floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def auc(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties counted half. NaN where one class is absent.

    ``labels`` (n,) 0 or 1, ``scores`` (n,): the larger, the more positive.
    """
    positive, negative = scores[labels == 1], scores[labels == 0]
    if not len(positive) or not len(negative):
        return float("nan")
    order = np.sort(negative)
    below, upto = np.searchsorted(order, positive, "left"), np.searchsorted(order, positive, "right")
    return float((below + upto).sum() / 2 / len(positive) / len(negative))


def dice(found: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
    """Dice coefficient of two boolean masks (H, W): twice the overlap over the sum of sizes; 1 where both are empty."""
    total = int(found.sum()) + int(true.sum())
    return 1.0 if total == 0 else 2.0 * int((found & true).sum()) / total


def best_iou(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """Largest intersection over union of one connected part of ``found`` with the true lesion, both (H, W) 0/1."""
    import cv2

    count, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=4)
    wanted = true > 0
    ious = [float((wanted & (parts == i)).sum() / (wanted | (parts == i)).sum()) for i in range(1, count)]
    return max(ious, default=0.0)


def roc(labels: NDArray[np.integer], scores: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """ROC curve: false positive rate, sensitivity and threshold, from none called positive to all.

    One point for each score that occurs, after a first one at an infinite threshold.
    """
    levels = np.unique(scores)[::-1]
    ill, well = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    sensitivity = 1 - np.searchsorted(ill, levels, "left") / max(1, len(ill))
    false = 1 - np.searchsorted(well, levels, "left") / max(1, len(well))
    return np.concatenate([[0.0], false]), np.concatenate([[0.0], sensitivity]), np.concatenate([[np.inf], levels])


def threshold_for_sensitivity(labels: NDArray[np.integer], scores: NDArray[np.floating], wanted: float) -> float:
    """Highest threshold that at least the share ``wanted`` of the positives reach, half a step under a score.

    Halfway to the next lower score that occurs, so that rounding on another machine changes no call.
    """
    ill = np.sort(scores[labels == 1])[::-1]
    if not len(ill):
        return float("nan")
    level = ill[max(0, int(np.ceil(wanted * len(ill) - 1e-9)) - 1)]
    lower = scores[scores < level]
    return float((level + lower.max()) / 2 if len(lower) else level)


def youden(labels: NDArray[np.integer], scores: NDArray[np.floating], above: float = -np.inf) -> float:
    """Threshold with the largest sum of sensitivity and specificity: Youden's J (Cancer 3:32, 1950).

    Among those greater than ``above``; infinite where no score is.
    """
    false, sensitivity, levels = roc(labels, scores)
    best = int(np.argmax(np.where(levels > above, sensitivity - false, -np.inf)))
    lower = np.append(scores[scores < levels[best]], above).max()
    return float((levels[best] + lower) / 2 if np.isfinite(lower) and np.isfinite(levels[best]) else levels[best])


def reliability(
    labels: NDArray[np.integer], p: NDArray[np.floating], bins: int = 10
) -> list[tuple[float, float, float, int]]:
    """Bins of a reliability diagram, of equal width, empty ones left out.

    Each is (mean probability, share of positives, half-width of its 95 % interval, n).
    """
    place = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    out = []
    for k in range(bins):
        rows = place == k
        if n := int(rows.sum()):
            share = float((labels[rows] == 1).mean())
            out.append((float(p[rows].mean()), share, 1.96 * float(np.sqrt(share * (1 - share) / n)), n))
    return out


def ece(labels: NDArray[np.integer], p: NDArray[np.floating], bins: int = 10) -> float:
    """Expected calibration error, ECE (Naeini et al., AAAI 2015): mean gap over bins of equal width, by pictures."""
    rows = reliability(labels, p, bins)
    return float(sum(n * abs(mean - share) for mean, share, _, n in rows) / max(1, len(labels)))


def weighted_ece(
    labels: NDArray[np.integer], p: NDArray[np.floating], weights: NDArray[np.floating], bins: int = 10
) -> float:
    """`ece` of pictures (n,) of which each counts as often as ``weights`` say, as in a bootstrap draw."""
    place = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights * (p - (labels == 1)), bins)
    return float(np.abs(gap).sum() / weights.sum())


def log_loss(labels: NDArray[np.integer], p: NDArray[np.floating]) -> float:
    """Log loss: the mean negative log likelihood, in nats."""
    inside = np.clip(p, 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels == 1, np.log(inside), np.log(1 - inside))))


def mean_over_ties(errors: NDArray[Any], uncertainty: NDArray[np.floating]) -> NDArray[np.float64]:
    """Errors, each replaced by the mean of those of equal uncertainty, whose order means nothing: (n,)."""
    levels, place = np.unique(uncertainty, return_inverse=True)
    count = np.bincount(place, minlength=len(levels))
    means: NDArray[np.float64] = np.bincount(place, np.asarray(errors, float), len(levels)) / count
    return means[place]


def risk_coverage(errors: NDArray[Any], uncertainty: NDArray[np.floating]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Risk-coverage curve: coverage, and the share of errors among those judged, the most uncertain left out first."""
    count = np.arange(1, len(uncertainty) + 1)
    order = np.argsort(uncertainty, kind="stable")
    return count / len(uncertainty), np.cumsum(mean_over_ties(errors, uncertainty)[order]) / count


def aurc(errors: NDArray[Any], uncertainty: NDArray[np.floating]) -> float:
    """Area under the risk-coverage curve, AURC (Geifman et al., ICLR 2019): lower is better."""
    return float(risk_coverage(errors, uncertainty)[1].mean())
