"""Report of a segmentation: figures by class from what its run held back, and the page with its worst pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.contracts.errors import ConfigError
from training.classify.mask_metrics import dice_by_picture, mask_metrics
from training.classify.mask_predictions import read_mask_predictions
from training.classify.metrics import confusion_text, table
from training.classify.recipe import load_classifier_record
from training.evaluation.bootstrap import MetricInterval
from training.reporting.class_page import NOTICE
from training.reporting.collect import plain
from training.reporting.page import Page, number, span
from training.reporting.pictures import data_uri, draw_outlines

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.mask_predictions import MaskPredictions

SIDES = ("val", "test")
WORST = 12
COLUMNS = ("dice", "iou", "pixel recall", "pixel precision", "missed", "found elsewhere")


def mask_report(run: Path) -> tuple[dict[str, Any], Page]:
    """Figures and page of a segmentation's run. Raises ConfigError where it is not whole."""
    record, predictions = load_classifier_record(run), read_mask_predictions(run)
    test = predictions.of("test")
    if not len(test):
        raise ConfigError(f"{run} held back no picture to test on", hint="set [split] test in the recipe")
    figures: dict[str, Any] = {
        "about": {
            "run": run.name,
            "recipe": record.recipe.name,
            "task": record.task,
            "created": record.created,
            "classes": predictions.classes,
        }
    }
    figures |= {side: _side(predictions.of(side)) for side in SIDES if len(predictions.of(side))}
    figures["mistakes"] = worst = _worst(test)
    return figures, _page(figures, _drawings(run, test, worst))


def evaluate_masks(run: Path, as_json: bool = False) -> str:
    """Metrics of a segmentation's run on what it held back, as text tables or JSON. Raises as `mask_report`."""
    predictions = read_mask_predictions(run)
    found: dict[str, Any] = {}
    text = []
    for side in SIDES:
        rows = predictions.of(side)
        if len(rows):
            found[side] = mask_metrics(rows.counts, rows.groups.tolist(), rows.classes)
            pixels = confusion_text(rows.counts.sum(axis=0), rows.classes)
            text.append(f"{side}:\n{table(found[side])}\n\npixels, {pixels}")
    return json.dumps(plain(found), indent=1) if as_json else "\n\n".join(text)


def _side(rows: MaskPredictions) -> dict[str, Any]:
    holds = rows.counts.sum(axis=2) > 0
    return {
        "pictures": len(rows),
        "groups": len(set(rows.groups.tolist())),
        "by_class": {name: int(holds[:, k].sum()) for k, name in enumerate(rows.classes) if k},
        "metrics": mask_metrics(rows.counts, rows.groups.tolist(), rows.classes),
        "confusion": rows.counts.sum(axis=0).tolist(),
    }


def _worst(rows: MaskPredictions) -> list[dict[str, Any]]:
    """Pictures and classes of the lowest Dice; of equal ones those with the most pixels first."""
    each = dice_by_picture(rows.counts)
    size = rows.counts.sum(axis=2) + rows.counts.sum(axis=1)
    places = [(i, k) for i in range(len(rows)) for k in range(1, each.shape[1]) if each[i, k] < 1]
    places.sort(key=lambda place: (each[place], -size[place]))
    return [
        {
            "id": str(rows.ids[i]),
            "group": str(rows.groups[i]),
            "class": rows.classes[k],
            "dice": round(float(each[i, k]), 4),
            "pixels": int(rows.counts[i, k].sum()),
            "found": int(rows.counts[i, :, k].sum()),
        }
        for i, k in places[:WORST]
    ]


def _page(figures: dict[str, Any], drawings: list[tuple[str, str, str]]) -> Page:
    about, test = figures["about"], figures["test"]
    page = Page(
        f"What the segmentation is worth: {about['run']}",
        f"{test['pictures']} held-back pictures of {test['groups']} groups, {len(about['classes']) - 1} classes beside "
        f"the background; recipe {about['recipe']}. The float model's own maps; the bundle's card has those in 8 bits.",
        NOTICE,
    )
    for name, words in (("dice macro", "Dice"), ("pixel accuracy", "pixel accuracy")):
        if name in test["metrics"]:
            one = _interval(test["metrics"][name])
            page.cards.append((words, number(one.value), span(one)))
    page.section(
        "By class",
        "Dice: mean over the pictures that hold the class. Missed: the share of these in which none of it is found. "
        "Found elsewhere: the share of the others in which it is. IoU, recall and precision are of all pixels "
        "together. Small print: 95 % interval, drawn over groups (patients).",
    )
    rows = []
    for name, count in test["by_class"].items():
        cells = (test["metrics"].get(f"{column} {name}") for column in COLUMNS)
        rows.append([name, count, *(None if cell is None else _interval(cell) for cell in cells)])
    page.table(["class", "pictures", "Dice", "IoU", "recall", "precision", "missed", "found elsewhere"], rows)
    page.section("Pixels", "Rows: the truth. Columns: the class with the highest score. Pixels of the tensor.")
    page.table(["", *about["classes"]], [[n, *row] for n, row in zip(about["classes"], test["confusion"], strict=True)])
    page.section("Worst pictures", "Green: the annotator's outline. Orange: the model's. Look: masks are wrong, too.")
    page.table(
        ["picture", "group", "class", "Dice", "pixels", "found"],
        [[m["id"], m["group"], m["class"], m["dice"], m["pixels"], m["found"]] for m in figures["mistakes"]],
    )
    page.pictures(drawings)
    return page


def _drawings(run: Path, test: MaskPredictions, worst: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Worst pictures with both outlines, of those whose tensors the run has kept."""
    with np.load(run / "eval.npz") as file:
        kept = {name: i for i, name in enumerate(file["ids"].tolist())}
        tensors, masks = file["tensors"], file["masks"]
    places = {name: i for i, name in enumerate(test.ids.tolist())}
    drawings = []
    for each in worst:
        if each["id"] not in kept:
            continue
        k, i = test.classes.index(each["class"]), kept[each["id"]]
        found = _enlarged(test.found[places[each["id"]]] == k, masks[i].shape)
        picture = np.ascontiguousarray(np.broadcast_to(tensors[i], (*masks[i].shape, 3))[..., ::-1])
        drawn = draw_outlines(picture, (masks[i] == k).astype(np.uint8), found)
        drawings.append((data_uri(drawn), f"{each['class']}, Dice {number(each['dice'])}", each["id"]))
    return drawings


def _enlarged(found: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    size = (shape[1], shape[0])
    return np.asarray(cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _interval(figure: dict[str, float]) -> MetricInterval:
    return MetricInterval(figure["value"], figure["low"], figure["high"], int(figure["n"]))
