"""Choose what a bundle is calibrated by and write ``calibration.json``: out of source where stranger splits are given.

The lesion's thresholds are chosen at home: how well a mask fits is told by any hospital's pictures, and a run's own are
the most. Calibration and operating point are fitted on the stranger splits (`training.evaluation.out_of_source`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError
from training.evaluation.calibration import choose_calibration, resolution
from training.evaluation.calibration_file import (
    FILE,
    CalibrationCandidate,
    CalibrationFile,
    OperatingPoint,
    StrangerResult,
    load_calibration,
)
from training.evaluation.held_out_predictions import INT8, load_held_out, read_int8
from training.evaluation.metrics import ece, log_loss
from training.evaluation.out_of_source import (
    SENSITIVITY,
    WAYS,
    apply_device,
    choose_recipe,
    device_thresholds,
    disagreement,
    fit_device,
    left_out_fits,
    split_rows,
)
from training.evaluation.stranger_splits import load_stranger, pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.evaluation.out_of_source import DeviceFit, FitChoice
    from training.evaluation.stranger_splits import CalibrationRows, StrangerSplit

    Floats = NDArray[np.float64]


def write_calibration(
    run: Path, int8: bool, strangers: Sequence[Path] = (), sensitivity: float = SENSITIVITY
) -> CalibrationFile:
    """Choose calibration and thresholds and write ``calibration.json`` into the run's folder.

    ``run`` may also be a ``calibration.json``: what was chosen at home is kept, and the file is written anew.
    ``strangers``: runs tested on hospitals or scanners that they never saw; without them everything is chosen on the
    run's own held-out pictures. ``sensitivity``: wanted at the operating point, out of source.

    Raises ConfigError for int8 outputs of a single run, and where files are missing or do not fit.
    """
    if run.is_file():
        found, target = read_home(run, "int8" if int8 else "float"), run
    else:
        found, target = choose_home(run, int8), run / FILE
    if strangers:
        splits = [load_stranger(path, int8, found.thresholds) for path in strangers]
        found = out_of_source(found, splits, sensitivity)
    target.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return found


def read_home(path: Path, outputs: str) -> CalibrationFile:
    """Read what was chosen at home from a ``calibration.json``: the lesion's thresholds, the calibration at home.

    Raises ConfigError for a file that is none, or one of other outputs.
    """
    found = load_calibration(path)
    if found.outputs != outputs:
        raise ConfigError(
            f"{path} is of {found.outputs} outputs, expected {outputs}",
            hint="give --int8 for int8 outputs, else leave it",
        )
    return found if found.home is None else msgspec.structs.replace(found, calibration=found.home, home=None)


def choose_home(run: Path, int8: bool) -> CalibrationFile:
    """Choose everything on a run's own held-out pictures.

    Raises ConfigError for int8 outputs of a single run, and where files are missing or do not fit.
    """
    held = load_held_out(run)
    rows = held.selection
    if int8:
        if held.folds < 2:
            raise ConfigError(
                "int8 outputs are kept of test pictures, and those of one run are for judging",
                hint="calibrate a cross-validation, or leave --int8 away",
            )
        rows = read_int8(run / INT8, rows)
    origin = (
        f"out-of-fold predictions of {held.folds} folds" if held.folds > 1 else "validation pictures of one run"
    ) + (", quantised models" if int8 else "")
    return choose_calibration(rows, origin, "int8" if int8 else "float")


def out_of_source(
    home: CalibrationFile, splits: Sequence[StrangerSplit], sensitivity: float = SENSITIVITY
) -> CalibrationFile:
    """Replace what was fitted at home by what is fitted on the stranger splits; the lesion's thresholds stay."""
    step = resolution(home.outputs)
    choice = choose_recipe(splits, step, sensitivity)
    rows = pool(splits)
    found = fit_device(rows, choice.recipe)
    known, empty = rows.take(rows.known & rows.found), rows.take(~rows.known)
    p, p_empty = (apply_device(found.calibration, each, step) for each in (known, empty))
    ill = known.labels == 1
    prevalence = round(float(known.weights[ill].sum() / known.weights.sum()), 4)
    points = [
        _operating_point(name, limit, p, p_empty, known, empty)
        for name, limit in (
            (f"sensitivity_{100 * sensitivity:.0f}", found.threshold),
            ("youden", found.youden),
            ("even", 0.5),
        )
    ]
    low, high = found.uncertain
    certain, wrong = (p <= low) | (p >= high), (p >= found.threshold) != ill
    names = ", ".join(split.name for split in splits)
    method = _method(choice, known, empty, names, home.outputs)
    return msgspec.structs.replace(
        home,
        calibration=msgspec.structs.replace(found.calibration, method=_for_card(method, home)),
        home=home.calibration,
        thresholds=device_thresholds(
            found, home.thresholds, prevalence, _describe(points[0], sensitivity, home, names)
        ),
        method=method,
        prevalence=prevalence,
        n=len(set(known.ids.tolist())),
        groups=len(set(known.groups.tolist())),
        sources={s: _count(splits, s) for s in sorted({s for split in splits for s in split.rows.sources.tolist()})},
        candidates=_candidates(choice),
        operating_points=points,
        strangers=[
            _result(split, fitted, step)
            for split, fitted in zip(splits, left_out_fits(splits, choice.recipe), strict=True)
        ],
        judged=round(float(known.weights[certain].sum() / known.weights.sum()), 4),
        error_judged=round(float(np.average(wrong[certain], weights=known.weights[certain])), 4),
        error_all=round(float(np.average(wrong, weights=known.weights)), 4),
    )


