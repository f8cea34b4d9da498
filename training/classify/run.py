"""Run of a classifier from beginning to end: READ `run_classifier`, it is the whole of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from edge.process.git_revision import git_revision
from training.classify.cache import SampleCache
from training.classify.folder import has_groups, list_folder
from training.classify.folds import train_folds
from training.classify.gate_stage import check_gate_possible, gate_classifier
from training.classify.held_tensors import write_tensors
from training.classify.mask_folder import check_masked, list_masked
from training.classify.mask_metrics import mask_metrics
from training.classify.metrics import class_metrics, confusion, confusion_text, table, with_interval
from training.classify.phantom_dataset import render_dataset, render_unseen
from training.classify.predictions_file import read_predictions, write_predictions
from training.classify.read_check import readable_pictures
from training.classify.recipe import ClassifierRecipe, ClassifierRecord
from training.classify.split import ListedPicture, check_listing, split_pictures
from training.run_record import next_commands, write_record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import keras
    from numpy.typing import NDArray


def run_classifier(
    recipe: ClassifierRecipe,
    data: Path | None,
    out: Path,
    log: Callable[[str], None],
    *,
    skip_broken: bool = False,
    tensorboard: bool = False,
    gate_negatives: Path | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run a classifier: list and check pictures, train, evaluate, and write what export reads.

    ``gate_negatives``: folder of other organs, which an anatomy gate learns to refuse; None: no gate. ``ready`` is
    called when the data is, before TensorFlow starts.
    """
    if gate_negatives is not None:
        check_gate_possible(recipe)
    pictures, classes = collect_pictures(recipe, data, out, log, skip_broken)
    ready()
    from training.classify.distribute import barrier, is_chief
    from training.classify.loop import train

    model, strategy = train(recipe, pictures, classes, out, log, tensorboard)
    if is_chief(recipe):
        if recipe.network.heads == "mask":
            write_mask_run(model, recipe, pictures, classes, out, log)
        else:
            folds = train_folds(recipe, pictures, classes, out, log) if recipe.folds else []
            write_run(model, recipe, pictures, classes, out, log, gate_negatives, folds)
        log(f"done: {out}\n{next_commands(out)}")
    if strategy.num_replicas_in_sync > 1:
        barrier(strategy)


def collect_pictures(
    recipe: ClassifierRecipe, data: Path | None, out: Path, log: Callable[[str], None], skip_broken: bool = False
) -> tuple[list[ListedPicture], list[str]]:
    """Collect all readable pictures, each with its split, and the classes' names.

    Raises UsageError without data, ConfigError for data that cannot be learnt from.
    """
    if recipe.render is not None and data is None:
        data = render_dataset(out / "pictures", recipe.render, recipe.seed)
        render_unseen(out / "unseen", recipe.render, recipe.seed)
    if data is None:
        raise UsageError(f"the recipe {recipe.name} wants --data", hint="--data names a folder of class folders")
    masked = recipe.network.heads == "mask"
    listed, classes = list_masked(data, recipe, skip_broken) if masked else list_folder(data, recipe)
    listed = [replace(p, colour=recipe.colour == "rgb") for p in listed]
    if listed and len(classes) > 1:
        listed = readable_pictures(listed, skip_broken, log)
        if not has_groups(data, recipe) and not any(p.split for p in listed):
            log(
                "no groups: each picture counts as its own patient. If some show the same patient, figures are too "
                "good; `python -m training check DIR --write-groups` groups look-alikes"
            )
        listed = split_pictures(listed, recipe.split, recipe.seed)
    if masked:
        check_masked(listed, classes)
    else:
        check_listing(listed, classes)
    sizes = {side: sum(p.split == side for p in listed) for side in ("train", "val", "test")}
    log(f"{len(listed)} pictures of {', '.join(classes)}: " + ", ".join(f"{n} {side}" for side, n in sizes.items()))
    return listed, classes


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
    from training.classify.mask_predictions import MaskPredictions, join_predictions, predict_masks
    from training.classify.mask_predictions import write_mask_predictions as write
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
