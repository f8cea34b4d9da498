"""Collection of all metrics of a report, in the order of the page. READ `collect` FIRST: each line is one section."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError
from training.evaluation.calibration import choose_calibration
from training.evaluation.gate_scores import read_gate_scores
from training.evaluation.held_out_predictions import INT8, POOLED, HeldOutSet, load_held_out, read_int8
from training.evaluation.out_of_source import SENSITIVITY, can_be_left_out
from training.evaluation.stranger_splits import load_stranger
from training.evaluation.write_calibration import read_home
from training.reporting import descriptor_classifiers, metric_tables, perturbations, quantisation, saliency, uncertainty
from training.reporting.device_figures import device_report, stranger_headline
from training.reporting.lesion_presence import negative_control, presence_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions
    from training.reporting.device_figures import DeviceReport
    from training.reporting.metric_tables import CalibratedCalls

MISTAKES, SHOWN = 20, 6


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report: the run, and which sections are wanted."""

    run: Path
    int8: bool = False
    across: Sequence[Path] = ()
    """Runs tested on another data set than they learnt from."""
    left_out: Sequence[Path] = ()
    """Runs tested on a scanner that they never saw."""
    data: Path | None = None
    """Data sets, for the negative control."""
    model: bool = True
    """Whether the run's SavedModels predict changed pictures."""
    gate: Path | None = None
    """Scores of an anatomy gate (`training.evaluation.gate_scores`), for runs that have none."""
    home: Path | None = None
    """A ``calibration.json`` whose thresholds of the lesion are taken; None: they are chosen on the run's folds."""
    sensitivity: float = SENSITIVITY
    """Wanted at the operating point that is chosen out of source."""


@dataclass(eq=False)
class ReportData:
    """Metrics for the JSON file, and the arrays that the page draws beside them."""

    held: HeldOutSet
    calls: CalibratedCalls
    figures: dict[str, Any] = field(default_factory=dict)
    dp: NDArray[np.float64] | None = None
    """(n,) absolute difference of malignancy between float and int8 model."""
    heat: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)
    """Numbers of rows, and the saliency map (H, W) of each."""


def collect(wanted: ReportOptions, log: Callable[[str], None]) -> ReportData:
    """Collect everything that is asked for. Raises ConfigError where a run's files are missing or do not fit."""
    held = load_held_out(wanted.run)
    rows = held.test
    log(f"{len(rows)} pictures of {len(set(rows.groups.tolist()))} patients")
    out = ReportData(held, metric_tables.cross_fit(held))
    calls, found = out.calls, out.figures
    found["about"] = about(wanted, held)
    device = report_of_device(wanted, held, log)
    found["headline"] = metric_tables.headline(rows, calls, shipped=None if wanted.int8 else _shipped(device))
    found["operating_points"] = metric_tables.operating_point_metrics(rows, calls)
    found["calibration"] = metric_tables.calibration(rows, calls.p)
    found["chosen"] = msgspec.to_builtins(
        device.chosen if device else choose_calibration(held.selection, _origin(held))
    )
    found |= device.figures if device else {"delivered": [], "goals": []}
    found["subgroups"] = metric_tables.subgroups(rows, calls)
    found["presence"] = presence_metrics(rows)
    log("doubt")
    found["doubt"] = _uncertainty(rows, calls)
    log("features")
    part = rows.take(rows.known)
    found["features"] = descriptor_classifiers.compare_classifiers(
        part, calls.found.take(rows.known), calls.p[rows.known]
    )
    if wanted.int8:
        log("int8")
        after = read_int8(wanted.run / INT8, rows)
        found["int8"] = quantisation.compare(rows, after)
        out.dp = quantisation.differences(rows, after)
        if held.folds > 1:
            other = _with(held, after)
            again = metric_tables.cross_fit(other, "int8")
            found["int8"]["headline"] = metric_tables.headline(after, again, shipped=_shipped(device))
    found["across"] = [row for run in wanted.across for row in _other(run, device, log)]
    found["left_out"] = [row for run in wanted.left_out for row in _other(run, device, log)]
    if wanted.model and _has_models(wanted.run, rows):
        log("changed pictures")
        predict = perturbations.predict_by_fold(wanted.run, rows)
        places = np.flatnonzero(rows.known)
        found["altered"] = perturbations.ablation(part, lambda chosen, tensors: predict(places[chosen], tensors))
        log("saliency")
        for i in rows_for_saliency(rows, calls):
            out.heat.append((i, saliency.occlusion(_of_row(predict, i), rows.tensors[i])))
    if wanted.data is not None:
        from training.datasets import load_breast_sets

        log("negative control")
        found["presence_control"] = negative_control(wanted.run, load_breast_sets(wanted.data))
    return out


def _of_row(
    predict: Callable[[NDArray[np.int_], list[NDArray[np.uint8]]], NDArray[np.float64]], row: int
) -> Callable[[list[NDArray[np.uint8]]], NDArray[np.float64]]:
    return lambda tensors: predict(np.full(len(tensors), row), tensors)


def about(wanted: ReportOptions, held: HeldOutSet) -> dict[str, Any]:
    """Describe what was evaluated: pictures and patients by data set."""
    rows = held.test
    return {
        "run": wanted.run.name,
        "folds": held.folds,
        "pictures": len(rows),
        "patients": len(set(rows.groups.tolist())),
        "sources": {
            str(s): {
                "benign": int(((rows.sources == s) & (rows.labels == 0)).sum()),
                "malignant": int(((rows.sources == s) & (rows.labels == 1)).sum()),
                "no lesion": int(((rows.sources == s) & (rows.labels < 0)).sum()),
            }
            for s in np.unique(rows.sources)
        },
    }


def mistakes(rows: HeldOutPredictions, calls: CalibratedCalls, most: int = MISTAKES) -> list[int]:
    """Rows with the most confident wrong calls at even odds, one of each patient."""
    p = calls.p
    wrong = rows.known & ((p >= 0.5) != (rows.labels == 1))
    order = [i for i in np.argsort(-np.abs(p - 0.5)) if wrong[i]]
    seen: set[str] = set()
    out = []
    for i in order:
        if rows.groups[i] not in seen:
            seen.add(rows.groups[i])
            out.append(int(i))
    return out[:most]


def rows_for_saliency(rows: HeldOutPredictions, calls: CalibratedCalls) -> list[int]:
    """Choose rows for the saliency maps: confident and right of both classes, then confident and wrong of both."""
    out: list[int] = []
    for right in (True, False):
        for label in (1, 0):
            chosen = (rows.labels == label) & (((calls.p >= 0.5) == (label == 1)) == right)
            order = np.argsort(np.where(chosen, -np.abs(calls.p - 0.5), np.inf))[: int(chosen.sum())]
            out += [int(i) for i in order[: 2 if label else 1]]
    return out[:SHOWN]


def _uncertainty(rows: HeldOutPredictions, calls: CalibratedCalls) -> dict[str, Any]:
    part, p, limit = rows.take(rows.known), calls.p[rows.known], calls.thresholds["youden"][rows.known]
    errors = (p >= limit) != (part.labels == 1)
    parts = uncertainty.signals(part, p, limit, calls.found.score[rows.known])
    return {
        "signals": uncertainty.table(parts, errors, part.groups),
        "rule": uncertainty.abstention_rule(rows, calls.p, calls.thresholds["youden"], calls.intervals),
    }


def _origin(held: HeldOutSet) -> str:
    return f"out-of-fold predictions of {held.folds} folds" if held.folds > 1 else "validation pictures of one run"


def _with(held: HeldOutSet, test: HeldOutPredictions) -> HeldOutSet:
    parts = [(test.take(test.fold != k), np.flatnonzero(test.fold == k)) for k in np.unique(test.fold)]
    return replace(held, test=test, parts=parts)


def report_of_device(wanted: ReportOptions, held: HeldOutSet, log: Callable[[str], None]) -> DeviceReport | None:
    """What a device would be given and would say, by the outputs that are wanted.

    None without stranger splits of which each can be judged by the others, and for one run without ``wanted.home``.
    """
    strangers = [*wanted.across, *wanted.left_out]
    if not strangers or (held.folds < 2 and wanted.home is None):
        return None
    outputs: Literal["float", "int8"] = "int8" if wanted.int8 else "float"
    if wanted.int8:
        after = read_int8(wanted.run / INT8, held.test)
        held = _with(held, after) if held.folds > 1 else replace(held, test=after)
    if wanted.home is not None:
        home = read_home(wanted.home, outputs)
    else:
        home = choose_calibration(held.selection, _origin(held), outputs)
    splits = [load_stranger(run, wanted.int8 and (run / INT8).is_file(), home.thresholds) for run in strangers]
    if not can_be_left_out(splits):
        log("stranger splits: none is judged by the others, for they are of the same patients")
        return None
    if wanted.int8:
        strange = [split.name for split in splits if split.outputs != "int8"]
        if strange:
            raise ConfigError(
                f"no {INT8} in {', '.join(strange)}", hint="make it with: python -m export folds RUN, for each run"
            )
    return device_report(
        held, home, splits, read_gate_scores(wanted.gate) if wanted.gate else None, wanted.sensitivity, log
    )


def _shipped(device: DeviceReport | None) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    return (device.folds.verdicts.p, device.folds.limits) if device else None


def _other(run: Path, device: DeviceReport | None, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Metrics of another run on its own test pictures, by data set.

    Calibrated by the other stranger splits, or, without a ``device``, by the run's own validation pictures.
    """
    log(run.name)
    if device is not None:
        return stranger_headline(device, run.name)
    held = load_held_out(run)
    calls = metric_tables.cross_fit(held)
    errors = {row["source"]: row["calibrated"]["ece"] for row in metric_tables.calibration(held.test, calls.p)}
    learnt = ", ".join(sorted(set(held.selection.sources.tolist())))
    devices = ", ".join(sorted(set(held.test.devices.tolist()) - {""}))
    return [
        {"run": run.name, "validated_on": learnt, "devices": devices, "ece": errors.get(row["source"]), **row}
        for row in metric_tables.headline(held.test, calls)
    ]


def _has_models(run: Path, rows: HeldOutPredictions) -> bool:
    places = [run / f"fold-{k}" for k in np.unique(rows.fold)] if (run / POOLED).is_file() else [run]
    return all((place / "saved_model").is_dir() for place in places)


def plain(value: Any) -> Any:
    """Convert a tree of metrics for JSON: no numpy, no dataclasses, null for what is not a number."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