def _method(choice: FitChoice, known: CalibrationRows, empty: CalibrationRows, names: str, outputs: str) -> str:
    """How it was fitted and on what, for people."""
    n, groups, without = (len(set(values.tolist())) for values in (known.ids, known.groups, empty.ids))
    return (
        f"out of source: {choice.describe()}; fitted on {n} pictures of {groups} patients in which a lesion is found "
        f"(each counts once, {len(known)} outputs) and {without} pictures or crops without a lesion, each judged by "
        f"models that never saw its hospital or scanner: {names}" + (", quantised models" if outputs == "int8" else "")
    )


def _describe(point: OperatingPoint, sensitivity: float, home: CalibrationFile, names: str) -> str:
    """How the operating point was chosen, for people."""
    _, _, lesion = home.thresholds.operating_point.partition("; ")
    return (
        f"the highest calibrated probability that {sensitivity:.0%} of malignant findings reach (specificity "
        f"{point.specificity:.2f} there), by models that never saw their hospital or scanner ({names}), on the "
        f"pictures that it was chosen on; {lesion}"
    )


def _for_card(method: str, home: CalibrationFile) -> str:
    at_home = home.calibration
    return (
        f"{method}. Fitted at home, on hospitals that the models know, it would be slope {at_home.slope:.3f}, "
        f"intercept {at_home.intercept:.3f}; that is not used"
    )


def _operating_point(
    name: str, limit: float, p: Floats, p_empty: Floats, known: CalibrationRows, empty: CalibrationRows
) -> OperatingPoint:
    """Rates at a threshold on the pictures that it was chosen on, each counted once."""
    ill = known.labels == 1

    def share(chosen: NDArray[np.bool_], rows: NDArray[np.bool_], weights: Floats) -> float:
        return round(float(weights[chosen & rows].sum() / weights[rows].sum()), 4)

    every = np.ones(len(empty), bool)
    return OperatingPoint(
        name=name,
        threshold=limit,
        sensitivity=share(p >= limit, ill, known.weights),
        specificity=share(p < limit, ~ill, known.weights),
        empty_suspicious=share(p_empty >= limit, every, empty.weights) if len(empty) else None,
    )


def _candidates(choice: FitChoice) -> list[CalibrationCandidate]:
    return [
        CalibrationCandidate(name=name, log_loss=choice.losses[name], ece=choice.eces[name], ships=True)
        for name in WAYS
    ]


def _count(splits: Sequence[StrangerSplit], source: str) -> int:
    """Pictures of one data set with a lesion that is found, each counted once."""
    ids = set()
    for split in splits:
        chosen = split.pictures.known & split.pictures.found & (split.rows.sources == source)
        ids |= set(split.rows.ids[chosen].tolist())
    return len(ids)


def _result(split: StrangerSplit, found: DeviceFit, step: float) -> StrangerResult:
    known, empty = split_rows(split, lesion=True), split_rows(split, lesion=False)
    p = apply_device(found.calibration, known, step)
    ill = known.labels == 1
    return StrangerResult(
        name=split.name,
        calibration=found.calibration,
        threshold=found.threshold,
        n=len(known),
        sensitivity=round(float((p >= found.threshold)[ill].mean()), 4),
        specificity=round(float((p < found.threshold)[~ill].mean()), 4),
        ece=round(ece(known.labels, p), 4),
        log_loss=round(log_loss(known.labels, p), 4),
        heads_disagree=round(disagreement(found.calibration, empty, found.threshold, step), 4) if len(empty) else None,
    )
