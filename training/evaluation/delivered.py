"""Figures as a user gets them: what a device says of folds and stranger splits, abstentions counted against it.

READ `delivered` FIRST. Calibration, operating point and interval for a picture are always fitted without its patient:
for a stranger split on the others, for a fold on the stranger splits without the fold's patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.device_verdicts import (
    device_verdicts,
    has_gate,
    lesion_rates,
    merge_verdicts,
    normal_rates,
)
from training.evaluation.metrics import weighted_ece
from training.evaluation.out_of_source import device_thresholds, fit_without

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import Thresholds
    from training.evaluation.bootstrap import MetricInterval
    from training.evaluation.device_verdicts import DeviceVerdicts
    from training.evaluation.held_out_predictions import HeldOutPredictions, HeldOutSet
    from training.evaluation.out_of_source import DeviceFit, FitRecipe
    from training.evaluation.stranger_splits import StrangerSplit

ECE_ROUNDS = 200


@dataclass(frozen=True)
class DeviceRecipe:
    """How a device's calibration and thresholds are fitted, and what is given."""

    fit: FitRecipe
    outputs: str
    """Whose outputs are judged: ``float`` or ``int8``."""
    lesion: Thresholds
    """Thresholds of the lesion and of the anatomy gate; the others are fitted."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Pictures that were judged as on a device, and what was found."""

    name: str
    rows: HeldOutPredictions
    verdicts: DeviceVerdicts
    limits: NDArray[np.float64]
    """(n,) operating point of each picture."""
    youden: NDArray[np.float64]
    """(n,) Youden's point of each picture."""
    gate: bool
    """Whether the anatomy gate took part."""


def delivered(held: HeldOutSet | None, splits: Sequence[StrangerSplit], recipe: DeviceRecipe) -> list[dict[str, Any]]:
    """Figures of each data set of the folds (if ``held`` is given) and of each stranger split, as a user gets them."""
    judged = [] if held is None else by_source(judge_folds(held, splits, recipe))
    kinds = ["home"] * len(judged) + ["stranger"] * len(splits)
    judged += [judge_stranger(split, splits, recipe) for split in splits]
    return [{"kind": kind, **figures(each)} for kind, each in zip(kinds, judged, strict=True)]


def judge_stranger(split: StrangerSplit, splits: Sequence[StrangerSplit], recipe: DeviceRecipe) -> Judged:
    """Judge a split by what was fitted on the others, with every picture of its patients left out."""
    verdicts, found = _judge(split.rows, splits, recipe)
    return _judged(split.name, split.rows, verdicts, found, recipe)


def judge_folds(held: HeldOutSet, splits: Sequence[StrangerSplit], recipe: DeviceRecipe) -> Judged:
    """Judge each fold, or a single run, by what was fitted on the stranger splits without its patients."""
    parts, limits = [], np.zeros((2, len(held.test)))
    for _, rows in held.parts:
        verdicts, found = _judge(held.test.take(rows), splits, recipe)
        parts.append((rows, verdicts))
        limits[:, rows] = np.array([[found.threshold], [found.youden]])
    gate = has_gate(held.test, recipe.lesion)
    name = "folds" if held.folds > 1 else "one fold"
    return Judged(name, held.test, merge_verdicts(parts), limits[0], limits[1], gate)


def _judge(
    rows: HeldOutPredictions, splits: Sequence[StrangerSplit], recipe: DeviceRecipe
) -> tuple[DeviceVerdicts, DeviceFit]:
    found = fit_without(splits, set(rows.groups.tolist()), recipe.fit)
    thresholds = device_thresholds(found, recipe.lesion, recipe.lesion.prevalence, "")
    return device_verdicts(rows, found.calibration, thresholds, recipe.outputs), found


def _judged(
    name: str, rows: HeldOutPredictions, verdicts: DeviceVerdicts, found: DeviceFit, recipe: DeviceRecipe
) -> Judged:
    limits, youden = (np.full(len(rows), value) for value in (found.threshold, found.youden))
    return Judged(name, rows, verdicts, limits, youden, has_gate(rows, recipe.lesion))


def by_source(judged: Judged) -> list[Judged]:
    """The same pictures, apart by data set."""
    out = []
    for source in np.unique(judged.rows.sources).tolist():
        chosen = judged.rows.sources == source
        columns = (judged.verdicts.take(chosen), judged.limits[chosen], judged.youden[chosen])
        out.append(Judged(f"{source}, {judged.name}", judged.rows.take(chosen), *columns, judged.gate))
    return out


def figures(judged: Judged) -> dict[str, Any]:
    """Figures of some judged pictures, each with its interval over patients."""
    rows, verdicts = judged.rows, judged.verdicts
    known = rows.take(rows.known)
    p, called = verdicts.p[rows.known], verdicts.over[rows.known]
    over_youden = p >= judged.youden[rows.known]
    draws = BootstrapSamples(known.groups)
    ill = known.labels == 1
    return {
        "name": judged.name,
        "pictures": len(known),
        "patients": len(set(known.groups.tolist())),
        "malignant": int(ill.sum()),
        "normals": int((~rows.known).sum()),
        "gate": judged.gate,
        "threshold": [float(judged.limits.min()), float(judged.limits.max())],
        "at_point": {
            "auc": draws.auc(known.labels, p),
            "auc_head": draws.auc(known.labels, known.malignancy),
            "sensitivity": draws.ratio(called & ill, ill),
            "specificity": draws.ratio(~called & ~ill, ~ill),
            "ece": BootstrapSamples(known.groups, rounds=ECE_ROUNDS).weighted(
                partial(weighted_ece, known.labels, p), len(known)
            ),
        },
        "at_youden": {
            "sensitivity": draws.ratio(over_youden & ill, ill),
            "specificity": draws.ratio(~over_youden & ~ill, ~ill),
        },
        "as_delivered": lesion_rates(rows, verdicts),
        "without_lesion": None if rows.known.all() else normal_rates(rows, verdicts),
    }


@dataclass(frozen=True)
class DeliveredGoal:
    """One figure that is wanted, where it was measured, and whether its value reaches the goal."""

    what: str
    where: str
    figure: MetricInterval
    wanted: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the value itself, not the whole interval, reaches the goal."""
        return self.figure.value >= self.wanted if self.at_least else self.figure.value <= self.wanted


def goals(found: Sequence[dict[str, Any]]) -> list[DeliveredGoal]:
    """Goals of calibration and abstention, from the figures of `delivered`."""
    out = []
    for each in found:
        where = each["name"]
        if each["kind"] == "home":
            out.append(DeliveredGoal("judged, as a user gets it", where, each["as_delivered"]["coverage"], 0.96, True))
        else:
            point = each["at_point"]
            out.append(DeliveredGoal("sensitivity at the operating point", where, point["sensitivity"], 0.80, True))
            out.append(DeliveredGoal("specificity at the operating point", where, point["specificity"], 0.70, True))
            out.append(DeliveredGoal("calibration error (ECE)", where, point["ece"], 0.10, False))
        if each["without_lesion"] is not None:
            share = each["without_lesion"]["heads_disagree"]
            out.append(DeliveredGoal("heads_disagree, pictures without a lesion", where, share, 0.05, False))
    return out
