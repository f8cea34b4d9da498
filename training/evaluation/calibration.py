"""Calibration (Platt, temperature) and thresholds from held-out predictions: writes and reads ``calibration.json``.

A model that ships learnt from all but 8 % of the patients (`training.breast.protocol.VALIDATION_SHARE`), and those are
kept for its anatomy gate: none are left to evaluate it by. The out-of-fold predictions of a cross-validation, of
pictures that its models had not seen, stand in for it. `choose_calibration` is what to read first.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration, Thresholds
from training.evaluation.found_lesions import MIN_AREA
from training.evaluation.held_out_predictions import INT8, load_held_out, read_int8
from training.evaluation.lesion_thresholds import choose_lesion_thresholds
from training.evaluation.logistic_regression import fit, logit, sigmoid, soft_targets
from training.evaluation.metrics import ece, log_loss, threshold_for_sensitivity, youden

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

    Floats = NDArray[np.float64]

FILE = "calibration.json"
TOLERANCE = 0.001
"""Nats of log loss that a simpler calibration may cost."""
MAX_REFUSED = 0.015
"""Largest share of pictures of the body part that the anatomy gate may refuse."""
JUDGED_SHARE = 0.9
"""Share of pictures with a lesion that the abstention rule leaves judged."""
EMPTY_BELOW = 0.9
"""Share of pictures without a lesion whose probability stays under the operating point."""


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


class CalibrationFile(msgspec.Struct, frozen=True, kw_only=True):
    """Content of ``calibration.json``: what export puts into a bundle's manifest, under the manifest's own names."""

    version: Literal[1] = 1
    outputs: Literal["float", "int8"]
    """Whose outputs were calibrated."""
    calibration: Calibration
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
    judged: float
    """Share of these pictures outside ``thresholds.uncertain``."""
    error_judged: float
    """Share of wrong calls among those, at ``thresholds.malignancy``; ``error_all``: without abstaining."""
    error_all: float


def write_calibration(run: Path, int8: bool) -> CalibrationFile:
    """Choose calibration and thresholds on a run's held-out pictures and write ``calibration.json`` into its folder.

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
    found = choose_calibration(rows, origin, "int8" if int8 else "float")
    (run / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return found


def load_calibration(path: Path) -> CalibrationFile:
    """Read a ``calibration.json``. Raises ConfigError for one that is none."""
    if not path.is_file():
        raise ConfigError(f"{path} is missing", hint="make it with: python -m training calibrate RUN")
    try:
        return msgspec.json.decode(path.read_bytes(), type=CalibrationFile)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}", hint="make it anew with: python -m training calibrate RUN") from error


def choose_calibration(
    rows: HeldOutPredictions, origin: str, outputs: Literal["float", "int8"] = "float"
) -> CalibrationFile:
    """Choose calibration and all thresholds from pictures that no model saw in training.

    ``origin``: where they come from, in words for people. Raises ConfigError where malignancy has not been learnt.
    """
    known = rows.take(rows.known)
    step = resolution(outputs)
    candidates = compare_calibrations(known.malignancy, known.labels, known.groups, step)
    name = choose_simplest(candidates)
    calibration = fit_calibration(name, known.malignancy, known.labels, step)
    p = apply_calibration(calibration, known.malignancy, step)
    empty = rows.take(~rows.known)
    points = operating_points(p, known.labels, apply_calibration(calibration, empty.malignancy, step))
    point = next(each for each in points if each.name == "youden")
    level, score, how = choose_lesion_thresholds(rows)
    prevalence = round(float((known.labels == 1).mean()), 4)
    uncertain = uncertain_interval(p, point.threshold)
    judged = ~((p > uncertain[0]) & (p < uncertain[1]))
    wrong = (p >= point.threshold) != (known.labels == 1)
    thresholds = Thresholds(
        lesion=level,
        lesion_score=score,
        lesion_min_area=MIN_AREA,
        malignancy=point.threshold,
        operating_point=_describe(point, len(known), len(empty), f"{origin}; {how}"),
        prevalence=prevalence,
        anatomy=gate_threshold(rows.anatomy),
        uncertain=uncertain,
    )
    return CalibrationFile(
        outputs=outputs,
        calibration=calibration,
        thresholds=thresholds,
        method=(
            f"{name}, the simplest whose log loss on patients left out of its fit is within {TOLERANCE} of the best; "
            f"fitted on {len(known)} pictures of {len(set(known.groups.tolist()))} patients, {origin}"
        ),
        prevalence=prevalence,
        n=len(known),
        groups=len(set(known.groups.tolist())),
        sources={str(s): int((known.sources == s).sum()) for s in np.unique(known.sources)},
        candidates=candidates,
        operating_points=points,
        judged=round(float(judged.mean()), 4),
        error_judged=round(float(wrong[judged].mean()), 4),
        error_all=round(float(wrong.mean()), 4),
    )


def _describe(point: OperatingPoint, known: int, empty: int, origin: str) -> str:
    """How the operating point was chosen, for people; ``known`` and ``empty``: pictures with a lesion and without."""
    return (
        f"the calibrated probability with the largest sum of sensitivity ({point.sensitivity:.2f}) and specificity "
        f"({point.specificity:.2f}) by picture (Youden's J)"
        + (f", among those that {EMPTY_BELOW:.0%} of pictures without a lesion stay under," if empty else "")
        + f" on the {known} pictures that it was chosen on, {origin}"
    )


def resolution(outputs: str) -> float:
    """Smallest step of the malignancy output, for ``outputs`` float or int8."""
    return 1 / 256 if outputs == "int8" else 1e-6


