"""File ``calibration.json``: calibration and thresholds for a bundle, and what they were chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration, Thresholds

if TYPE_CHECKING:
    from pathlib import Path

FILE = "calibration.json"


class CalibrationCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """One way to calibrate, evaluated on patients that it was not fitted on."""

    name: Literal["none", "temperature", "platt", "isotonic"]
    log_loss: float
    ece: float
    ships: bool
    """Whether a bundle's manifest can carry it: it holds a slope and an intercept."""


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Threshold on the calibrated probability, and its rates on the pictures that it was chosen on."""

    name: str
    threshold: float
    sensitivity: float
    specificity: float
    empty_suspicious: float | None
    """Share of pictures without a lesion that reach it; None where there are none."""


class StrangerResult(msgspec.Struct, frozen=True, kw_only=True):
    """One stranger split, judged by what was fitted on the others without any of its patients."""

    name: str
    calibration: Calibration
    """As it was fitted on the others."""
    threshold: float
    n: int
    """Pictures with a lesion of known nature."""
    sensitivity: float
    """At ``threshold``, as the others are."""
    specificity: float
    ece: float
    log_loss: float
    heads_disagree: float | None
    """Share of `heads_disagree` among its pictures without a lesion, crops included; None where there are none."""


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """Content of ``calibration.json``: what export puts into a bundle's manifest, under the manifest's own names."""

    version: Literal[1] = 1
    outputs: Literal["float", "int8"]
    """Whose outputs were calibrated."""
    calibration: Calibration
    home: Calibration | None = None
    """As it would be, fitted on hospitals that the models know; None: ``calibration`` is that. For the card only."""
    thresholds: Thresholds
    method: str
    """For people: how the calibration was chosen, on what."""
    prevalence: float
    """Share of malignant lesions among ``n``; a calibrated probability holds at this one only."""
    n: int
    """Pictures with a lesion of known nature."""
    groups: int
    """Patients, or groups of look-alikes, that they are of."""
    sources: dict[str, int]
    """Pictures by data set."""
    candidates: list[CalibrationCandidate]
    operating_points: list[OperatingPoint]
    strangers: list[StrangerResult] = []
    """What it is worth on each stranger split, fitted on the others; empty: it was fitted at home."""
    judged: float
    """Share of these pictures outside ``thresholds.uncertain``."""
    error_judged: float
    """Share of wrong calls among those, at ``thresholds.malignancy``; ``error_all``: of all calls."""
    error_all: float


def load_calibration(path: Path) -> CalibrationFile:
    """Read a ``calibration.json``. Raises ConfigError for one that is none."""
    if not path.is_file():
        raise ConfigError(f"{path} is missing", hint="make it with: python -m training calibrate RUN")
    try:
        return msgspec.json.decode(path.read_bytes(), type=CalibrationFile)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}", hint="make it anew with: python -m training calibrate RUN") from error
