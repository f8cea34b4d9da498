"""The tables of the report: figures with intervals over patients, by picture, by case and by kind of picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.bootstrap import Draws, MetricInterval
from training.evaluation.calibration import (
    apply,
    choose,
    compare,
    fit_calibration,
    operating_points,
    resolution,
    uncertain_interval,
)
from training.evaluation.found_lesions import look, merge
from training.evaluation.lesion_thresholds import lesion_limits
from training.evaluation.metrics import ece, log_loss

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.evaluation.found_lesions import FoundLesions
    from training.evaluation.held_out_predictions import Held, Rows

    Floats = NDArray[np.float64]

LEAST = 20
"""Pictures of a kind; of fewer no figure is given."""
SHIPPED = "youden"
"""The operating point that `training.evaluation.calibration.fit_run` makes a bundle's."""


@dataclass(frozen=True, eq=False)
class Calls:
    """Calibrated probabilities and thresholds of the test rows, each chosen on other patients than it is used for."""

    p: Floats
    thresholds: dict[str, Floats]
    """By operating point: each row's threshold."""
    intervals: Floats
    """(n, 2): each row is left unjudged if its probability lies inside."""
    found: FoundLesions
    """By the lesion thresholds of each row."""


def cross_fit(held: Held, outputs: str = "float") -> Calls:
    """Calibrate and choose thresholds part by part, so that no row has a say in how it is judged."""
    step = resolution(outputs)
    n = len(held.test)
    p, thresholds, intervals = np.zeros(n), {}, np.zeros((n, 2))
    looked: list[tuple[NDArray[np.int_], FoundLesions]] = []
    for rows, judged in held.parts:
        known, test = rows.take(rows.known), held.test.take(judged)
        name = choose(compare(known.malignancy, known.labels, known.groups, step))
        calibration = fit_calibration(name, known.malignancy, known.labels, step)
        p[judged] = apply(calibration, test.malignancy, step)
        q = apply(calibration, known.malignancy, step)
        empty = apply(calibration, rows.take(~rows.known).malignancy, step)
        for point in operating_points(q, known.labels, empty):
            thresholds.setdefault(point.name, np.zeros(n))[judged] = point.threshold
        intervals[judged] = uncertain_interval(q, float(thresholds["youden"][judged[0]]))
        level, score, _ = lesion_limits(rows)
        looked.append((judged, look(test, level, score)))
    return Calls(p, thresholds, intervals, merge(looked, n))


def classification(
    labels: NDArray[np.int_], p: Floats, called: NDArray[np.bool_], draws: Draws
) -> dict[str, MetricInterval]:
    """Rates of yes or no calls, and the area under the ROC curve."""
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


def outlines(found: FoundLesions, chosen: NDArray[np.bool_], draws: Draws) -> dict[str, MetricInterval]:
    """Of pictures with a lesion (``chosen``): overlap, whether it was found, and lesions found beside it."""
    beside = np.maximum(0, found.count - found.hit)
    return {
        "dice": draws.ratio(found.dice * chosen, chosen),
        "lesion_hit": draws.ratio(found.hit & chosen, chosen),
        "false_lesions": draws.ratio(beside * chosen, chosen),
    }


def by_case(rows: Rows, p: Floats, called_at: Floats) -> tuple[NDArray[np.int_], Floats, NDArray[np.bool_], list[str]]:
    """Label, mean probability and call of each patient with lesions of one nature."""
    names, place = np.unique(rows.groups, return_inverse=True)
    count = np.bincount(place)
    labels = np.bincount(place, rows.labels) / count
    mean, limit = np.bincount(place, p) / count, np.bincount(place, called_at) / count
    one = np.isin(labels, (0, 1))
    return labels[one].astype(int), mean[one], (mean >= limit)[one], names[one].tolist()


