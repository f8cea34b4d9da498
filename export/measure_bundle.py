"""Measure a bundle for manifest and card: held-out pictures, the int8 model's outputs, the manifest's thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge.contracts.manifest import MALIGNANCY, Metric
from export.lesion_overlap import FALSE_LESION_IOU, HIT_IOU, dice, match_lesions
from export.metrics import METHOD, bootstrap_interval, weighted_auc, weighted_mean
from export.thresholds import calibrated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest, Thresholds
    from export.metrics import WeightedMetric
    from export.predict import Predictions
    from export.training_run import HeldOutPictures


MIN_PICTURES = 10
"""Fewest pictures of each class with which a scanner gets a metric of its own."""


class _AddMetric(Protocol):
    """Adds a metric to the list, with its value and interval over ``groups``."""

    def __call__(
        self, name: str, metric: WeightedMetric, groups: NDArray[np.str_], what: str = "by picture", n: int = 0
    ) -> None: ...


def measure_held_out(
    manifest: ModelManifest, data: str, pictures: HeldOutPictures, int8: Predictions, floats: Predictions
) -> list[Metric]:
    """Measure a bundle's model on held-out pictures: all metrics of manifest and card with their 95 % intervals.

    Args:
        manifest: for its thresholds and calibration; its own ``metrics`` are not looked at.
        data: what the pictures are, for people.
        pictures: never trained on, never chosen on.
        int8: predictions of the bundle's graph.
        floats: predictions of the model it was made from, to tell what quantisation cost.
    """
    metrics: list[Metric] = []

    def add(name: str, metric: WeightedMetric, groups: NDArray[np.str_], what: str = "by picture", n: int = 0) -> None:
        value, low, high = (round(v, 4) for v in bootstrap_interval(metric, groups))
        metrics.append(
            Metric(
                name=name, value=value, low=low, high=high, data=data, n=n or len(groups), method=f"{what}; {METHOD}"
            )
        )

    limits, labels, groups = manifest.thresholds, pictures.labels, pictures.groups
    step = manifest.heads[MALIGNANCY].tensor.scale
    p, p_float = (calibrated(said.malignancy, manifest.calibration, step, said.mask) for said in (int8, floats))
    _add_auc(add, pictures, p)
    _add_operating_point(add, pictures, p, limits.malignancy)
    _add_lesions(add, pictures, int8.mask, limits)
    refused = (int8.anatomy < limits.anatomy).astype(float)
    add(
        "anatomy refusals", weighted_mean(refused), groups, "pictures of the body part that the gate refuses; 0 is best"
    )
    add("malignancy AUC, float", weighted_auc(p_float, labels), groups, "of the model before quantisation")
    add(
        "shift of p by quantisation",
        weighted_mean(np.abs(p - p_float)),
        groups,
        "mean |difference| to float, calibrated; 0 is best",
    )
    return metrics


def _add_auc(add: _AddMetric, pictures: HeldOutPictures, p: NDArray[np.float64]) -> None:
    """AUC by picture, by case and by scanner. ``p``: (n,) calibrated probability of malignancy."""
    labels, groups = pictures.labels, pictures.groups
    ill = labels == 1
    add("malignancy AUC", weighted_auc(p, labels), groups)
    cases, case_p, case_labels = by_group(p, labels, groups)
    add("malignancy AUC by case", weighted_auc(case_p, case_labels), cases, "mean probability of a patient's pictures")
    for device, rows in by_device(pictures).items():
        what = f"pictures of this scanner alone ({int(ill[rows].sum())} malignant)"
        add(f"malignancy AUC, {device}", weighted_auc(p[rows], labels[rows]), groups[rows], what)


def _add_operating_point(add: _AddMetric, pictures: HeldOutPictures, p: NDArray[np.float64], threshold: float) -> None:
    """Sensitivity, specificity and accuracy at the operating point, accuracy at 0.5, Brier score."""
    ill, groups = pictures.labels == 1, pictures.groups
    suspicious = p >= threshold
    add(
        "sensitivity",
        weighted_mean(suspicious.astype(float), ill),
        groups,
        "malignant pictures, at the operating point",
        int(ill.sum()),
    )
    add(
        "specificity",
        weighted_mean((~suspicious).astype(float), ~ill),
        groups,
        "benign pictures, at the operating point",
        int((~ill).sum()),
    )
    add("accuracy", weighted_mean((suspicious == ill).astype(float)), groups, "at the operating point")
    add("accuracy at 0.5", weighted_mean(((p >= 0.5) == ill).astype(float)), groups, "calibrated probability of 0.5")
    add("Brier score", weighted_mean((p - ill) ** 2), groups, "calibrated probability; 0 is best")


def _add_lesions(
    add: _AddMetric, pictures: HeldOutPictures, masks: NDArray[np.float32], thresholds: Thresholds
) -> None:
    """Dice, lesion hit rate and false lesions. ``masks``: (n, h, w), presence of lesion from 0 to 1."""
    truths, groups = pictures.masks, pictures.groups
    overlap = np.array([dice(m, t, thresholds.lesion) for m, t in zip(masks, truths, strict=True)])
    add("Dice", weighted_mean(overlap), groups, "mean by picture")
    found = [match_lesions(m, t, thresholds) for m, t in zip(masks, truths, strict=True)]
    hits = np.array([float(each.hit) for each in found])
    add("lesion hit rate", weighted_mean(hits), groups, f"pictures with a reported outline of IoU >= {HIT_IOU}")
    false = np.array([float(each.false_lesions) for each in found])
    add("false lesions a picture", weighted_mean(false), groups, f"reported outlines of IoU < {FALSE_LESION_IOU}")


def by_device(pictures: HeldOutPictures) -> dict[str, NDArray[np.intp]]:
    """Rows, (n,), of the pictures of each scanner that has enough pictures of both classes to say anything of it."""
    found = {}
    for device in np.unique(pictures.devices).tolist():
        rows = np.flatnonzero(pictures.devices == device)
        ill = int((pictures.labels[rows] == 1).sum())
        if device and min(ill, len(rows) - ill) >= MIN_PICTURES:
            found[device.split(" @")[0]] = rows  # without the probe's frequencies
    return found


def by_group(
    p: NDArray[np.float64], labels: NDArray[np.int8], groups: NDArray[np.str_]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.int8]]:
    """Group pictures by patient: names, mean probability, and whether one of the pictures is malignant (0 or 1)."""
    names, place = np.unique(groups, return_inverse=True)
    mean = np.bincount(place, p) / np.bincount(place)
    ill = np.bincount(place, labels == 1) > 0
    return names, mean, ill.astype(np.int8)


def metrics_table(metrics: list[Metric]) -> str:
    """Table of metrics as aligned text, for a terminal."""
    rows = [
        (m.name, f"{m.value:.3f}", f"{m.low:.3f} to {m.high:.3f}", str(m.n), m.method.split(";")[0]) for m in metrics
    ]
    head = ("figure", "value", "95 % interval", "n", "how")
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )
