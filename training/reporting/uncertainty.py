"""Uncertainty signals of a benign or malignant call, and what abstaining from uncertain calls gains.

Three kinds by what they cost a device: those that the model's outputs hold already (free), those that need the model
to run a second time, and those that need its inner features and a table of pictures beside it (workstation only).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.logistic_regression import fit, logit, sigmoid
from training.evaluation.metrics import risk_coverage
from training.evaluation.uncertain_calls import chance_of_error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

    Floats = NDArray[np.float64]

FREE, SECOND, WORKSTATION = "free on the device", "needs a second look", "workstation only"
NEIGHBOURS = 10
AXES = 24
CHANCE = "estimated chance of error"
COVERAGES = (0.95, 0.9, 0.8, 0.7)


def signals(
    rows: HeldOutPredictions, p: Floats, threshold: Floats, lesion_score: Floats
) -> dict[str, tuple[str, Floats]]:
    """Compute every uncertainty signal, by name: what it costs, and its values (n,), the larger the less certain.

    Args:
        rows: pictures with a lesion that is known to be benign or malignant.
        p: (n,) calibrated malignancy.
        threshold: (n,) on ``p``.
        lesion_score: (n,) score of the most probable lesion found, 0 where none is.
    """
    z = logit(rows.malignancy, 1e-3)
    peak = rows.lesion.reshape(len(rows), -1).max(axis=1) / 255
    unsure = ((rows.lesion > 51) & (rows.lesion < 204)).sum(axis=(1, 2))
    surely = (rows.lesion >= 128).sum(axis=(1, 2))
    found = {
        "nearness of the probability to the threshold": (FREE, -np.abs(logit(p, 1e-3) - logit(threshold))),
        CHANCE: (FREE, chance_of_error(p, threshold)),
        "faint lesion mask": (FREE, 1 - lesion_score),
        "blurred lesion mask": (FREE, unsure / np.maximum(1, surely + unsure)),
        "heads disagree (malignant, yet hardly a lesion)": (FREE, p * (1 - peak)),
        "mirrored picture disagrees": (SECOND, np.abs(z - logit(rows.flipped, 1e-3))),
        "shrunk picture disagrees": (SECOND, np.abs(z - logit(rows.zoomed, 1e-3))),
    }  # fmt: skip
    averaged_logit = (logit(rows.flipped, 1e-3) + logit(rows.zoomed, 1e-3) + z) / 3
    slope = float(np.polyfit(z, logit(p, 1e-3), 1)[0])  # of the calibration, to put the others on its scale
    averaged = sigmoid(logit(p, 1e-3) + slope * (averaged_logit - z))
    found["chance of error by the mean of three looks"] = (SECOND, np.where(p >= threshold, 1 - averaged, averaged))
    if np.isfinite(rows.anatomy).all():  # the models had a gate
        found["unusual anatomy"] = (FREE, -rows.anatomy.astype(np.float64))
    if rows.embedding.shape[1]:
        near, axes = feature_distances(rows)
        found["far from its nearest neighbours' features"] = (WORKSTATION, near)
        found["far from the mean features (Mahalanobis)"] = (WORKSTATION, axes)
    return found


def feature_distances(rows: HeldOutPredictions, seed: int = 0) -> tuple[Floats, Floats]:
    """Distances in feature space: to the nearest pictures of other patients, and to their mean by Mahalanobis.

    (n,) each; the latter as Lee et al., NeurIPS 2018. Both in the leading principal components, scaled to deviation 1,
    of other patients' pictures that the same model judged without having seen them.
    """
    near, axes = np.zeros(len(rows)), np.zeros(len(rows))
    rng = np.random.default_rng(seed)
    for fold in np.unique(rows.fold):
        mine = np.flatnonzero(rows.fold == fold)
        names, place = np.unique(rows.groups[mine], return_inverse=True)
        part = rng.permutation(len(names))[place] % 5
        values = rows.embedding[mine].astype(np.float64)
        for k in range(5):
            if not (part == k).any():
                continue
            known = values[part != k]
            mean = known.mean(axis=0)
            _, size, turn = np.linalg.svd(known - mean, full_matrices=False)
            count = min(AXES, len(size))
            scale = np.sqrt(len(known)) / np.maximum(size[:count], 1e-9)
            table, asked = ((v - mean) @ turn[:count].T * scale for v in (known, values[part == k]))
            far = np.sqrt(((asked[:, None] - table[None]) ** 2).sum(axis=2))
            near[mine[part == k]] = np.sort(far, axis=1)[:, :NEIGHBOURS].mean(axis=1)
            axes[mine[part == k]] = np.sqrt((asked**2).sum(axis=1))
    return near, axes


def combine(
    parts: dict[str, tuple[str, Floats]], errors: NDArray[np.bool_], groups: NDArray[np.str_], kinds: set[str]
) -> Floats:
    """Combine signals by logistic regression into one chance of error (n,), each fitted on other patients."""
    columns = [values for kind, values in parts.values() if kind in kinds]
    x = np.stack(columns, axis=1)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    names, place = np.unique(groups, return_inverse=True)
    part = np.random.default_rng(0).permutation(len(names))[place] % 5
    out = np.zeros(len(x))
    for k in range(5):
        w = fit(x[part != k], errors[part != k].astype(float), decay=3.0)
        out[part == k] = sigmoid(x[part == k] @ w)
    return out


def table(
    parts: dict[str, tuple[str, Floats]], errors: NDArray[np.bool_], groups: NDArray[np.str_]
) -> list[dict[str, Any]]:
    """Table of all signals, (n,) each, and combinations by area under the risk-coverage curve, best first."""
    every = dict(parts)
    for name, kinds in (
        ("all free signals together", {FREE}),
        ("free signals and second looks together", {FREE, SECOND}),
        ("all signals together", {FREE, SECOND, WORKSTATION}),
    ):
        cost = max(kinds, key=(FREE, SECOND, WORKSTATION).index)
        every[name] = (cost, combine(parts, errors, groups, kinds))
    base = every[CHANCE][1]
    draws = BootstrapSamples(groups)
    rows = []
    for name, (cost, values) in every.items():
        area = draws.aurc(errors, values)
        gain = None if name == CHANCE else draws.aurc(errors, values, base)
        coverage, risk = risk_coverage(errors, values)
        at = {f"{c:.0%}": float(risk[int(np.searchsorted(coverage, c - 1e-9))]) for c in COVERAGES}
        rows.append({"signal": name, "cost": cost, "aurc": area, "against_chance": gain, "error_at_coverage": at})
    return sorted(rows, key=lambda row: row["aurc"].value)


def abstention_rule(
    rows: HeldOutPredictions, p: Floats, limits: Floats, intervals: NDArray[np.floating]
) -> dict[str, Any]:
    """Rates of the interval of uncertain calls: pictures whose probability lies outside of it are called for certain.

    Each interval was chosen on other patients.

    Args:
        rows: all pictures, also those without a lesion.
        p: (n,) calibrated malignancy.
        limits: (n,) the threshold of each row.
        intervals: (n, 2) the interval of each row.
    """
    judged = ~((p > intervals[:, 0]) & (p < intervals[:, 1]))
    known, ill = rows.known, rows.labels == 1
    called = p >= limits
    wrong = (called != ill) & known
    draws = BootstrapSamples(rows.groups)
    return {
        "judged": draws.ratio(judged & known, known),
        "error_all": draws.ratio(wrong, known),
        "error_judged": draws.ratio(wrong & judged, known & judged),
        "error_left_out": draws.ratio(wrong & ~judged, known & ~judged),
        "sensitivity_judged": draws.ratio(called & ill & judged, ill & judged),
        "specificity_judged": draws.ratio(~called & known & ~ill & judged, known & ~ill & judged),
        "empty_left_out": draws.ratio(~judged & ~known, ~known),
    }
