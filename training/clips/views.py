"""Sets of looks at one lesion, drawn from a cross-validation's predictions: views of a patient in any order."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.models.bundle import load_bundle
from edge.pipeline.clip_judgement import SHARPNESS, logit
from edge.postprocess.descriptors import describe
from training.clips.sequences import FeatureSequence
from training.datasets import BUS_BRA
from training.evaluation.device_verdicts import device_verdicts
from training.evaluation.found_lesions import lesions_in_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.evaluation.held_out_predictions import HeldOutPredictions

MOST_LOOKS = 4


@dataclass(frozen=True, eq=False)
class View:
    """One picture of a patient: what the model says of it, and of it mirrored and shrunk."""

    id: str
    logits: tuple[float, ...]
    """Of the picture as it is, then of the others: looks at the same plane."""
    rest: tuple[float, float, float]
    """Presence, area and sharpness of its surest lesion."""

    def look(self, which: int = 0) -> list[float]:
        """Features of the picture in one look; views have no time, and nothing has moved between them."""
        return [self.logits[which], *self.rest, 0.0, 0.0, 1.0]


@dataclass(frozen=True, eq=False)
class Patient:
    """All views of one patient's lesion."""

    group: str
    fold: int
    label: int
    views: tuple[View, ...]

    def sequence(self, looks: Sequence[tuple[int, int]], weight: float = 1.0) -> FeatureSequence:
        """Sequence of some looks: (number of the view, number of the look)."""
        x = np.array([self.views[view].look(which) for view, which in looks], np.float32)
        return FeatureSequence(self.group, self.fold, x, float(self.label), np.full(len(x), -1, np.float32), weight)


def patients_of(parts: Sequence[HeldOutPredictions]) -> list[Patient]:
    """All patients of BUS-BRA, calibrated as the model that ships is; each view judged by a fold that never saw it."""
    manifest = load_bundle(None).lesion_manifest
    found: dict[tuple[str, int, int], list[View]] = defaultdict(list)
    for rows in parts:
        rows = rows.take((rows.sources == BUS_BRA) & rows.known)
        said = [_logits(rows, values) for values in (rows.malignancy, rows.flipped, rows.zoomed)]
        lesions = lesions_in_masks(rows.lesion, rows.size, manifest.thresholds.lesion)
        for i, each in enumerate(lesions):
            rest = (0.0, 0.0, 0.0)
            if each:
                told = describe(each[0], rows.tensors[i, :, :, 0], (0, 0, *rows.size), 1.0)
                _, _, w, h = each[0].box
                area = float(np.sqrt(w * h / (rows.size[0] * rows.size[1])))
                rest = each[0].score, area, min(1.0, max(0.0, told.get(SHARPNESS, 0.0)))
            view = View(str(rows.ids[i]), tuple(float(column[i]) for column in said), rest)
            found[str(rows.groups[i]), int(rows.fold[i]), int(rows.labels[i])].append(view)
    return [
        Patient(group, fold, label, tuple(sorted(views, key=lambda view: view.id)))
        for (group, fold, label), views in found.items()
    ]


def drawn_sets(patients: Sequence[Patient], rng: np.random.Generator) -> list[FeatureSequence]:
    """One set of one to four looks of each patient, in a random order, and each pair of views in both orders."""
    sets = []
    for patient in patients:
        number = int(rng.integers(1, MOST_LOOKS + 1))
        looks = [(int(rng.integers(len(patient.views))), int(rng.integers(3))) for _ in range(number)]
        sets.append(patient.sequence(looks, 0.5))
        if len(patient.views) > 1:
            first, second = rng.permutation(len(patient.views))[:2].tolist()
            sets += [patient.sequence([(a, 0), (b, 0)], 0.5) for a, b in ((first, second), (second, first))]
    return sets


def _logits(rows: HeldOutPredictions, values: NDArray[np.float32]) -> NDArray[np.float64]:
    manifest = load_bundle(None).lesion_manifest
    changed = replace(rows, malignancy=values)
    p = device_verdicts(changed, manifest.calibration, manifest.thresholds, "float").p
    return np.array([logit(float(each)) for each in p])
