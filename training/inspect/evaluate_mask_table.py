"""Evaluation of a segmentation on the pictures of a CSV table, for ``training eval MODEL CSV``."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import MASK, SegmentationManifest
from edge.models.bundle import load_bundle
from edge.postprocess.classify import label_probabilities
from edge.postprocess.dequantise import dequantise
from edge.preprocess.recipes import make_preprocessor
from training.classify.item_sample import classes_to_tensor
from training.classify.item_sample import make_preprocessor as preprocessor_of
from training.classify.mask_metrics import mask_metrics
from training.classify.metrics import confusion_text
from training.classify.pictures import read_colour, read_grey, read_mask, read_numbers
from training.classify.recipe import is_mask_run, load_classifier_record
from training.inspect.model_functions import interpreter, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.item_sample import AnyPreprocessor

COLUMNS = "path,mask[,label][,group]"


@dataclass(frozen=True)
class MaskModel:
    """Segmentation of any origin, bundle or run, as a function of one tensor."""

    classes: list[str]
    preprocess: AnyPreprocessor
    colour: bool
    run: Callable[[NDArray[Any]], NDArray[np.floating]]
    """Maps a tensor (1, height, width, channels) to probabilities (h, w, k)."""
    limits: list[float]
    """Probability from which a place is of each class; of the background 0."""


def is_segmentation(path: Path) -> bool:
    """Whether a path is the bundle or the run of a segmentation."""
    return is_mask_run(path) if path.is_dir() else load_bundle(path).manifest.judges == "segmentation"


def evaluate_mask_table(path: Path, table: Path) -> tuple[dict[str, dict[str, float]], str]:
    """Evaluate a segmentation on a table: metrics with 95 % intervals over groups, and pixels by class as text.

    The mask of a row with a label is white where that class is; without a label its pixels are numbers of classes, or
    white of the only one. An empty cell: there is nothing. Raises ConfigError for other tables and broken pictures.
    """
    model = _open(path)
    counts, groups = [], []
    for row in tqdm(_read(table), desc="judge", mininterval=2):
        picture = table.parent / row["path"]
        pixels = read_colour(picture) if model.colour else read_grey(picture)
        tensor, box = model.preprocess(pixels)
        truth = _truth(table, row, (pixels.shape[0], pixels.shape[1]), model.classes)
        size = (model.preprocess.recipe.width, model.preprocess.recipe.height)
        called = _called(model, tensor)
        wanted = classes_to_tensor(truth, box, *size).astype(np.int64)
        k = len(model.classes)
        counts.append(np.bincount(wanted.reshape(-1) * k + called.reshape(-1), minlength=k * k).reshape(k, k))
        groups.append(row.get("group") or row["path"])
    pixels_by_class = np.stack(counts)
    text = confusion_text(pixels_by_class.sum(axis=0), model.classes)
    return mask_metrics(pixels_by_class, groups, model.classes), f"pixels, {text}"


def _read(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        raise ConfigError(f"{table} does not exist", hint=f"a CSV file: {COLUMNS}")
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if not {"path", "mask"} <= set(reader.fieldnames or ()):
            raise ConfigError(
                f"{table}: expected the columns {COLUMNS}, got {reader.fieldnames}",
                hint="a segmentation is judged by masks; the first line names the columns",
            )
        rows = list(reader)
    if not any(row["mask"] for row in rows):
        raise ConfigError(f"{table} names no mask", hint="an empty cell says that there is nothing in a picture")
    return rows


def _truth(table: Path, row: dict[str, str], shape: tuple[int, int], classes: list[str]) -> NDArray[np.uint8]:
    """Mask (H, W) of class numbers."""
    if not row["mask"]:
        return np.zeros(shape, np.uint8)
    label = row.get("label") or (classes[1] if len(classes) == 2 else "")
    if label:
        if label not in classes:
            raise ConfigError(
                f"{table}: expected one of {', '.join(classes)}, got {label!r}", hint="labels are the model's classes"
            )
        return np.asarray(read_mask(table.parent / row["mask"], shape) * np.uint8(classes.index(label)), np.uint8)
    mask = read_numbers(table.parent / row["mask"], shape)
    if int(mask.max()) >= len(classes):
        raise ConfigError(
            f"{row['mask']} has a pixel {mask.max()}, and classes are 0 to {len(classes) - 1}",
            hint="masks hold numbers of classes; or name the class of white pixels in a column label",
        )
    return mask


def _called(model: MaskModel, tensor: NDArray[Any]) -> NDArray[np.int64]:
    """Class of each pixel of the tensor: the likeliest, where it is at or over its limit; else the background."""
    recipe = model.preprocess.recipe
    maps = np.ascontiguousarray(model.run(tensor), np.float32)
    wide = cv2.resize(maps, (recipe.width, recipe.height), interpolation=cv2.INTER_LINEAR)
    best = wide.argmax(axis=2)
    sure = wide.max(axis=2) >= np.array(model.limits)[best]
    return np.where(sure, best, 0)


def _open(path: Path) -> MaskModel:
    if path.is_dir():
        record = load_classifier_record(path)
        run, recipe = served(path), record.recipe
        return MaskModel(
            record.classes,
            preprocessor_of(recipe),
            recipe.colour == "rgb",
            lambda tensor: run(tensor)[MASK],
            [0.0] * len(record.classes),
        )
    bundle = load_bundle(path)
    manifest = bundle.manifest
    assert isinstance(manifest, SegmentationManifest)  # noqa: S101  (`is_segmentation` said so)
    rules, names = manifest.areas, manifest.label_names
    if not rules.exclusive or len(names) < 2:
        raise ConfigError(
            f"{path} has labels that do not exclude each other", hint="only maps with a background are judged here"
        )
    spec, invoke = manifest.heads[MASK].tensor, interpreter(bundle.model_bytes)
    return MaskModel(
        names,
        make_preprocessor(manifest),
        manifest.recipe.colour == "rgb",
        lambda tensor: label_probabilities(dequantise(invoke(tensor)[MASK][0], spec), rules),
        [0.0, *(rules.threshold_of(name) for name in names[1:])],
    )
