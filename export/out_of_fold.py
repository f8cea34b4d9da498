"""What a classifier's 8-bit model says of pictures that it was not trained on: by its folds, or on validation pictures.

Temperature and thresholds are chosen by it (`export.classifier_calibration`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from export.classifier_run import class_output, open_classifier_run
from export.converted_graph import order_outputs, own_buffers
from export.predict import run_graph
from export.quantisation.convert import head_names, run_float
from export.quantisation.full_integer import quantise
from export.run_folder import check_patients_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from export.classifier_run import ClassifierRun, LabelledPictures

HINT = "run `python -m training run` with the same options again: it trains the folds that are missing"


@dataclass(frozen=True, eq=False)
class HeldOutScores:
    """Values of the class head for pictures that the model which gave them never saw. Row ``i`` is of picture ``i``."""

    int8: NDArray[np.floating]
    """(n, k) real values of the 8-bit model."""
    floats: NDArray[np.floating]
    """(n, k) of the float model."""
    labels: NDArray[np.int64]
    """(n,) numbers of the true classes."""
    groups: NDArray[np.str_]
    """(n,) the patient."""
    pictures: str
    """For people: which pictures, and judged by what."""


def out_of_fold(run: ClassifierRun, progress: Callable[[str], None]) -> HeldOutScores | None:
    """Quantise each fold's model, and pool what it says of its own part; None where the run has no folds.

    Raises UsageError where a fold is missing, or holds a patient of the test.
    """
    parts = []
    for number, place in enumerate(run.folds, 1):
        progress(f"fold {number} of {len(run.folds)}: quantise, judge the part that it never saw")
        fold = open_classifier_run(place, ("val",))
        check_patients_apart(fold.val.groups, run.test.groups, HINT)
        graph = quantise_classifier(fold)
        parts.append((class_values(graph, fold.val), _float_values(fold), fold.val))
    if not parts:
        return None
    groups = np.concatenate([held.groups for _, _, held in parts])
    return HeldOutScores(
        np.concatenate([int8 for int8, _, _ in parts]),
        np.concatenate([floats for _, floats, _ in parts]),
        np.concatenate([held.labels for _, _, held in parts]),
        groups,
        f"{len(groups)} pictures of {len(set(groups.tolist()))} groups, each judged by that of {len(parts)} models of "
        "the same recipe, in 8 bits, which had not learnt from it (out of fold)",
    )


def quantise_classifier(run: ClassifierRun) -> bytes:
    """Graph of the run's model in 8 bits: the classes first, then anatomy where it has such a head."""
    heads = head_names(run.path / "saved_model")
    classes = class_output(heads)
    order = (classes, *(head for head in heads if head != classes))
    return own_buffers(order_outputs(quantise(run.path / "saved_model", run.representative), order))


def class_values(graph: bytes, pictures: LabelledPictures) -> NDArray[np.float32]:
    """Real values (n, k) that a graph's class head gives for pictures."""
    raw = run_graph(graph, pictures.tensors)
    name = class_output(raw)
    return dequantise(raw[name], read_graph(graph).outputs[name]).reshape(len(pictures), -1)


def _float_values(run: ClassifierRun) -> NDArray[Any]:
    raw = run_float(run.path / "saved_model", run.val.tensors)
    return raw[class_output(raw)]
