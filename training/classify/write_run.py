"""Writing of a classifier's or segmentation's run after training: figures, predictions, tensors, model, record."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.process.git_revision import git_revision
from training.classify.cache import SampleCache
from training.classify.gate_stage import gate_classifier
from training.classify.held_tensors import write_tensors
from training.classify.mask_metrics import mask_metrics
from training.classify.metrics import class_metrics, confusion, confusion_text, table, with_interval
from training.classify.predictions_file import read_predictions, write_predictions
from training.classify.recipe import ClassifierRecipe, ClassifierRecord
from training.run_record import write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import NDArray

    from training.classify.split import ListedPicture


def write_run(
    model: keras.Model,
    recipe: ClassifierRecipe,
    pictures: Sequence[ListedPicture],
    classes: Sequence[str],
    out: Path,
    log: Callable[[str], None],
    gate_negatives: Path | None = None,
    folds: Sequence[Path] = (),
) -> None:
    """Fit the gate, if it is wanted, evaluate validation and test, and write every file that export reads.

    ``folds``: folders of the folds' runs. ``recipe.toml`` comes last: a folder that has it is a finished run.
    """
    from training.classify.saved_model import save_model

    figures: dict[str, Any] = {}
    rows: list[list[Any]] = []
    other = None
    if gate_negatives is not None:
        val = SampleCache([p for p in pictures if p.split == "val" and p.label >= 0], recipe, out / "cache")
        gated = gate_classifier(model, recipe, pictures, val, gate_negatives, log)
        model, figures["gate"], other = gated.model, gated.report, gated.tensors
    for side in ("val", "test"):
        held = SampleCache([p for p in pictures if p.split == side and p.label >= 0], recipe, out / "cache")
        if not len(held):
            continue  # a fold has no test
        scores = _evaluate_side(model, side, held, classes, figures, log)
        rows += [
            [p.id, p.group, classes[p.label], side, *(f"{s:.6f}" for s in each)]
            for p, each in zip(held.pictures, scores, strict=True)
        ]
    rows += _out_of_fold(folds, classes, figures, log)
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write_predictions(out, classes, rows)
    write_tensors(recipe, pictures, out, other)
    save_model(model, out / "saved_model")
    write_finished(recipe, classes, out)


def write_mask_run(
    model: keras.Model,
    recipe: ClassifierRecipe,
    pictures: Sequence[ListedPicture],
    classes: Sequence[str],
    out: Path,
    log: Callable[[str], None],
) -> None:
    """Evaluate a segmentation network on validation and test, and write every file that report and export read."""
    from training.classify.mask_predictions import MaskPredictions, join_predictions
    from training.classify.mask_predictions import write_mask_predictions as write
    from training.classify.predict_masks import predict_masks
    from training.classify.saved_model import save_model

    figures, parts = {}, []
    for side in ("val", "test"):
        held = SampleCache([p for p in pictures if p.split == side], recipe, out / "cache")
        ids, groups = (np.array([getattr(p, name) for p in held.pictures]) for name in ("id", "group"))
        counts, found = predict_masks(model, held)
        parts.append(MaskPredictions(list(classes), ids, groups, np.full(len(ids), side), counts, found))
        figures[side] = mask_metrics(counts, groups.tolist(), classes)
        log(f"{side}:\n{table(figures[side])}")
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    write(out, join_predictions(classes, parts))
    write_tensors(recipe, pictures, out)
    save_model(model, out / "saved_model")
    write_finished(recipe, classes, out)


def write_finished(recipe: ClassifierRecipe, classes: Sequence[str], out: Path) -> None:
    """Write ``recipe.toml``, the record of a finished run."""
    record = ClassifierRecord(
        recipe=recipe,
        git_revision=git_revision(Path(__file__).parent.parent),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        task=recipe.task,
        classes=list(classes),
        epochs_done=recipe.optimiser.epochs,
    )
    write_record(out, record)


def _evaluate_side(
    model: keras.Model,
    side: str,
    held: SampleCache,
    classes: Sequence[str],
    figures: dict[str, Any],
    log: Callable[[str], None],
) -> NDArray[np.floating]:
    """Predict one side of the split and put its metrics into ``figures``; return the scores (n, classes)."""
    from training.classify.networks import class_head
    from training.classify.predict import predict

    heads = predict(model, held)
    scores: NDArray[np.floating] = heads[class_head(model)]
    labels = np.array([p.label for p in held.pictures])
    groups = [p.group for p in held.pictures]
    figures[side] = class_metrics(scores, labels, groups, classes)
    if "dice" in heads:
        figures[side]["dice"] = with_interval(partial(_mean_of, heads["dice"]), groups)
    log(f"{side}:\n{table(figures[side])}")
    counts = confusion(labels, scores.argmax(axis=1), len(classes))
    figures[f"{side}_confusion"] = counts.tolist()
    if side == "test":
        log(confusion_text(counts, classes))
    return scores


def _out_of_fold(
    folds: Sequence[Path], classes: Sequence[str], figures: dict[str, Any], log: Callable[[str], None]
) -> list[list[Any]]:
    """Rows of ``predictions.csv`` of what the folds' models say of the parts that they never saw; their metrics."""
    if not folds:
        return []
    parts = [read_predictions(fold).of("val") for fold in folds]
    scores, labels = np.concatenate([p.scores for p in parts]), np.concatenate([p.labels for p in parts])
    groups, ids = np.concatenate([p.groups for p in parts]).tolist(), np.concatenate([p.ids for p in parts]).tolist()
    figures["oof"] = class_metrics(scores, labels, groups, classes)
    figures["oof_confusion"] = confusion(labels, scores.argmax(axis=1), len(classes)).tolist()
    log(f"out of fold:\n{table(figures['oof'])}")
    return [
        [ids[i], groups[i], classes[labels[i]], "oof", *(f"{s:.6f}" for s in scores[i])] for i in range(len(labels))
    ]


def _mean_of(values: NDArray[np.float64], rows: NDArray[np.int_]) -> float:
    return float(values[rows].mean())
