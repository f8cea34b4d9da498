"""Evaluation of a model on the pictures of a CSV table, for ``training eval MODEL CSV``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from edge.contracts.errors import ConfigError, UsageError
from edge.contracts.manifest import LESION_MASK, MALIGNANCY
from edge.preprocess.preprocessor import Preprocessor
from training.augment.geometry import mask_to_tensor
from training.classify.metrics import class_metrics, confusion, confusion_text, with_interval
from training.classify.pictures import read_grey, read_mask
from training.evaluation.metrics import dice

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe

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
    """Model of any kind, bundle, plain classifier or run, as a function of one tensor."""

    classes: list[str]
    head: str
    """Name of the output that holds the probabilities of the classes."""
    recipe: PreprocessRecipe
    run: Callable[[NDArray[np.uint8]], Heads]
    """Maps a tensor (1, height, width, channels) uint8 to real values by head, without the batch axis."""
    threshold: float | None = None
    """Threshold on the second class; None: the likeliest class is called."""
    mask_level: float = 0.5


def evaluate_table(model_path: Path, table: Path) -> tuple[dict[str, dict[str, float]], str]:
    """Evaluate a model on a table: metrics with 95 % intervals over groups, and the confusion matrix as text.

    Raises ConfigError for a table without rows, of one class alone, or with labels that the model does not know, and
    for pictures that cannot be read; ModelError or ConfigError for what is no model.
    """
    model = open_model(model_path)
    rows = read_table(table, model.classes)
    preprocess = Preprocessor(model.recipe)
    scores, dice_scores = [], []
    for row in tqdm(rows, desc="judge", mininterval=2):
        grey = read_grey(row.path)
        tensor, box = preprocess(grey)
        heads = model.run(tensor)
        scores.append(heads[model.head])
        if row.mask is not None and LESION_MASK in heads:
            truth = mask_to_tensor(read_mask(row.mask, grey.shape), box, model.recipe.width, model.recipe.height)
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
    """Open a bundle, a plain classifier's ``.tflite``, or the folder of a run."""
    from edge.models.classifier import is_classifier

    if path.is_dir():
        return _saved_model(path)
    return _classifier(path) if is_classifier(path) else _bundle(path)


def _bundle(path: Path) -> EvaluatedModel:
    from edge.models.bundle import load_bundle
    from edge.postprocess.model_outputs import calibrate, dequantise

    bundle = load_bundle(path)
    manifest = bundle.lesion_manifest
    step = manifest.heads[MALIGNANCY].tensor.scale
    invoke = _interpreter(bundle.model_bytes)

    def run(tensor: NDArray[np.uint8]) -> Heads:
        raw = invoke(tensor)
        heads = {name: dequantise(raw[name], head.tensor)[0] for name, head in manifest.heads.items()}
        presence = float(heads[LESION_MASK].max().clip(0, 1))
        p = calibrate(float(heads[MALIGNANCY][1]), manifest.calibration, step, presence)
        return heads | {MALIGNANCY: np.array([1 - p, p])}

    t = manifest.thresholds
    return EvaluatedModel(list(bundle.labels), MALIGNANCY, manifest.recipe, run, t.malignancy, t.lesion)


def _classifier(path: Path) -> EvaluatedModel:
    from edge.models.classifier import load_classifier
    from edge.postprocess.model_outputs import dequantise

    loaded = load_classifier(path)
    invoke, head = _interpreter(loaded.graph), "classes"
    return EvaluatedModel(
        loaded.card.class_names,
        head,
        loaded.card.recipe,
        lambda t: {head: dequantise(invoke(t)[head], loaded.card.output)[0]},
    )


def _interpreter(graph: bytes) -> Callable[[NDArray[np.uint8]], Heads]:
    """Function of a tensor (1, h, w, c) uint8 to raw outputs by head name."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph, num_threads=1)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()
    return lambda tensor: runner(**{name: tensor})


def _saved_model(run: Path) -> EvaluatedModel:
    import tensorflow as tf

    from training.classify.recipe import load_classifier_record
    from training.recipe import load_record

    if not (run / "saved_model").is_dir():
        raise UsageError(f"{run} is not a whole run", hint="give a .tflite, or the folder that training run --out made")
    try:
        record = load_classifier_record(run)
        recipe, classes = record.recipe.preprocess, record.classes
        head = MALIGNANCY if record.recipe.network.heads == "bundle" else "classes"
    except ConfigError:
        recipe, classes, head = load_record(run).recipe.preprocess, ["benign", "malignant"], MALIGNANCY
    loaded = tf.saved_model.load(str(run / "saved_model"))
    serve = loaded.signatures["serving_default"]

    def call(tensor: NDArray[np.uint8], _alive: Any = loaded) -> Heads:  # the signature does not keep it alive
        found = serve(image=tf.constant(tensor, tf.float32))
        return {name: value.numpy()[0] for name, value in found.items()}

    return EvaluatedModel(classes, head, recipe, call)


def _upsampled(mask: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Mask head (h, w, 1) upsampled to ``shape`` (height, width), bilinear, as on the device."""
    import cv2

    wide: NDArray[np.float32] = cv2.resize(
        mask[..., 0].astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return wide
