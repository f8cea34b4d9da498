"""Evaluation of a model on the pictures of a CSV table, for ``training eval MODEL CSV``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from edge.contracts.errors import ConfigError, UsageError
from edge.contracts.manifest import LABELS, LESION_MASK, MALIGNANCY, ClassificationManifest
from edge.postprocess.dequantise import dequantise
from edge.preprocess.preprocessor import Preprocessor
from edge.preprocess.recipes import make_preprocessor
from training.augment.geometry import mask_to_tensor
from training.classify.metrics import class_metrics, confusion, confusion_text, with_interval
from training.classify.pictures import read_grey, read_mask, read_pixels
from training.evaluation.metrics import dice
from training.inspect.evaluate_mask_table import evaluate_mask_table, is_segmentation
from training.inspect.model_functions import interpreter, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.models.bundle import Bundle
    from edge.preprocess.picture_preprocessor import PicturePreprocessor

    Heads = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class TableRow:
    """One picture of the CSV table, with its label, group and mask."""

    path: Path
    label: int
    group: str
    mask: Path | None


@dataclass(frozen=True)
class EvaluatedModel:
    """Model of any kind, bundle or run, as a function of one tensor."""

    classes: list[str]
    head: str
    """Name of the output that holds the probabilities of the classes."""
    preprocess: Preprocessor | PicturePreprocessor
    run: Callable[[NDArray[Any]], Heads]
    """Maps a tensor (1, height, width, channels) to real values by head, without the batch axis."""
    threshold: float | None = None
    """Threshold on the second class; None: the likeliest class is called."""
    mask_level: float = 0.5


def evaluate_table(model_path: Path, table: Path) -> tuple[dict[str, dict[str, float]], str]:
    """Evaluate a model on a table: metrics with 95 % intervals over groups, and the confusion matrix as text.

    Raises ConfigError for a table without rows, of one class alone, or with labels that the model does not know, and
    for pictures that cannot be read; ModelError or ConfigError for what is no model.
    """
    if is_segmentation(model_path):
        return evaluate_mask_table(model_path, table)
    model = open_model(model_path)
    rows = read_table(table, model.classes)
    preprocess, recipe = model.preprocess, model.preprocess.recipe
    scores, dice_scores = [], []
    for row in tqdm(rows, desc="judge", mininterval=2):
        pixels = read_grey(row.path) if recipe.version == 1 else read_pixels(row.path)
        tensor, box = preprocess(pixels)
        heads = model.run(tensor)
        scores.append(heads[model.head])
        if row.mask is not None and LESION_MASK in heads:
            mask = read_mask(row.mask, (pixels.shape[0], pixels.shape[1]))
            truth = mask_to_tensor(mask, box, recipe.width, recipe.height)
            dice_scores.append(dice(_upsampled(heads[LESION_MASK], truth.shape) >= model.mask_level, truth > 0))
        else:
            dice_scores.append(float("nan"))
    labels, values = np.array([row.label for row in rows]), np.stack(scores).astype(np.float64)
    groups = [row.group for row in rows]
    called = values.argmax(1) if model.threshold is None else (values[:, 1] >= model.threshold).astype(int)
    figures = class_metrics(values, labels, groups, model.classes, called=called)
    if np.isfinite(dice_scores).any():
        known = np.flatnonzero(np.isfinite(dice_scores))
        each = np.array(dice_scores)[known]
        figures["dice"] = with_interval(lambda r: float(each[r].mean()), [groups[i] for i in known])
    return figures, confusion_text(confusion(labels, called, len(model.classes)), model.classes)


def read_table(table: Path, classes: list[str]) -> list[TableRow]:
    """Read a table of ``path,label[,group][,mask]``; paths are below the table's folder, labels names or numbers.

    Raises ConfigError for a table that is missing, lacks columns, has unknown labels or one class alone.
    """
    if not table.is_file():
        raise ConfigError(f"{table} does not exist", hint="a CSV file: path,label and, if known, group and mask")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"path", "label"} <= set(reader.fieldnames or ()):
            raise ConfigError(
                f"{table}: expected the columns path, label and perhaps group, mask, got {reader.fieldnames}",
                hint="the first line names the columns",
            )
        numbers = {name: n for n, name in enumerate(classes)} | {str(n): n for n in range(len(classes))}
        rows = []
        for line in reader:
            if line["label"] not in numbers:
                raise ConfigError(
                    f"{table}, line {reader.line_num}: expected one of {', '.join(classes)}, got {line['label']!r}",
                    hint="labels are the model's class names, or their numbers from 0",
                )
            mask = line.get("mask") or ""
            rows.append(
                TableRow(
                    table.parent / line["path"],
                    numbers[line["label"]],
                    line.get("group") or line["path"],
                    table.parent / mask if mask else None,
                )
            )
    if len({row.label for row in rows}) < 2:
        raise ConfigError(f"{table}: expected pictures of two classes or more", hint="one class cannot be told apart")
    return rows


def open_model(path: Path) -> EvaluatedModel:
    """Open a bundle of any kind, or the folder of a run."""
    if path.is_dir():
        return _saved_model(path)
    from edge.models.bundle import load_bundle

    bundle = load_bundle(path)
    if isinstance(bundle.manifest, ClassificationManifest):
        return _classifier(bundle, bundle.manifest)
    return _bundle(bundle)


def _bundle(bundle: Bundle) -> EvaluatedModel:
    from edge.postprocess.model_outputs import calibrate

    manifest = bundle.lesion_manifest
    step = manifest.heads[MALIGNANCY].tensor.scale
    invoke = interpreter(bundle.model_bytes)

    def run(tensor: NDArray[Any]) -> Heads:
        raw = invoke(tensor)
        heads = {name: dequantise(raw[name], head.tensor)[0] for name, head in manifest.heads.items()}
        presence = float(heads[LESION_MASK].max().clip(0, 1))
        p = calibrate(float(heads[MALIGNANCY][1]), manifest.calibration, step, presence)
        return heads | {MALIGNANCY: np.array([1 - p, p])}

    t = manifest.thresholds
    preprocess = Preprocessor(manifest.recipe)
    return EvaluatedModel(list(bundle.labels), MALIGNANCY, preprocess, run, t.malignancy, t.lesion)


def _classifier(bundle: Bundle, manifest: ClassificationManifest) -> EvaluatedModel:
    from edge.postprocess.classify import label_probabilities

    invoke, spec = interpreter(bundle.model_bytes), manifest.heads[LABELS].tensor

    def run(tensor: NDArray[Any]) -> Heads:
        values = dequantise(invoke(tensor)[LABELS], spec).astype(np.float64).reshape(-1)
        return {LABELS: label_probabilities(values, manifest.labels)}

    return EvaluatedModel(list(bundle.labels), LABELS, make_preprocessor(manifest), run)


def _saved_model(run: Path) -> EvaluatedModel:
    from training.classify.item_sample import make_preprocessor as preprocessor_of
    from training.classify.recipe import load_classifier_record
    from training.recipe import load_record

    if not (run / "saved_model").is_dir():
        raise UsageError(f"{run} is not a whole run", hint="give a .tflite, or the folder that training run --out made")
    try:
        record = load_classifier_record(run)
        preprocess, classes = preprocessor_of(record.recipe), record.classes
        head = MALIGNANCY if record.recipe.network.heads == "bundle" else "classes"
    except ConfigError:
        preprocess, classes = Preprocessor(load_record(run).recipe.preprocess), ["benign", "malignant"]
        head = MALIGNANCY
    return EvaluatedModel(classes, head, preprocess, served(run))


def _upsampled(mask: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Mask head (h, w, 1) upsampled to ``shape`` (height, width), bilinear, as on the device."""
    import cv2

    wide: NDArray[np.float32] = cv2.resize(
        mask[..., 0].astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return wide
