"""Calibration and operating point fitted out of source: on pictures of hospitals and scanners that no model saw.

READ `fit_device` FIRST: it is the whole of what a device is given. `judge_left_out` tells what that is worth: each
stranger split is judged by what was fitted on the others, with every picture of its patients left out of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration, Thresholds
from training.evaluation.found_lesions import MIN_AREA
from training.evaluation.logistic_regression import fit, logit, sigmoid, soft_targets
from training.evaluation.metrics import ece, log_loss
from training.evaluation.stranger_splits import pool
from training.evaluation.uncertain_calls import uncertain_interval

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from training.evaluation.stranger_splits import CalibrationRows, StrangerSplit

    Floats = NDArray[np.float64]

Way = Literal["none", "temperature", "platt"]
WAYS: tuple[Way, ...] = ("none", "temperature", "platt")
"""Ways to calibrate, the simplest first."""
TOLERANCE = 0.001
"""Nats of log loss that a simpler calibration may cost."""
SENSITIVITY = 0.90
"""Least sensitivity at the operating point, where nothing else is wanted."""
MAX_DISAGREEMENT = 0.02
"""Share of pictures without a lesion that may be `heads_disagree` in the fit; of others it may be more."""
PRESENCE_STEP, MAX_PRESENCE = 0.5, 8.0
"""Weights of the presence that are tried, in log odds: the smallest that is enough is taken."""


@dataclass(frozen=True)
class FitRecipe:
    """How a device's calibration and operating point are fitted."""

    way: Way
    presence: bool
    """Whether the presence of a lesion may weigh malignancy."""
    step: float
    """Smallest step of the malignancy output."""
    sensitivity: float = SENSITIVITY
    """Least sensitivity at the operating point."""


@dataclass(frozen=True)
class DeviceFit:
    """Calibration, operating point and interval that a device would be given, and how they were found."""

    calibration: Calibration
    threshold: float
    youden: float
    uncertain: tuple[float, float]


def apply_device(calibration: Calibration, rows: CalibrationRows, step: float) -> Floats:
    """Calibrated malignancy (n,), as `edge.postprocess.model_outputs.calibrate` computes it for one picture."""
    z = calibration.slope * logit(rows.malignancy, step) + calibration.intercept
    return sigmoid(z + calibration.presence * (rows.presence - 1))


def fit_slope(way: Way, known: CalibrationRows, step: float, presence: float) -> Calibration:
    """Fit slope and intercept on pictures with a lesion, as far as ``way`` lets them move; ``presence`` is given."""
    z, away = logit(known.malignancy, step), presence * (known.presence - 1)
    if way == "none":
        return Calibration(presence=presence)
    x = z[:, None] if way == "temperature" else np.stack([z, np.ones(len(z))], axis=1)
    w = fit(x, soft_targets(known.labels, known.weights), weights=known.weights, offset=away)
    intercept = round(float(w[1]), 5) if way == "platt" else 0.0
    return Calibration(slope=round(float(w[0]), 5), intercept=intercept, presence=presence)


def disagreement(calibration: Calibration, empty: CalibrationRows, threshold: float, step: float) -> float:
    """Share of pictures without a lesion (by weight) that are `heads_disagree`: suspicious, and none is found."""
    if not len(empty):
        return 0.0
    suspicious = apply_device(calibration, empty, step) >= threshold
    return float(empty.weights[suspicious & ~empty.found].sum() / empty.weights.sum())


def threshold_at_sensitivity(p: Floats, labels: NDArray[np.integer], weights: Floats, wanted: float) -> float:
    """Highest threshold that the share ``wanted`` of the cancers' weight reaches; arrays (n,). Halfway to the next."""
    ill = labels == 1
    order = np.argsort(-p[ill], kind="stable")
    reached = np.cumsum(weights[ill][order])
    level = float(p[ill][order][min(len(order) - 1, int(np.searchsorted(reached, wanted * reached[-1] - 1e-9)))])
    lower = p[p < level]
    return float((level + lower.max()) / 2) if len(lower) else level


def youden_threshold(p: Floats, labels: NDArray[np.integer], weights: Floats) -> float:
    """Threshold with the largest sum of sensitivity and specificity, by weight; arrays (n,). Halfway to the next."""
    levels = np.unique(p)
    place = np.searchsorted(levels, p)
    ill = np.bincount(place, weights * (labels == 1), len(levels))
    well = np.bincount(place, weights * (labels == 0), len(levels))
    sensitivity = 1 - (np.cumsum(ill) - ill) / ill.sum()
    specificity = (np.cumsum(well) - well) / well.sum()
    best = int(np.argmax(sensitivity + specificity))
    return float((levels[best] + levels[best - 1]) / 2) if best else float(levels[0])


def fit_device(rows: CalibrationRows, recipe: FitRecipe) -> DeviceFit:
    """Fit what a device is given: calibration, operating point, interval. Each picture counts once (`pool`).

    They are fitted on pictures with a lesion in which the mask finds one: only there a malignancy is called. A cancer
    that the mask misses can be called suspicious by no threshold, and would only draw it down.

    Where presence may weigh, its weight is the smallest with which at most `MAX_DISAGREEMENT` of the pictures
    without a lesion are `heads_disagree`: the larger it is, the more cancers that the mask misses are called clear.

    Raises ConfigError where the pictures do not hold both classes.
    """
    known, empty = rows.take(rows.known & rows.found), rows.take(~rows.known)
    if not {0, 1} <= set(known.labels.tolist()):
        raise ConfigError(
            f"expected benign and malignant findings to calibrate on, got labels {sorted(set(known.labels.tolist()))}",
            hint="give stranger splits of both data sets: a split is judged without any of its patients",
        )
    weights = np.arange(0.0, MAX_PRESENCE + PRESENCE_STEP, PRESENCE_STEP) if recipe.presence else np.zeros(1)
    for weight in weights.tolist():
        calibration = fit_slope(recipe.way, known, recipe.step, weight)
        p = apply_device(calibration, known, recipe.step)
        threshold = round(threshold_at_sensitivity(p, known.labels, known.weights, recipe.sensitivity), 6)
        if disagreement(calibration, empty, threshold, recipe.step) <= MAX_DISAGREEMENT:
            break
    return DeviceFit(
        calibration=calibration,
        threshold=threshold,
        youden=round(youden_threshold(p, known.labels, known.weights), 6),
        uncertain=uncertain_interval(p, known.weights, threshold),
    )


def fit_without(splits: Sequence[StrangerSplit], groups: Collection[str], recipe: FitRecipe) -> DeviceFit:
    """What a device would be given, fitted on all splits without the patients ``groups``."""
    return fit_device(pool(splits, groups), recipe)


def can_be_left_out(splits: Sequence[StrangerSplit]) -> bool:
    """Whether benign and malignant pictures remain to fit on, whichever split is left out with all of its patients."""
    remain = [pool(splits, set(split.rows.groups.tolist())) for split in splits]
    return bool(remain) and all({0, 1} <= set(rows.labels[rows.found].tolist()) for rows in remain)


def left_out_fits(splits: Sequence[StrangerSplit], recipe: FitRecipe) -> list[DeviceFit]:
    """Fits of the other splits, one for each split, without any picture of its patients."""
    return [fit_without(splits, set(split.rows.groups.tolist()), recipe) for split in splits]


@dataclass(frozen=True)
class FitChoice:
    """How a device's calibration is fitted, chosen by stranger splits that each fit was left without."""

    recipe: FitRecipe
    losses: dict[Way, float]
    """By way: mean log loss on the findings with a lesion of the split left out."""
    eces: dict[Way, float]
    """By way: mean calibration error there."""
    disagreement: tuple[float, float]
    """Mean share of `heads_disagree` among pictures without a lesion: without weighing presence, and with."""

    def describe(self) -> str:
        """Say for people what was chosen and why."""
        without, weighed = self.disagreement
        why = (
            f"presence of a lesion weighs malignancy, no more than it must: without it {without:.0%} of pictures "
            f"without a lesion would be heads_disagree ({weighed:.1%} with it)"
            if self.recipe.presence
            else f"presence of a lesion does not weigh malignancy ({without:.1%} of pictures without a lesion are "
            "heads_disagree)"
        )
        return (
            f"{self.recipe.way}, the simplest whose mean log loss on the split left out of its fit is within "
            f"{TOLERANCE} of the best; {why}"
        )


def choose_recipe(splits: Sequence[StrangerSplit], step: float, sensitivity: float = SENSITIVITY) -> FitChoice:
    """Choose the simplest way that is nearly the best on splits left out, and whether presence has to weigh.

    It has to where more than `MAX_DISAGREEMENT` of the pictures without a lesion would be `heads_disagree`.
    """
    plain = FitRecipe("platt", False, step, sensitivity)
    plain = replace(plain, way=_compare_ways(splits, plain)[0])
    without = _left_out_disagreement(splits, plain)
    chosen = replace(plain, presence=without > MAX_DISAGREEMENT)
    way, compared = _compare_ways(splits, chosen)
    chosen = replace(chosen, way=way)
    losses, eces = ({name: pair[k] for name, pair in compared.items()} for k in (0, 1))
    return FitChoice(chosen, losses, eces, (without, _left_out_disagreement(splits, chosen)))


def _compare_ways(splits: Sequence[StrangerSplit], recipe: FitRecipe) -> tuple[Way, dict[Way, tuple[float, float]]]:
    """The simplest way that is nearly the best; mean log loss and ECE of each on the splits left out."""
    compared: dict[Way, tuple[float, float]] = {}
    for way in WAYS:
        figures = []
        for split, found in zip(splits, left_out_fits(splits, replace(recipe, way=way)), strict=True):
            known = split_rows(split, lesion=True)
            known = known.take(known.found)
            p = apply_device(found.calibration, known, recipe.step)
            figures.append((log_loss(known.labels, p), ece(known.labels, p)))
        loss, error = np.mean(figures, axis=0).tolist()
        compared[way] = (float(loss), float(error))
    best = min(loss for loss, _ in compared.values())
    return next(way for way in WAYS if compared[way][0] <= best + TOLERANCE), compared


def _left_out_disagreement(splits: Sequence[StrangerSplit], recipe: FitRecipe) -> float:
    """Mean share of `heads_disagree` among pictures without a lesion, over splits left out; 0 without any."""
    shares = []
    for split, found in zip(splits, left_out_fits(splits, recipe), strict=True):
        empty = split_rows(split, lesion=False)
        if len(empty):
            shares.append(disagreement(found.calibration, empty, found.threshold, recipe.step))
    return float(np.mean(shares)) if shares else 0.0


def split_rows(split: StrangerSplit, lesion: bool) -> CalibrationRows:
    """One split's pictures with a lesion, or its pictures and crops without."""
    rows = pool([split])
    return rows.take(rows.known == lesion)


def device_thresholds(found: DeviceFit, lesion: Thresholds, prevalence: float, origin: str) -> Thresholds:
    """Thresholds of a manifest: the lesion's as they are in ``lesion``, operating point and interval as fitted."""
    return msgspec.structs.replace(
        lesion,
        lesion_min_area=MIN_AREA,
        malignancy=found.threshold,
        operating_point=origin,
        prevalence=prevalence,
        uncertain=found.uncertain,
    )
