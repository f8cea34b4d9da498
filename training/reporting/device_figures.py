"""Figures of the report about what a device would be given and would say: fitted and judged out of source."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.calibration import resolution
from training.evaluation.delivered import (
    ECE_ROUNDS,
    DeviceRecipe,
    by_source,
    figures,
    goals,
    judge_folds,
    judge_stranger,
)
from training.evaluation.found_lesions import find_lesions_at
from training.evaluation.metrics import weighted_ece
from training.evaluation.out_of_source import choose_recipe
from training.evaluation.write_calibration import out_of_source
from training.reporting.metric_tables import CalibratedCalls, headline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.evaluation.calibration_file import CalibrationFile
    from training.evaluation.delivered import DeliveredGoal, Judged
    from training.evaluation.gate_scores import GateScores
    from training.evaluation.held_out_predictions import HeldOutSet
    from training.evaluation.stranger_splits import StrangerSplit


@dataclass(frozen=True, eq=False)
class DeviceReport:
    """What a device would be given, judged on the folds and on each stranger split."""

    chosen: CalibrationFile
    folds: Judged
    strangers: list[Judged]
    goals: list[DeliveredGoal]
    figures: dict[str, Any]
    """``delivered``: `training.evaluation.delivered.figures` of each; ``goals``: each goal, and whether it is met."""


def device_report(
    held: HeldOutSet,
    home: CalibrationFile,
    splits: Sequence[StrangerSplit],
    gate: GateScores | None,
    sensitivity: float,
    log: Callable[[str], None],
) -> DeviceReport:
    """Fit what a device would be given on the stranger splits, and judge the folds and each split by it.

    ``held`` has the outputs that ``home`` was chosen on, float or int8. ``gate``: scores of an anatomy gate that takes
    part; None: the runs' own, where they have one. ``sensitivity``: wanted at the operating point.
    """
    if gate is not None:
        held = gate.add_to_set(held)
        splits = [replace(split, rows=gate.add_to(split.rows)) for split in splits]
        home = msgspec.structs.replace(
            home, thresholds=msgspec.structs.replace(home.thresholds, anatomy=gate.threshold)
        )
    choice = choose_recipe(splits, resolution(home.outputs), sensitivity)
    recipe = DeviceRecipe(choice.recipe, home.outputs, home.thresholds)
    log("folds, as a device would judge them")
    folds = judge_folds(held, splits, recipe)
    strangers = []
    for split in splits:
        log(f"{split.name}, as a device would judge it")
        strangers.append(judge_stranger(split, splits, recipe))
    delivered = [{"kind": "home", **figures(each)} for each in by_source(folds)]
    delivered += [
        {"kind": "stranger", **figures(each), **_origin(split)} for each, split in zip(strangers, splits, strict=True)
    ]
    wanted = goals(delivered)
    found = {"delivered": delivered, "goals": [{**asdict(each), "met": each.met} for each in wanted]}
    return DeviceReport(out_of_source(home, splits, sensitivity), folds, strangers, wanted, found)


def _origin(split: StrangerSplit) -> dict[str, str]:
    tested = ", ".join(sorted(set(split.rows.sources.tolist())))
    return {
        "validated_on": split.learnt_from,
        "tested_on": tested,
        "devices": split.devices,
        "outputs": split.outputs,
    }


def stranger_headline(report: DeviceReport, name: str) -> list[dict[str, Any]]:
    """Main metrics of one stranger split, calibrated by what was fitted on the others, by data set."""
    place = next(i for i, each in enumerate(report.strangers) if each.name == name)
    judged, limits = report.strangers[place], report.chosen.thresholds
    rows, p = judged.rows, judged.verdicts.p
    known = rows.take(rows.known)
    points = {"even": np.full(len(rows), 0.5), "youden": judged.youden}
    found = find_lesions_at(rows, limits.lesion, limits.lesion_score)
    calls = CalibratedCalls(p, points, np.zeros((len(rows), 2)), found)
    error = BootstrapSamples(known.groups, rounds=ECE_ROUNDS).weighted(
        partial(weighted_ece, known.labels, p[rows.known]), len(known)
    )
    origin = next(each for each in report.figures["delivered"] if each["name"] == name)
    told = {key: origin[key] for key in ("validated_on", "devices", "outputs")}
    return [{"run": name, **told, "ece": error, **row} for row in headline(rows, calls, shipped=(p, judged.limits))]
