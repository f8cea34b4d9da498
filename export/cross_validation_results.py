"""Thresholds and metrics of a model that was trained on all data sets, from the cross-validation of its recipe.

Such a model (protocol all) has no pictures left to be judged by; the models of the folds have. Two files that
training writes are read here, as far as a bundle needs them: ``calibration.json`` (thresholds and
calibration under the manifest's names) and ``report.json`` (metrics with intervals, by data set).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from edge.contracts.errors import UsageError
from edge.contracts.manifest import Calibration, Metric, Thresholds
from export.metric_titles import ANYWHERE, AT_POINT, CALLED, DELIVERED, TITLES, WITHOUT_LESION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")


class CalibrationInput(msgspec.Struct, frozen=True):
    """Content of ``calibration.json``: calibration and thresholds that training fitted."""

    outputs: str
    """Whose outputs were calibrated: ``float`` or ``int8``."""
    calibration: Calibration
    thresholds: Thresholds
    method: str


@dataclass(frozen=True)
class CrossValidationResults:
    """Calibration and metrics from a cross-validation of the recipe, for a model that was trained on all data sets."""

    calibration: CalibrationInput | None = None
    figures: Sequence[Metric] = ()


class ReportedValue(msgspec.Struct, frozen=True):
    """One metric of report.json with its 95 % interval; None where it cannot be computed."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class ReportRates(msgspec.Struct, frozen=True):
    """Metrics counted by picture and by case (patient)."""

    by_picture: dict[str, ReportedValue] = {}
    by_case: dict[str, ReportedValue] = {}


class DataSetReport(msgspec.Struct, frozen=True):
    """Metrics on one data set; a picture is called malignant from a calibrated probability of 0.5."""

    source: str
    pictures: int
    cases: int
    malignant: int
    by_picture: dict[str, ReportedValue]
    by_case: dict[str, ReportedValue] = {}
    at_shipped: ReportRates = ReportRates()
    """Calls at the operating point that a bundle ships, each fold's chosen on the others; older reports have none."""


class ReportScope(msgspec.Struct, frozen=True):
    """What the report is about: the number of folds."""

    folds: int


class UnseenDataReport(msgspec.Struct, frozen=True):
    """Metrics of a float model on a data set, or a scanner, that it never saw."""

    source: str
    pictures: int
    cases: int
    malignant: int
    validated_on: str
    """The data sets that it was trained on."""
    devices: str
    by_picture: dict[str, ReportedValue]
    ece: ReportedValue | None = None
    outputs: str = "float"
    """Whose outputs they are: ``float``, before quantisation, or ``int8``."""


class DeliveredReport(msgspec.Struct, frozen=True):
    """Figures as a user gets them on one data set of the folds, or on one stranger split."""

    name: str
    kind: str
    """``home``: folds, whose models know the hospital; ``stranger``: a hospital or scanner that the model never saw."""
    pictures: int
    patients: int
    malignant: int
    normals: int
    gate: bool
    """Whether the anatomy gate took part."""
    at_point: dict[str, ReportedValue]
    as_delivered: dict[str, ReportedValue]
    without_lesion: dict[str, ReportedValue] | None = None
    devices: str = ""
    tested_on: str = ""
    """Of a stranger split: the data sets of its pictures; ``validated_on``: those that its model learnt from."""
    validated_on: str = ""
    outputs: str = "int8"


class Int8Report(msgspec.Struct, frozen=True):
    """Metrics of the quantised (int8) models, by data set."""

    headline: list[DataSetReport] = []


class ReportFile(msgspec.Struct, frozen=True):
    """Content of ``report.json``, as far as a bundle needs it."""

    about: ReportScope
    headline: list[DataSetReport]
    int8: Int8Report = Int8Report()
    across: list[UnseenDataReport] = []
    left_out: list[UnseenDataReport] = []
    delivered: list[DeliveredReport] = []
    """Older reports have none."""


def read_calibration(path: Path) -> CalibrationInput:
    """Read ``calibration.json`` of int8 outputs.

    Raises UsageError for a file that is none, or one of float outputs: a bundle's are int8.
    """
    command = "python -m training calibrate runs/cv --int8"
    found = _read(path, CalibrationInput, command)
    if found.outputs != "int8":
        raise UsageError(
            f"{path} was fitted on {found.outputs} outputs, expected int8: the bundle's own",
            hint=f"first python -m export folds runs/cv, then {command}",
        )
    return found


def read_reported_metrics(path: Path) -> list[Metric]:
    """Read the metrics of ``report.json``, those of the quantised models where it has them.

    Raises UsageError for a file that is no report, or holds no metric.
    """
    report = _read(path, ReportFile, "python -m training report runs/cv")
    quantised = bool(report.int8.headline)
    models = f"{report.about.folds} models of the same recipe, each" if report.about.folds > 1 else "one model"
    metrics = []
    for each in report.int8.headline if quantised else report.headline:
        data = (
            f"{each.source}, {models} on pictures that it never saw; the model in this file learnt from all but 8 % of "
            f"their patients, kept for its anatomy gate ({each.pictures} pictures, {each.malignant} malignant, "
            f"{each.cases} patients or groups of look-alikes)"
        )
        kind = "int8 models" if quantised else "float models, before quantisation"
        shipped = each.at_shipped
        metrics += _metrics(each.by_picture, shipped.by_picture, data, f"by picture, {kind}", "")
        metrics += _metrics(each.by_case, shipped.by_case, data, f"by patient, {kind}", " by case")
    for row in report.across:
        metrics += _unseen_data_metrics(
            row,
            f"{row.source}, another hospital: one model of the same recipe that learnt from {row.validated_on} alone",
        )
    for row in report.left_out:
        metrics += _unseen_data_metrics(
            row, f"{row.devices}, a scanner never seen: one model of the same recipe that learnt from all others"
        )
    for told in report.delivered:
        metrics += _delivered_metrics(told, report.about.folds)
    if not metrics:
        raise UsageError(f"{path} holds no figure", hint="python -m training report runs/cv")
    return metrics


def _unseen_data_metrics(row: UnseenDataReport, data: str) -> list[Metric]:
    """What holds without a threshold, and how far calibration carries."""
    values = {name: row.by_picture[name] for name in ANYWHERE if name in row.by_picture}
    if row.ece is not None:
        values["ece"] = row.ece
    data = f"{data} ({row.pictures} pictures, {row.malignant} malignant, {row.cases} patients or groups of look-alikes)"
    kind = "int8 model" if row.outputs == "int8" else "float model, before quantisation"
    return _metrics(values, {}, data, f"by picture, {kind}", "")


def _delivered_metrics(told: DeliveredReport, folds: int) -> list[Metric]:
    """Figures as a user gets them; of strangers also those of malignancy alone at the operating point."""
    strange = told.kind == "stranger"
    models = f"{folds} models of the same recipe" if folds > 1 else "one model of the same recipe"
    away = told.tested_on not in told.validated_on.split(", ")
    unseen = f"{told.tested_on}, another hospital" if away else f"{told.devices}, a scanner never seen"
    whose = (
        f"{unseen}: one model of the same recipe that learnt from {told.validated_on}{'' if away else ' without it'}"
        if strange
        else f"{told.name.partition(', ')[0]}, {models}, each on pictures it never saw"
    )
    data = (
        f"{whose}, as a user gets it ({told.pictures} pictures with a lesion, {told.malignant} malignant, "
        f"{told.normals} without; {told.patients} patients or groups of look-alikes)"
    )
    gate = "" if told.gate else ", without the anatomy gate"
    kind = "int8" if told.outputs == "int8" else "float"
    how = f"by picture, {kind}, calibration and operating point fitted out of source without these patients{gate}"
    groups = [(DELIVERED, told.as_delivered), (WITHOUT_LESION, told.without_lesion or {})]
    if strange:
        alone = {name: value for name, value in told.at_point.items() if name != "ece"}
        groups.insert(0, (AT_POINT, alone))
    return [metric for titles, values in groups for metric in _titled(titles, values, data, how)]


def _titled(titles: Mapping[str, str], values: Mapping[str, ReportedValue], data: str, how: str) -> list[Metric]:
    return [
        Metric(
            name=titles[name],
            value=round(v.value, 4),
            low=round(v.low, 4),
            high=round(v.high, 4),
            data=data,
            n=v.n,
            method=f"{how}; 95 % percentile bootstrap over patients",
        )
        for name, v in values.items()
        if name in titles and v.value is not None and v.low is not None and v.high is not None
    ]


def _metrics(
    even: Mapping[str, ReportedValue], shipped: Mapping[str, ReportedValue], data: str, how: str, suffix: str
) -> list[Metric]:
    """Calls at the shipped operating point where there are any, else at 0.5; the figure says which."""
    point = "at the operating point, chosen on other folds" if shipped else "at a calibrated probability of 0.5"
    values = {name: shipped.get(name, value) if name in CALLED else value for name, value in even.items()}
    return [
        metric
        for name, v in values.items()
        for metric in _titled(
            {name: TITLES[name] + suffix} if name in TITLES else {},
            {name: v},
            data,
            f"{how}{', ' + point if name in CALLED else ''}",
        )
    ]


def _read(path: Path, kind: type[T], command: str) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint=f"make it with: {command}") from error
