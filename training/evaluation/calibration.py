"""Calibration (Platt, temperature) and thresholds from held-out predictions of hospitals that the models know.

A model that ships learnt from all but 8 % of the patients (`training.breast.protocol.VALIDATION_SHARE`), and those are
kept for its anatomy gate: none are left to evaluate it by. The out-of-fold predictions of a cross-validation, of
pictures that its models had not seen, stand in for it. `choose_calibration` is what to read first.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration, Thresholds
from training.evaluation.calibration_file import CalibrationCandidate, CalibrationFile, OperatingPoint
from training.evaluation.found_lesions import MIN_AREA
from training.evaluation.lesion_thresholds import choose_lesion_thresholds
from training.evaluation.logistic_regression import fit, logit, sigmoid, soft_targets
from training.evaluation.metrics import ece, log_loss, threshold_for_sensitivity, youden
from training.evaluation.uncertain_calls import uncertain_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

    Floats = NDArray[np.float64]

TOLERANCE = 0.001
"""Nats of log loss that a simpler calibration may cost."""
MAX_REFUSED = 0.015
"""Largest share of pictures of the body part that the anatomy gate may refuse."""
EMPTY_BELOW = 0.9
"""Share of pictures without a lesion whose probability stays under the operating point."""


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
    uncertain = uncertain_interval(p, np.ones(len(p)), point.threshold)
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
    """Compare every way to calibrate, by ten-fold cross-validation over patients; arrays are (n,)."""
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
