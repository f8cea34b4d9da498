"""Figures of a classifier's report, from its run's held-back predictions alone: by class, reliability, mistakes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import ConfigError
from training.classify.metrics import class_metrics, confusion, confusion_text, table
from training.classify.predictions_file import read_predictions
from training.classify.recipe import load_classifier_record
from training.clips.recipe import is_clip_run, load_clip_record
from training.evaluation.bootstrap import BootstrapSamples
from training.evaluation.metrics import ece, reliability
from training.reporting.collect import plain

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.predictions_file import ClassPredictions

SIDES = ("oof", "val", "test")
"""Splits that have figures, where the run has such pictures: out of fold, validation, test."""
MISTAKES = 12
"""Worst mistakes that are listed: surest of a wrong class."""


@dataclass(frozen=True, eq=False)
class ClassReport:
    """Figures for the JSON file, and what the page draws beside them."""

    figures: dict[str, Any]
    test: ClassPredictions
    pictures: dict[str, NDArray[np.uint8]]
    """Tensors (h, w, channels) of the mistakes by the picture's id, of those that the run has kept."""


def collect_classes(run: Path) -> ClassReport:
    """Collect everything that the report of a classifier's run says. Raises ConfigError where it is not whole."""
    clips = is_clip_run(run)
    record = load_clip_record(run) if clips else load_classifier_record(run)
    predictions = read_predictions(run)
    test = predictions.of("test")
    if not len(test):
        raise ConfigError(f"{run} held back no picture to test on", hint="set [split] test in the recipe")
    mistakes = worst_mistakes(test)
    figures: dict[str, Any] = {
        "about": {
            "run": run.name,
            "recipe": record.recipe.name,
            "task": record.task,
            "created": record.created,
            "classes": predictions.classes,
            "of": "clips" if clips else "pictures",
        }
    }
    for side in SIDES:
        if len(predictions.of(side)):
            figures[side] = _side(predictions.of(side))
    figures["mistakes"] = mistakes
    return ClassReport(figures, test, _tensors(run, [each["id"] for each in mistakes]))


def evaluate_classes(run: Path, as_json: bool = False) -> str:
    """Metrics of a classifier's run on what it held back, as text tables or JSON. Raises ConfigError as `collect`."""
    predictions = read_predictions(run)
    found: dict[str, Any] = {}
    text = []
    for side in SIDES:
        rows = predictions.of(side)
        if not len(rows):
            continue
        called = rows.scores.argmax(axis=1)
        counts = confusion(rows.labels, called, len(rows.classes))
        found[side] = class_metrics(rows.scores, rows.labels, rows.groups.tolist(), rows.classes)
        text.append(f"{side}:\n{table(found[side])}\n\n{confusion_text(counts, rows.classes)}")
    return json.dumps(plain(found), indent=1) if as_json else "\n\n".join(text)


def _side(rows: ClassPredictions) -> dict[str, Any]:
    """Figures of one split: metrics with their intervals over groups, confusion matrix, reliability."""
    called, sure = rows.scores.argmax(axis=1), rows.scores.max(axis=1)
    right = (called == rows.labels).astype(int)
    return {
        "pictures": len(rows),
        "groups": len(set(rows.groups.tolist())),
        "by_class": {name: int((rows.labels == k).sum()) for k, name in enumerate(rows.classes)},
        "metrics": class_metrics(rows.scores, rows.labels, rows.groups.tolist(), rows.classes),
        "auc": auc_by_class(rows),
        "confusion": confusion(rows.labels, called, len(rows.classes)).tolist(),
        "calibration_error": ece(right, sure),
        "reliability": [
            {"stated": mean, "right": share, "half_width": half, "pictures": n}
            for mean, share, half, n in reliability(right, sure)
        ],
    }


def auc_by_class(rows: ClassPredictions) -> dict[str, dict[str, float]]:
    """AUC of each class against the rest, with its interval over groups."""
    samples = BootstrapSamples(rows.groups)
    found = {}
    for k, name in enumerate(rows.classes):
        one = samples.auc((rows.labels == k).astype(int), rows.scores[:, k])
        found[name] = {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
    return found


def worst_mistakes(rows: ClassPredictions) -> list[dict[str, Any]]:
    """Mistakes of which the model was surest, the worst first."""
    called, sure = rows.scores.argmax(axis=1), rows.scores.max(axis=1)
    wrong = np.flatnonzero(called != rows.labels)
    return [
        {
            "id": str(rows.ids[i]),
            "group": str(rows.groups[i]),
            "label": rows.classes[int(rows.labels[i])],
            "called": rows.classes[int(called[i])],
            "score": round(float(sure[i]), 4),
            "score_of_label": round(float(rows.scores[i, rows.labels[i]]), 4),
        }
        for i in wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES].tolist()
    ]


def _tensors(run: Path, ids: list[str]) -> dict[str, NDArray[np.uint8]]:
    """Kept tensors of these pictures by id."""
    if not (run / "eval.npz").is_file():
        return {}
    with np.load(run / "eval.npz") as file:
        places = {name: i for i, name in enumerate(file["ids"].tolist()) if name in ids}
        tensors = file["tensors"] if places else np.empty(0)
    return {name: tensors[i] for name, i in places.items()}
