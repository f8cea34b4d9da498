"""The figures of manifest and card: held-back pictures, the int8 model's outputs, the manifest's thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import MALIGNANCY, Metric
from export.metrics import METHOD, interval, weighted_auc, weighted_mean
from export.overlap import HIT, STRAY, dice, find
from export.thresholds import calibrated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest
    from export.metrics import Figure
    from export.predict import Predictions
    from export.run import Pictures


FEWEST = 10
"""Pictures of each class, or a scanner gets no figure of its own."""


def measure(
    manifest: ModelManifest, data: str, pictures: Pictures, int8: Predictions, floats: Predictions
) -> list[Metric]:
    """All figures with their intervals.

    Args:
        manifest: for its thresholds and calibration; its own ``metrics`` are not looked at.
        data: what the pictures are, for people.
        pictures: never trained on, never chosen on.
        int8: of the bundle's graph.
        floats: of the model it was made from, to tell what quantisation cost.
    """
    figures: list[Metric] = []

    def add(name: str, figure: Figure, groups: NDArray[np.str_], what: str = "by picture", n: int = 0) -> None:
        value, low, high = (round(v, 4) for v in interval(figure, groups))
        figures.append(
            Metric(
                name=name, value=value, low=low, high=high, data=data, n=n or len(groups), method=f"{what}; {METHOD}"
            )
        )

    limits, labels, groups = manifest.thresholds, pictures.labels, pictures.groups
    step = manifest.heads[MALIGNANCY].tensor.scale
    ill = labels == 1
    p, p_float = (calibrated(q, manifest.calibration, step) for q in (int8.malignancy, floats.malignancy))
    add("malignancy AUC", weighted_auc(p, labels), groups)
    cases, case_p, case_labels = by_group(p, labels, groups)
    add("malignancy AUC by case", weighted_auc(case_p, case_labels), cases, "mean probability of a patient's pictures")
    for device, rows in by_device(pictures).items():
        what = f"pictures of this scanner alone ({int(ill[rows].sum())} malignant)"
        add(f"malignancy AUC, {device}", weighted_auc(p[rows], labels[rows]), groups[rows], what)
    suspicious = p >= limits.malignancy
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
    truths = pictures.masks
    overlap = np.array([dice(m, t, limits.lesion) for m, t in zip(int8.mask, truths, strict=True)])
    add("Dice", weighted_mean(overlap), groups, "mean by picture")
    found = [find(m, t, limits) for m, t in zip(int8.mask, truths, strict=True)]
    hits = np.array([float(each.hit) for each in found])
    add("lesion hit rate", weighted_mean(hits), groups, f"pictures with a reported outline of IoU >= {HIT}")
    strays = np.array([float(each.strays) for each in found])
    add("false lesions a picture", weighted_mean(strays), groups, f"reported outlines of IoU < {STRAY}")
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
    return figures


def by_device(pictures: Pictures) -> dict[str, NDArray[np.intp]]:
    """Rows of every scanner with enough pictures of both classes to say anything of it."""
    found = {}
    for device in np.unique(pictures.devices).tolist():
        rows = np.flatnonzero(pictures.devices == device)
        ill = int((pictures.labels[rows] == 1).sum())
        if device and min(ill, len(rows) - ill) >= FEWEST:
            found[device.split(" @")[0]] = rows  # without the probe's frequencies
    return found


def by_group(
    p: NDArray[np.float64], labels: NDArray[np.int8], groups: NDArray[np.str_]
) -> tuple[NDArray[np.str_], NDArray[np.float64], NDArray[np.int8]]:
    """Groups, their mean probability, and whether one of their pictures is malignant."""
    names, place = np.unique(groups, return_inverse=True)
    mean = np.bincount(place, p) / np.bincount(place)
    ill = np.bincount(place, labels == 1) > 0
    return names, mean, ill.astype(np.int8)


def as_table(metrics: list[Metric]) -> str:
    """The figures, aligned, for a terminal."""
    rows = [
        (m.name, f"{m.value:.3f}", f"{m.low:.3f} to {m.high:.3f}", str(m.n), m.method.split(";")[0]) for m in metrics
    ]
    head = ("figure", "value", "95 % interval", "n", "how")
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    )
