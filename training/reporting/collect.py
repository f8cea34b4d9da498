"""All figures of a report, in the order of the page. READ `collect` FIRST: each line of it is one section."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from training.evaluation.calibration import fit_run
from training.evaluation.held_out_predictions import INT8, POOLED, Held, open_held, read_int8
from training.reporting import descriptor_classifiers, metric_tables, perturbations, quantisation, saliency, uncertainty
from training.reporting.lesion_presence import presence, presence_control

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import Rows
    from training.reporting.metric_tables import Calls

MISTAKES, SHOWN = 20, 6


@dataclass(frozen=True)
class Wanted:
    """What a report is asked for."""

    run: Path
    int8: bool = False
    across: Sequence[Path] = ()
    """Runs judged on another data set than they learnt from."""
    left_out: Sequence[Path] = ()
    """Runs judged on a scanner that they never saw."""
    data: Path | None = None
    """Data sets, for the negative control."""
    model: bool = True
    """Whether the run's SavedModels are asked about changed pictures."""


@dataclass(eq=False)
class Collected:
    """Figures for the JSON file, and what the page draws beside them."""

    held: Held
    calls: Calls
    figures: dict[str, Any] = field(default_factory=dict)
    dp: NDArray[np.float64] | None = None
    heat: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)
    """Numbers of rows, and what mattered in each."""


def collect(wanted: Wanted, log: Callable[[str], None]) -> Collected:
    """Everything that is asked for. Raises ConfigError where a run's files are missing or do not fit."""
    held = open_held(wanted.run)
    rows = held.test
    log(f"{len(rows)} pictures of {len(set(rows.groups.tolist()))} patients")
    out = Collected(held, metric_tables.cross_fit(held))
    calls, told = out.calls, out.figures
    told["about"] = about(wanted, held)
    told["headline"] = metric_tables.headline(rows, calls)
    told["operating_points"] = metric_tables.points(rows, calls)
    told["calibration"] = metric_tables.calibration(rows, calls.p)
    told["chosen"] = msgspec.to_builtins(fit_run(held.choose, _origin(held)))
    told["subgroups"] = metric_tables.subgroups(rows, calls)
    told["presence"] = presence(rows)
    log("doubt")
    told["doubt"] = _doubt(rows, calls)
    log("features")
    part = rows.take(rows.known)
    told["features"] = descriptor_classifiers.worth(part, calls.found.take(rows.known), calls.p[rows.known])
    if wanted.int8:
        log("int8")
        after = read_int8(wanted.run / INT8, rows)
        told["int8"] = quantisation.compare(rows, after)
        out.dp = quantisation.differences(rows, after)
        if held.folds > 1:
            other = _with(held, after)
            told["int8"]["headline"] = metric_tables.headline(after, metric_tables.cross_fit(other, "int8"))
    told["across"] = [row for run in wanted.across for row in _other(run, log)]
    told["left_out"] = [row for run in wanted.left_out for row in _other(run, log)]
    if wanted.model and _has_models(wanted.run, rows):
        log("changed pictures")
        serve = perturbations.models_of(wanted.run, rows)
        places = np.flatnonzero(rows.known)
        told["altered"] = perturbations.ablation(part, lambda chosen, tensors: serve(places[chosen], tensors))
        log("saliency")
        for i in shown(rows, calls):
            one = saliency.occlusion(lambda tensors, i=i: serve(np.full(len(tensors), i), tensors), rows.tensors[i])
            out.heat.append((i, one))
    if wanted.data is not None:
        from training.datasets import both

        log("negative control")
        told["presence_control"] = presence_control(wanted.run, both(wanted.data))
    return out


def about(wanted: Wanted, held: Held) -> dict[str, Any]:
    """What was judged."""
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


def mistakes(rows: Rows, calls: Calls, most: int = MISTAKES) -> list[int]:
    """Rows with the surest wrong calls at even odds, one of each patient."""
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


def shown(rows: Rows, calls: Calls) -> list[int]:
    """Rows for the maps of what mattered: sure and right of both kinds, then sure and wrong of both."""
    out: list[int] = []
    for right in (True, False):
        for label in (1, 0):
            chosen = (rows.labels == label) & (((calls.p >= 0.5) == (label == 1)) == right)
            order = np.argsort(np.where(chosen, -np.abs(calls.p - 0.5), np.inf))[: int(chosen.sum())]
            out += [int(i) for i in order[: 2 if label else 1]]
    return out[:SHOWN]


def _doubt(rows: Rows, calls: Calls) -> dict[str, Any]:
    part, p, limit = rows.take(rows.known), calls.p[rows.known], calls.thresholds["youden"][rows.known]
    errors = (p >= limit) != (part.labels == 1)
    parts = uncertainty.signals(part, p, limit, calls.found.presence[rows.known])
    return {
        "signals": uncertainty.table(parts, errors, part.groups),
        "rule": uncertainty.rule(rows, calls.p, calls.thresholds["youden"], calls.intervals),
    }


def _origin(held: Held) -> str:
    return f"out-of-fold predictions of {held.folds} folds" if held.folds > 1 else "validation pictures of one run"


def _with(held: Held, test: Rows) -> Held:
    parts = [(test.take(test.fold != k), np.flatnonzero(test.fold == k)) for k in np.unique(test.fold)]
    return replace(held, test=test, parts=parts)


def _other(run: Path, log: Callable[[str], None]) -> list[dict[str, Any]]:
    """Another run's figures on its own test pictures, by data set."""
    log(run.name)
    held = open_held(run)
    calls = metric_tables.cross_fit(held)
    errors = {row["source"]: row["calibrated"]["ece"] for row in metric_tables.calibration(held.test, calls.p)}
    learnt = ", ".join(sorted(set(held.choose.sources.tolist())))
    devices = ", ".join(sorted(set(held.test.devices.tolist()) - {""}))
    return [
        {"run": run.name, "validated_on": learnt, "devices": devices, "ece": errors.get(row["source"]), **row}
        for row in metric_tables.headline(held.test, calls)
    ]


def _has_models(run: Path, rows: Rows) -> bool:
    places = [run / f"fold-{k}" for k in np.unique(rows.fold)] if (run / POOLED).is_file() else [run]
    return all((place / "saved_model").is_dir() for place in places)


def plain(value: Any) -> Any:
    """For JSON: no numpy, no dataclasses, null for what is not a number."""
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