def headline(rows: Rows, calls: Calls, point: str = "even") -> list[dict[str, Any]]:
    """By data set (and all together where there are several): by picture and by case."""
    sources = sorted(set(rows.sources[rows.known].tolist()))
    out = []
    for source in sources + (["all"] if len(sources) > 1 else []):
        chosen = rows.known & ((rows.sources == source) | (source == "all"))
        part, p, limit = rows.take(chosen), calls.p[chosen], calls.thresholds[point][chosen]
        draws = Draws(part.groups)
        pictures = classification(part.labels, p, p >= limit, draws)
        every = Draws(rows.groups)
        pictures |= outlines(calls.found, chosen, every)
        labels, mean, called, names = by_case(part, p, limit)
        out.append(
            {
                "source": source,
                "pictures": len(part),
                "cases": len(names),
                "malignant": int((part.labels == 1).sum()),
                "by_picture": pictures,
                "by_case": classification(labels, mean, called, Draws(names)),
                "at_shipped": at_shipped(part, p, calls.thresholds[SHIPPED][chosen]),
                "confusion": confusion(part.labels, p >= limit),
            }
        )
    return out


def at_shipped(part: Rows, p: Floats, limit: Floats) -> dict[str, dict[str, MetricInterval]]:
    """Rates, by picture and by case, at the threshold that a bundle ships (`SHIPPED`), for its card."""
    labels, mean, called, names = by_case(part, p, limit)
    return {
        "by_picture": classification(part.labels, p, p >= limit, Draws(part.groups)),
        "by_case": classification(labels, mean, called, Draws(names)),
    }


def confusion(labels: NDArray[np.int_], called: NDArray[np.bool_]) -> list[list[int]]:
    """Rows: truly benign, truly malignant; columns: called benign, called malignant."""
    return [[int(((labels == k) & (called == bool(c))).sum()) for c in (0, 1)] for k in (0, 1)]


def points(rows: Rows, calls: Calls) -> list[dict[str, Any]]:
    """Each operating point's rates on patients that had no say in its threshold."""
    part, p = rows.take(rows.known), calls.p[rows.known]
    draws = Draws(part.groups)
    out = []
    for name, limits in calls.thresholds.items():
        limit = limits[rows.known]
        rates = classification(part.labels, p, p >= limit, draws)
        rates.pop("auc")
        out.append({"name": name, "threshold": [float(limit.min()), float(limit.max())], **rates})
    return out


def calibration(rows: Rows, p: Floats) -> list[dict[str, Any]]:
    """By data set: expected calibration error and log loss, calibrated on other patients, and without calibration."""
    sources = sorted(set(rows.sources[rows.known].tolist()))
    out = []
    for source in ["all", *sources] if len(sources) > 1 else sources:
        chosen = rows.known & ((rows.sources == source) | (source == "all"))
        labels, groups = rows.labels[chosen], rows.groups[chosen]
        draws = Draws(groups, rounds=200)
        row: dict[str, Any] = {"source": source, "prevalence": float((labels == 1).mean())}
        for name, values in (("calibrated", p[chosen]), ("raw", rows.malignancy[chosen].astype(float))):
            error = draws.over(lambda w, v=values, y=labels: _weighted_ece(y, v, w), len(labels))
            row[name] = {"ece": error, "log_loss": log_loss(labels, values), "ece_plain": ece(labels, values)}
        out.append(row)
    return out


def _weighted_ece(labels: NDArray[np.int_], p: Floats, weights: Floats, bins: int = 10) -> float:
    place = np.minimum((p * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights * (p - (labels == 1)), bins)
    return float(np.abs(gap).sum() / weights.sum())


def kinds(rows: Rows) -> dict[str, list[tuple[str, NDArray[np.bool_]]]]:
    """Sub-groups by what they are told apart by: a name and a mask over the rows."""
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


def subgroups(rows: Rows, calls: Calls, point: str = "even") -> dict[str, list[dict[str, Any]]]:
    """By scanner, by BI-RADS category (4 alone is the one where a second opinion counts) and by size."""
    draws = Draws(rows.groups)
    called = calls.p >= calls.thresholds[point]
    out: dict[str, list[dict[str, Any]]] = {}
    for title, groups in kinds(rows).items():
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
                    **outlines(calls.found, chosen, draws),
                }
            )
    return out
