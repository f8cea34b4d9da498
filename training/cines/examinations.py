"""Examinations to join: pairs of views of held-out pictures, and sweeps of the second maker."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import ConfigError
from edge.models.bundle import load_bundle
from edge.pipeline.clip_judgement import SHARPNESS
from edge.postprocess.descriptors import describe
from training.cines.joining import Examination
from training.cines.score import hits
from training.datasets import BUS_BRA
from training.evaluation.device_verdicts import device_verdicts
from training.evaluation.found_lesions import lesions_in_masks
from training.evaluation.held_out_predictions import HINT, POOLED, SINGLE, load_held_out, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from training.cines.answers import CineAnswers
    from training.evaluation.held_out_predictions import HeldOutPredictions


def held_out_rows(run: Path) -> list[HeldOutPredictions]:
    """Read test predictions of a cross-validation, pooled or fold by fold as far as they are there, or of one run.

    Raises ConfigError where there are none.
    """
    if (run / POOLED).is_file() or (run / SINGLE).is_file():
        return [load_held_out(run).test]
    folds = sorted(run.glob(f"fold-*/{SINGLE}"))
    if not folds:
        raise ConfigError(f"{run} has no predictions", hint=HINT)
    parts = []
    for path in folds:
        rows = read(path)
        rows = rows.take(rows.split == "test")
        rows.fold[:] = int(path.parent.name.removeprefix("fold-"))
        parts.append(rows)
    return parts


def pairs_of_views(parts: Sequence[HeldOutPredictions]) -> list[Examination]:
    """Examinations of all patients of BUS-BRA with two views, calibrated as the model that ships is."""
    manifest = load_bundle(None).lesion_manifest
    views: dict[tuple[str, int], list[tuple[str, int, float, float, float]]] = defaultdict(list)
    for rows in parts:
        rows = rows.take((rows.sources == BUS_BRA) & rows.known)
        p = device_verdicts(rows, manifest.calibration, manifest.thresholds, "float").p
        found = lesions_in_masks(rows.lesion, rows.size, manifest.thresholds.lesion)
        for i, lesions in enumerate(found):
            presence = sharpness = 0.0
            if lesions:
                presence = lesions[0].score
                told = describe(lesions[0], rows.tensors[i, :, :, 0], (0, 0, *rows.size), 1.0)
                sharpness = told.get(SHARPNESS, 0.0)
            view = (str(rows.ids[i]), int(rows.labels[i]), float(p[i]), presence, sharpness)
            views[str(rows.groups[i]), int(rows.fold[i])].append(view)
    exams = []
    for (group, fold), seen in views.items():
        if len(seen) > 1:
            seen.sort()
            p_, presence_, sharpness_ = (np.array([view[k] for view in seen]) for k in (2, 3, 4))
            exams.append(Examination(group, seen[0][1], fold, p_, presence_, sharpness_))
    return exams


def sweeps_as_examinations(cines: Iterable[CineAnswers], rate: int = 15) -> list[Examination]:
    """Examinations of sweeps over lesions that are benign or malignant: the frames whose finding lies on the lesion."""
    exams = []
    for cine in cines:
        if not cine.lesion or cine.label < 0:
            continue
        kept = []
        for frame in cine.at_rate(rate).frames:
            on = [found for found in frame.lesions if hits(found.box, frame.box)]
            if on and frame.malignancy is not None:
                kept.append((frame.malignancy, on[0].score, on[0].sharpness))
        if kept:
            p, presence, sharpness = (np.array(column) for column in zip(*kept, strict=True))
            exams.append(Examination(cine.group, cine.label, sum(cine.group.encode()) % 2, p, presence, sharpness))
    return exams
