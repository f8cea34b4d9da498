"""Page of a classifier's report: sections in the order in which a reader asks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from training.evaluation.bootstrap import MetricInterval
from training.reporting import plots
from training.reporting.page import Page, number, span
from training.reporting.pictures import data_uri, enlarged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from training.reporting.class_figures import ClassReport

NOTICE = (
    "Research use only. This is not a medical device and must not guide care. A score in this report holds for "
    "pictures like these, and for nothing else."
)
CARDS = (("accuracy", "accuracy"), ("f1 macro", "macro F1"), ("auc", "AUC"), ("recall macro", "macro recall"))
COLUMNS = ("recall", "precision", "f1", "specificity")
CURVES = 28
"""Most classes whose curves are drawn in one plot."""
FEW = 5
"""Pictures in a bin of the reliability diagram; fewer say nothing."""


def build_class_page(report: ClassReport) -> Page:
    """Build the page with all sections of what was collected."""
    about, test = report.figures["about"], report.figures["test"]
    page = Page(
        f"What the model is worth: {about['run']}",
        f"{test['pictures']} held-back {about['of']} of {test['groups']} groups, {len(about['classes'])} classes; "
        f"recipe {about['recipe']}. The float model's own scores; the bundle's card has those of the 8-bit model.",
        NOTICE,
    )
    for name, words in CARDS:
        one = _interval(test["metrics"][name])
        page.cards.append((words, number(one.value), span(one)))
    _classes(page, about["classes"], test)
    _confusion(page, about["classes"], test)
    _curves(page, report)
    _mistakes(page, report)
    _method(page, report)
    return page


def _classes(page: Page, classes: list[str], test: dict[str, Any]) -> None:
    page.section("By class", "Each class against the rest. Small print: 95 % interval, drawn over groups (patients).")
    rows: list[list[Any]] = [
        [name, test["by_class"][name]]
        + [_interval(test["metrics"][f"{column} {name}"]) for column in COLUMNS]
        + [_interval(test["auc"][name])]
        for name in classes
    ]
    macro = [_interval(test["metrics"][f"{column} macro"]) for column in COLUMNS[:3]]
    rows.append(["mean over the classes", test["pictures"], *macro, None, _interval(test["metrics"]["auc"])])
    page.table(["class", "pictures", "recall", "precision", "F1", "specificity", "AUC"], rows)
    if "dice" in test["metrics"]:
        one = _interval(test["metrics"]["dice"])
        page.note(f"Dice of the lesion mask: {number(one.value)} ({span(one)}).")


def _confusion(page: Page, classes: list[str], test: dict[str, Any]) -> None:
    page.section("Confusion matrix", "Rows: the truth. Columns: the class with the highest score.")
    page.table(["", *classes], [[name, *row] for name, row in zip(classes, test["confusion"], strict=True)])


def _curves(page: Page, report: ClassReport) -> None:
    rows, test = report.test, report.figures["test"]
    page.section(
        "Ranks and scores",
        "Left: each class against the rest. Right: of the pictures whose highest score is so high, how many have the "
        "right class; on the dotted line a score means what it says.",
    )
    shown = [k for k, name in enumerate(rows.classes) if 0 < test["by_class"][name] < len(rows)][:CURVES]
    roc = {rows.classes[k]: ((rows.labels == k).astype(int), rows.scores[:, k]) for k in shown}
    called, sure = rows.scores.argmax(axis=1), rows.scores.max(axis=1)
    right = (called == rows.labels).astype(int)
    page.plots(
        plots.roc_curves(roc, ("pictures of other classes called it", "pictures of the class called it")),
        plots.reliability_diagram({"highest score": (right, sure)}, "share with the right class", FEW),
    )
    page.note(
        f"Calibration error (ECE, ten bins) {number(test['calibration_error'])}. Export fits a temperature to it."
    )


def _mistakes(page: Page, report: ClassReport) -> None:
    mistakes = report.figures["mistakes"]
    if not mistakes:
        page.section("Worst mistakes", "No picture was given a wrong class.")
        return
    page.section("Worst mistakes", "Wrong classes of which the model was surest. Look at them: labels are wrong, too.")
    page.table(
        ["picture", "group", "truth", "called", "score", "score of the truth"],
        [[m["id"], m["group"], m["label"], m["called"], m["score"], m["score_of_label"]] for m in mistakes],
    )
    page.pictures(
        [
            (data_uri(_enlarge(report.pictures[m["id"]])), f"{m['label']}, called {m['called']}", m["id"])
            for m in mistakes
            if m["id"] in report.pictures
        ]
    )


def _method(page: Page, report: ClassReport) -> None:
    page.section(
        "How this was made",
        "The pictures of the split test, none of which the model was trained or stopped on. Intervals draw groups, not "
        "pictures: two pictures of one patient are not two observations. Where no groups were given, each picture is "
        "its own, and intervals are too narrow if patients have several.",
    )
    for side, words in (("val", "validation pictures"), ("oof", "pictures out of fold, by models without them")):
        found = report.figures.get(side)
        if found is not None:
            one, error = _interval(found["metrics"]["f1 macro"]), number(found["calibration_error"])
            page.note(f"On {found['pictures']} {words}: macro F1 {number(one.value)} ({span(one)}), ECE {error}.")


def _interval(figure: dict[str, float]) -> MetricInterval:
    return MetricInterval(figure["value"], figure["low"], figure["high"], int(figure["n"]))


def _enlarge(tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture (h, w, channels) as BGR, twice as large."""
    colour = tensor if tensor.shape[2] == 3 else np.repeat(tensor, 3, axis=2)
    return np.asarray(cv2.resize(colour[..., ::-1], enlarged(tensor), interpolation=cv2.INTER_CUBIC), np.uint8)
