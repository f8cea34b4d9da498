"""Metric tables of the report: with intervals over patients, by picture, by case and by subgroup."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import BootstrapSamples, MetricInterval
from training.evaluation.calibration import (
    apply_calibration,
    choose_simplest,
    compare_calibrations,
    fit_calibration,
    operating_points,
    resolution,
)
from training.evaluation.found_lesions import find_lesions_at, merge
from training.evaluation.lesion_thresholds import choose_lesion_thresholds
from training.evaluation.metrics import ece, log_loss, weighted_ece
from training.evaluation.uncertain_calls import uncertain_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.found_lesions import FoundLesions
    from training.evaluation.held_out_predictions import HeldOutPredictions, HeldOutSet

    Floats = NDArray[np.float64]

LEAST = 20
"""Least pictures of a subgroup; of fewer no metric is given."""
SHIPPED = "youden"
"""The operating point of a bundle that is calibrated at home (`training.evaluation.calibration.choose_calibration`)."""


@dataclass(frozen=True, eq=False)
class CalibratedCalls:
    """Calibrated probabilities and thresholds of the test rows, each chosen on other patients than it is used for."""

    p: Floats
    """(n,) calibrated probability of malignancy."""
    thresholds: dict[str, Floats]
    """By operating point: each row's threshold."""
    intervals: Floats
    """(n, 2): each row is left unjudged if its probability lies inside."""
    found: FoundLesions
    """Lesions found at the lesion thresholds of each row."""


def cross_fit(held: HeldOutSet, outputs: str = "float") -> CalibratedCalls:
    """Cross-fit: calibrate and choose thresholds part by part, so that no row influences how it is judged itself."""
    step = resolution(outputs)
    n = len(held.test)
    p, intervals = np.zeros(n), np.zeros((n, 2))
    thresholds: dict[str, Floats] = {}
    parts: list[tuple[NDArray[np.int_], FoundLesions]] = []
    for rows, judged in held.parts:
        known, test = rows.take(rows.known), held.test.take(judged)
        name = choose_simplest(compare_calibrations(known.malignancy, known.labels, known.groups, step))
        calibration = fit_calibration(name, known.malignancy, known.labels, step)
        p[judged] = apply_calibration(calibration, test.malignancy, step)
        q = apply_calibration(calibration, known.malignancy, step)
        empty = apply_calibration(calibration, rows.take(~rows.known).malignancy, step)
        for point in operating_points(q, known.labels, empty):
            thresholds.setdefault(point.name, np.zeros(n))[judged] = point.threshold
        intervals[judged] = uncertain_interval(q, np.ones(len(q)), float(thresholds["youden"][judged[0]]))
        level, score, _ = choose_lesion_thresholds(rows)
        parts.append((judged, find_lesions_at(test, level, score)))
    return CalibratedCalls(p, thresholds, intervals, merge(parts, n))


def classification_metrics(
    labels: NDArray[np.integer], p: Floats, called: NDArray[np.bool_], draws: BootstrapSamples
) -> dict[str, MetricInterval]:
    """Classification metrics of benign or malignant calls, and the area under the ROC curve; arrays are (n,)."""
    ill, right = labels == 1, called == (labels == 1)
    hits = called & ill
    return {
        "auc": draws.auc(labels, p),
        "accuracy": draws.ratio(right),
        "sensitivity": draws.ratio(hits, ill),
        "specificity": draws.ratio(~called & ~ill, ~ill),
        "precision": draws.ratio(hits, called),
        "f1": draws.ratio(2 * hits, called.astype(int) + ill),
    }


def segmentation_metrics(
    found: FoundLesions, chosen: NDArray[np.bool_], draws: BootstrapSamples
) -> dict[str, MetricInterval]:
    """Segmentation metrics of pictures with a lesion (``chosen``, (n,)): Dice, hit rate, and lesions beside it."""
    beside = np.maximum(0, found.count - found.hit)
    return {
        "dice": draws.ratio(found.dice * chosen, chosen),
        "lesion_hit": draws.ratio(found.hit & chosen, chosen),
        "false_lesions": draws.ratio(beside * chosen, chosen),
    }


def by_case(
    rows: HeldOutPredictions, p: Floats, called_at: Floats
) -> tuple[NDArray[np.int_], Floats, NDArray[np.bool_], list[str]]:
    """Label, mean probability, call and name of each patient, (m,), whose lesions are all benign or all malignant."""
    names, place = np.unique(rows.groups, return_inverse=True)
    count = np.bincount(place)
    labels = np.bincount(place, rows.labels) / count
    mean, limit = np.bincount(place, p) / count, np.bincount(place, called_at) / count
    one = np.isin(labels, (0, 1))
    return labels[one].astype(int), mean[one], (mean >= limit)[one], names[one].tolist()


