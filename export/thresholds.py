"""Choose thresholds and calibration (Platt scaling) on validation pictures, with the int8 model's own outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import Calibration, Thresholds
from edge.postprocess.model_outputs import calibrate
from export.lesion_overlap import dice, match_lesions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from export.predict import Predictions
    from export.training_run import HeldOutPictures

    Floats = NDArray[np.float64]

REFUSALS, REFUSALS_STATED = 0.015, 0.001
"""Shares of validation pictures that the anatomy gate may refuse: where nobody says what is scanned, and where
configuration or DICOM says that it is this part."""
EMPTY_SUSPICIOUS = 0.1
"""Share of phantoms without a lesion that may reach the operating point."""
MIN_AREA = 0.001
"""Smallest lesion as a share of the tensor: 25 pixels of 160 x 160, about one and a half mask cells."""
LEVELS = tuple(level / 20 for level in range(6, 17))
"""Mask levels that are tried as the lesion threshold: 0.30 to 0.80."""
FALSE_LESION_COST = 0.5
"""Hits that a false lesion in each picture would have to bring to be worth it."""


def fit_thresholds(
    predictions: Predictions, pictures: HeldOutPictures, empty: Predictions, resolution: float
) -> tuple[Thresholds, Calibration]:
    """Choose all thresholds of a bundle and fit its calibration.

    Args:
        predictions: of ``pictures``, from the int8 model.
        pictures: for validation: never trained on.
        empty: predictions of phantoms without a lesion.
        resolution: smallest step of an output.
    """
    labels = pictures.labels
    calibration = fit_platt(predictions.malignancy, labels, resolution)
    p, p_empty = (calibrated(each.malignancy, calibration, resolution) for each in (predictions, empty))
    level, score = lesion_thresholds(predictions, pictures)
    point, sensitivity, specificity = operating_point(p, labels, p_empty)
    thresholds = Thresholds(
        lesion=level,
        lesion_score=score,
        lesion_min_area=MIN_AREA,
        malignancy=point,
        operating_point=(
            f"the calibrated probability with the largest sum of sensitivity ({sensitivity:.2f}) and specificity "
            f"({specificity:.2f}) by picture (Youden's J) on {len(labels)} validation pictures, "
            f"{int((labels == 1).sum())} of them malignant, among those that at most {EMPTY_SUSPICIOUS:.0%} of "
            f"{len(p_empty)} phantoms without a lesion reach; with the int8 model's outputs"
        ),
        prevalence=round(float((labels == 1).mean()), 4),
        **anatomy_limits(predictions.anatomy),
        uncertain=None,
    )
    return thresholds, calibration


def calibrated(
    q: Floats, calibration: Calibration, resolution: float, masks: NDArray[np.float32] | None = None
) -> Floats:
    """Calibrate probabilities (n,) with `edge.postprocess.model_outputs.calibrate`, as the device does; (n,).

    ``masks``: (n, h, w) presence of lesion from 0 to 1, which a calibration may weigh; None: a lesion is in each.
    """
    presence = np.ones(len(q)) if masks is None else masks.reshape(len(masks), -1).max(axis=1).clip(0, 1)
    return np.array(
        [calibrate(float(each), calibration, resolution, float(s)) for each, s in zip(q, presence, strict=True)]
    )


def fit_platt(q: Floats, labels: NDArray[np.int8], resolution: float) -> Calibration:
    """Fit Platt scaling: slope and intercept that make sigmoid(slope * logit(q) + intercept) likeliest (Platt 1999).

    ``q``: (n,) float64 probabilities of malignancy. ``labels``: (n,) int8, 0 benign, 1 malignant.
    Targets are Platt's, drawn in from 0 and 1 by the number of pictures, so that separable data ends too. Newton's
    method; outputs of exactly 0 or 1 are taken half a step inside, as on the device.
    """
    clipped = np.clip(q, resolution / 2, 1 - resolution / 2)
    x = np.stack((np.log(clipped / (1 - clipped)), np.ones(len(q))), axis=1)
    ill, well = float((labels == 1).sum()), float((labels == 0).sum())
    target = np.where(labels == 1, (ill + 1) / (ill + 2), 1 / (well + 2))
    w = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ w))
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, x.T @ (target - p))
        w = w + step * min(1.0, 2.0 / float(np.abs(step).max() + 1e-12))
    return Calibration(slope=round(float(w[0]), 5), intercept=round(float(w[1]), 5))


def operating_point(p: Floats, labels: NDArray[np.int8], p_empty: Floats) -> tuple[float, float, float]:
    """Choose the threshold with the largest sum of sensitivity and specificity (Youden, Cancer 3:32, 1950).

    Returns the threshold, its sensitivity and its specificity.

    Of a picture without a lesion the malignancy head knows nothing and says about the mean. A threshold under that
    would turn every such picture into one that the heads disagree on, and "no lesion" could never be said: so only
    thresholds count that at most `EMPTY_SUSPICIOUS` of such pictures (``p_empty``) reach. The threshold is put
    halfway to the next lower value that occurs, so that rounding on another machine flips no picture.
    """
    floor = np.sort(p_empty)[int(np.ceil((1 - EMPTY_SUSPICIOUS) * len(p_empty))) - 1]
    values = np.unique(p)
    values = values[values > floor] if (values > floor).any() else values[-1:]
    sensitivity = np.array([(p[labels == 1] >= value).mean() for value in values])
    specificity = np.array([(p[labels == 0] < value).mean() for value in values])
    best = int(np.argmax(sensitivity + specificity))
    lower = max(p[p < values[best]].max(initial=0.0), min(floor, values[best]))
    return round(float((values[best] + lower) / 2), 6), float(sensitivity[best]), float(specificity[best])


def lesion_thresholds(predictions: Predictions, pictures: HeldOutPictures) -> tuple[float, float]:
    """Choose the mask level with the best mean Dice, and the least score with most hits less false lesions' cost."""
    masks, truths = predictions.mask, pictures.masks

    def mean_dice(level: float) -> float:
        return float(np.mean([dice(m, t, level) for m, t in zip(masks, truths, strict=True)]))

    level = max(LEVELS, key=mean_dice)
    all_lesions = Thresholds(
        lesion=level,
        lesion_score=0.0,
        lesion_min_area=MIN_AREA,
        malignancy=0.5,
        operating_point="",
        prevalence=0.5,
        anatomy=0.5,
    )
    found = [match_lesions(m, t, all_lesions) for m, t in zip(masks, truths, strict=True)]

    def worth(score: float) -> float:
        kept = [each.with_min_score(score) for each in found]
        return float(np.mean([each.hit - FALSE_LESION_COST * each.false_lesions for each in kept]))

    scores = [round(float(s), 3) for s in np.arange(level, 0.95, 0.01)]
    return level, max(scores, key=worth)


def anatomy_limits(anatomy: Floats) -> dict[str, float]:
    """Both limits of the anatomy gate, as `Thresholds` names them, by scores of validation pictures."""
    return {"anatomy": anatomy_threshold(anatomy), "anatomy_stated": anatomy_threshold(anatomy, REFUSALS_STATED)}


def anatomy_threshold(anatomy: Floats, refusals: float = REFUSALS) -> float:
    """Highest threshold of the anatomy gate that refuses at most a share of these pictures, all of the body part."""
    ranked = np.sort(anatomy)
    last = ranked[int(np.floor(refusals * len(ranked)))]
    lower = anatomy[anatomy < last]
    return round(float((last + lower.max()) / 2 if len(lower) else last / 2), 6)