def apply_calibration(calibration: Calibration, q: NDArray[np.floating], step: float = 1e-6) -> Floats:
    """Apply a calibration to many probabilities (n,), as `edge.postprocess.model_outputs.calibrate` does to one."""
    return sigmoid(calibration.slope * logit(q, step) + calibration.intercept)


def fit_calibration(name: str, q: NDArray[np.floating], labels: NDArray[np.integer], step: float = 1e-6) -> Calibration:
    """Fit slope and intercept: ``temperature`` (Guo et al., ICML 2017) moves the slope alone, ``platt`` (1999) both.

    ``q`` (n,) are probabilities that are not calibrated, ``labels`` (n,) 0 or 1.
    """
    if name == "none":
        return Calibration()
    z = logit(q, step)
    x = z[:, None] if name == "temperature" else np.stack([z, np.ones(len(z))], axis=1)
    w = fit(x, soft_targets(labels))
    return Calibration(slope=round(float(w[0]), 5), intercept=round(float(w[1]), 5) if len(w) > 1 else 0.0)


def compare_calibrations(
    q: NDArray[np.floating], labels: NDArray[np.integer], groups: NDArray[np.str_], step: float
) -> list[CalibrationCandidate]:
    """Compare every way to calibrate, by ten-fold cross-validation over patients."""
    names, place = np.unique(groups, return_inverse=True)
    part = np.random.default_rng(0).permutation(len(names))[place] % 10
    rows = []
    for name in ("none", "temperature", "platt") + (("isotonic",) if find_spec("sklearn") else ()):
        p = np.zeros(len(q))
        for k in range(10):
            fitted, judged = part != k, part == k
            if name == "isotonic":
                p[judged] = _isotonic(q[fitted], labels[fitted], q[judged])
            else:
                p[judged] = apply_calibration(fit_calibration(name, q[fitted], labels[fitted], step), q[judged], step)
        rows.append(
            CalibrationCandidate(name=name, log_loss=log_loss(labels, p), ece=ece(labels, p), ships=name != "isotonic")
        )  # fmt: skip
    return rows


def _isotonic(q: NDArray[np.floating], labels: NDArray[np.integer], asked: NDArray[np.floating]) -> Floats:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.005, y_max=0.995, out_of_bounds="clip").fit(q, labels)
    return np.asarray(fitted.predict(asked), np.float64)


def choose_simplest(candidates: list[CalibrationCandidate]) -> str:
    """Choose the simplest calibration that a bundle can carry and that is nearly the best (`TOLERANCE`)."""
    ships = [each for each in candidates if each.ships]
    best = min(each.log_loss for each in ships)
    return next(each.name for each in ships if each.log_loss <= best + TOLERANCE)


def operating_points(p: Floats, labels: NDArray[np.integer], empty: Floats) -> list[OperatingPoint]:
    """Choose the operating points: Youden's J, even odds, the highest thresholds with 90 % and 95 % sensitivity.

    Youden's J above what `EMPTY_BELOW` of ``empty`` stay under: malignancy is not learnt from them, and a low threshold
    could call most of them suspicious. Raises ConfigError where no picture with a lesion is above that.
    """
    chosen = youden(labels, p, float(np.quantile(empty, EMPTY_BELOW)) if len(empty) else -np.inf)
    if not np.isfinite(chosen):
        raise ConfigError(
            f"no threshold: {1 - EMPTY_BELOW:.0%} of pictures without a lesion are more suspicious than any with one",
            hint="look at the training's figures: malignancy has not been learnt",
        )
    wanted = {
        "youden": chosen,
        "even": 0.5,
        "sensitivity_90": threshold_for_sensitivity(labels, p, 0.90),
        "sensitivity_95": threshold_for_sensitivity(labels, p, 0.95),
    }
    return [
        OperatingPoint(
            name=name,
            threshold=round(threshold, 6),
            sensitivity=round(float((p[labels == 1] >= threshold).mean()), 4),
            specificity=round(float((p[labels == 0] < threshold).mean()), 4),
            empty_suspicious=round(float((empty >= threshold).mean()), 4) if len(empty) else None,
        )
        for name, threshold in wanted.items()
    ]


def chance_of_error(p: Floats, threshold: float | Floats) -> Floats:
    """Estimated chance that a call at ``threshold`` is wrong, by the calibrated probability itself: (n,)."""
    return np.where(p >= threshold, 1 - p, p)


def uncertain_interval(p: Floats, threshold: float, judged: float = JUDGED_SHARE) -> tuple[float, float]:
    """Interval of probabilities whose calls are the likeliest to be wrong; the share ``judged`` lies outside.

    Calls with a chance of error over c: those from c to 1 - c, and where the threshold lies outside of that, all
    between it and 1 - c (or c), for they are called against the odds.
    """
    most = float(np.quantile(chance_of_error(p, threshold), judged))
    low, high = min(most, threshold), max(1 - most, threshold)
    return round(min(low, high - 1e-3), 4), round(high, 4)


def gate_threshold(anatomy: NDArray[np.floating]) -> float:
    """Highest threshold of the anatomy gate that refuses at most `MAX_REFUSED` of these pictures, all of the body part.

    0 where no model had a gate (NaN): then the run that ships chooses it.
    """
    ranked = np.sort(np.asarray(anatomy, np.float64)[np.isfinite(anatomy)])
    if not len(ranked):
        return 0.0
    last = ranked[int(np.floor(MAX_REFUSED * len(ranked)))]
    lower = ranked[ranked < last]
    return round(float((last + lower.max()) / 2 if len(lower) else last / 2), 6)
