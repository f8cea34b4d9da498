"""What each step before quantisation brings on a run of labels or masks, and which calls it turns.

Validation and test pictures are taken together: no step is chosen by them, and calls that turn are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import MASK
from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from export import classifier_parity, segmentation_parity
from export.classifier_run import LabelledPictures, class_output
from export.predict import run_graph
from export.quantisation.convert import convert, run_float
from export.quantisation.full_integer import RECIPES, quantise_float
from export.segmentation_run import MaskedPictures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from export.classifier_run import ClassifierRun
    from export.segmentation_run import SegmentationRun


def classifier_steps(run: ClassifierRun) -> Iterator[str]:
    """Lines of the table of a classifier, and the calls that the whole recipe turns."""
    fields = ("tensors", "labels", "groups")
    held = LabelledPictures(*(np.concatenate([getattr(side, f) for side in (run.val, run.test)]) for f in fields))
    raw = run_float(run.path / "saved_model", held.tensors)
    floats = raw[class_output(raw)]
    yield f"{'steps':12}{classifier_parity.HEAD}"
    yield _row("float", classifier_parity.cells(classifier_parity.classifier_row("float", floats, floats, held)))
    whole, found = convert(run.path / "saved_model", run.representative), floats
    for name, recipe in RECIPES.items():
        graph = quantise_float(whole, run.representative, recipe)
        values = run_graph(graph, held.tensors)
        head = class_output(values)
        found = dequantise(values[head], read_graph(graph).outputs[head]).reshape(len(held), -1)
        yield _row(name, classifier_parity.cells(classifier_parity.classifier_row(name, found, floats, held)))
    yield from turned_calls(found, floats, held.labels, run.record.classes)


def segmentation_steps(run: SegmentationRun) -> Iterator[str]:
    """Lines of the table of a segmentation."""
    fields = ("tensors", "masks", "groups")
    held = MaskedPictures(*(np.concatenate([getattr(side, f) for side in (run.val, run.test)]) for f in fields))
    floats = run_float(run.path / "saved_model", held.tensors)[MASK]
    yield f"{'steps':12}{segmentation_parity.HEAD}"
    yield _row("float", segmentation_parity.cells(segmentation_parity.parity_row("float", floats, floats, held)))
    whole = convert(run.path / "saved_model", run.representative)
    for name, recipe in RECIPES.items():
        graph = quantise_float(whole, run.representative, recipe)
        maps = dequantise(run_graph(graph, held.tensors)[MASK], read_graph(graph).outputs[MASK])
        yield _row(name, segmentation_parity.cells(segmentation_parity.parity_row(name, maps, floats, held)))


def turned_calls(
    found: NDArray[np.floating], floats: NDArray[np.floating], labels: NDArray[np.int64], names: Sequence[str]
) -> Iterator[str]:
    """Lines of the calls in which two models differ, with how near the float model's two highest scores were.

    ``found`` and ``floats``: (n, k) scores.
    """
    called, plain, ranked = found.argmax(axis=1), floats.argmax(axis=1), np.sort(floats, axis=1)
    turned = np.flatnonzero(called != plain)
    right, was = int((called == labels)[turned].sum()), int((plain == labels)[turned].sum())
    yield f"{len(turned)} of {len(labels)} calls differ from float; of these int8 has {right} right, float {was}"
    for i in turned.tolist():
        near = float(ranked[i, -1] - ranked[i, -2])
        yield f"  {names[labels[i]]}: float {names[plain[i]]} by {near:.3f}, int8 {names[called[i]]}"


def _row(name: str, cells: str) -> str:
    return f"{name:12}{cells}"