def headline(
    rows: HeldOutPredictions,
    calls: CalibratedCalls,
    point: str = "even",
    shipped: tuple[Floats, Floats] | None = None,
) -> list[dict[str, Any]]:
    """Main metrics by data set (and all together where there are several): by picture and by case.

    ``shipped``: probabilities and operating points (n,) of a bundle that is calibrated out of source; None: at home.
    """
    sold, limits = shipped or (calls.p, calls.thresholds[SHIPPED])
    sources = sorted(set(rows.sources[rows.known].tolist()))
    out = []
    for source in sources + (["all"] if len(sources) > 1 else []):
        chosen = rows.known & ((rows.sources == source) | (source == "all"))
        part, p, limit = rows.take(chosen), calls.p[chosen], calls.thresholds[point][chosen]
        draws = BootstrapSamples(part.groups)
        pictures = classification_metrics(part.labels, p, p >= limit, draws)
        every = BootstrapSamples(rows.groups)
        pictures |= segmentation_metrics(calls.found, chosen, every)
        labels, mean, called, names = by_case(part, p, limit)
        out.append(
            {
                "source": source,
                "pictures": len(part),
                "cases": len(names),
                "malignant": int((part.labels == 1).sum()),
                "by_picture": pictures,
                "by_case": classification_metrics(labels, mean, called, BootstrapSamples(names)),
                "at_shipped": at_shipped(part, sold[chosen], limits[chosen]),
                "confusion": confusion(part.labels, p >= limit),
            }
        )
    return out


def at_shipped(part: HeldOutPredictions, p: Floats, limit: Floats) -> dict[str, dict[str, MetricInterval]]:
    """Metrics by picture and by case at the threshold that a bundle ships, for its model card."""
    labels, mean, called, names = by_case(part, p, limit)
    return {
        "by_picture": classification_metrics(part.labels, p, p >= limit, BootstrapSamples(part.groups)),
        "by_case": classification_metrics(labels, mean, called, BootstrapSamples(names)),
    }


def confusion(labels: NDArray[np.integer], called: NDArray[np.bool_]) -> list[list[int]]:
    """Confusion matrix, 2 x 2: rows truly benign, malignant; columns called so. ``labels``, ``calls``: (n,)."""
    return [[int(((labels == k) & (called == bool(c))).sum()) for c in (0, 1)] for k in (0, 1)]


def operating_point_metrics(rows: HeldOutPredictions, calls: CalibratedCalls) -> list[dict[str, Any]]:
    """Metrics of each operating point on patients that its threshold was not chosen on."""
    part, p = rows.take(rows.known), calls.p[rows.known]
    draws = BootstrapSamples(part.groups)
    out = []
    for name, limits in calls.thresholds.items():
        limit = limits[rows.known]
        rates = classification_metrics(part.labels, p, p >= limit, draws)
        rates.pop("auc")
        out.append({"name": name, "threshold": [float(limit.min()), float(limit.max())], **rates})
    return out


def calibration(rows: HeldOutPredictions, p: Floats) -> list[dict[str, Any]]:
    """Calibration metrics by data set: ECE and log loss, calibrated on other patients, and without calibration."""
    sources = sorted(set(rows.sources[rows.known].tolist()))
    out = []
    for source in ["all", *sources] if len(sources) > 1 else sources:
        chosen = rows.known & ((rows.sources == source) | (source == "all"))
        labels, groups = rows.labels[chosen], rows.groups[chosen]
        draws = BootstrapSamples(groups, rounds=200)
        row: dict[str, Any] = {"source": source, "prevalence": float((labels == 1).mean())}
        for name, values in (("calibrated", p[chosen]), ("raw", rows.malignancy[chosen].astype(float))):
            error = draws.weighted(partial(weighted_ece, labels, values), len(labels))
            row[name] = {"ece": error, "log_loss": log_loss(labels, values), "ece_plain": ece(labels, values)}
        out.append(row)
    return out


def subgroup_masks(rows: HeldOutPredictions) -> dict[str, list[tuple[str, NDArray[np.bool_]]]]:
    """Subgroups by scanner, BI-RADS category and size of the lesion: names and masks (n,) over the rows."""
    out: dict[str, list[tuple[str, NDArray[np.bool_]]]] = {}
    for title, values in (("scanner", rows.devices), ("BI-RADS category", rows.birads)):
        names = sorted(set(values[rows.known & (values != "")].tolist()))
        out[title] = [(name, rows.known & (values == name)) for name in names]
    share = rows.masks.mean(axis=(1, 2))
    with_lesion = rows.known & (share > 0)
    if with_lesion.any():
        low, high = np.quantile(share[with_lesion], (1 / 3, 2 / 3))
        out["size of the lesion"] = [
            (f"smallest third (under {low:.1%} of the picture)", with_lesion & (share < low)),
            ("middle third", with_lesion & (share >= low) & (share < high)),
            (f"largest third (over {high:.1%})", with_lesion & (share >= high)),
        ]
    return {title: groups for title, groups in out.items() if len(groups) > 1}


def subgroups(rows: HeldOutPredictions, calls: CalibratedCalls, point: str = "even") -> dict[str, list[dict[str, Any]]]:
    """Metrics by scanner, by BI-RADS category (4 alone is the one where a second opinion counts) and by size."""
    draws = BootstrapSamples(rows.groups)
    called = calls.p >= calls.thresholds[point]
    out: dict[str, list[dict[str, Any]]] = {}
    for title, groups in subgroup_masks(rows).items():
        for name, chosen in groups:
            if int(chosen.sum()) < LEAST:
                continue
            labels = np.where(chosen, rows.labels, -1)
            ill = labels == 1
            well = labels == 0
            out.setdefault(title, []).append(
                {
                    "name": name,
                    "pictures": int(chosen.sum()),
                    "malignant": int(ill.sum()),
                    "auc": draws.auc(labels, calls.p),
                    "accuracy": draws.ratio((called == ill) & chosen, chosen),
                    "sensitivity": draws.ratio(called & ill, ill),
                    "specificity": draws.ratio(~called & well, well),
                    **segmentation_metrics(calls.found, chosen, draws),
                }
            )
    return out
