"""Export a classifier's training run to a plain int8 ``.tflite`` with labels, that any TFLite tool runs."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.contracts.classifier import ClassifierCard
from edge.contracts.errors import UsageError
from edge.contracts.manifest import DataSource, Metric, PreprocessRecipe
from edge.models.bundle_file import CLASSIFIER_JSON
from edge.models.classifier import load_classifier
from edge.postprocess.model_outputs import dequantise
from export import model_card
from export.bundle_file import append_zip, write_atomically
from export.converted_graph import add_metadata, check_quantisation, order_outputs
from export.metrics import bootstrap_interval
from export.predict import run_graph
from export.quantisation.convert import run_float
from export.quantisation.full_integer import quantise
from export.tflite_metadata import write_metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.models.classifier import Classifier
    from edge.models.graph import Graph

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEAD = "classes"
HINT = "make one with: python -m training run --recipe folder --data DIR --out runs/<id>"


class ClassifierExportRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What export needs of a classifier's training recipe."""

    name: str
    body_part: str
    preprocess: PreprocessRecipe
    data: list[DataSource] = []


class ClassifierRunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a classifier's training run, its ``recipe.toml``."""

    recipe: ClassifierExportRecipe
    git_revision: str
    created: str
    task: str
    classes: list[str]


@dataclass(frozen=True)
class ClassifierExport:
    """An exported classifier, and how far its int8 model is from the float one."""

    file: Classifier
    mean_dp: float
    """Mean absolute difference of int8 and float probabilities on held-back pictures."""
    worst_dp: float
    """The largest of these differences."""
    agree: float
    """Share of held-back pictures that both put in the same class."""


def make_classifier(
    run: Path, out: Path, name: str | None, version: str, progress: Callable[[str], None]
) -> ClassifierExport:
    """Quantise the run's model, compare it with the float one on held-back pictures, write ``out`` and read it back.

    ``name``: of the model; None: the recipe's name. ``progress``: called with each line of progress.

    Raises UsageError for a folder that is no classifier's run, EdgeError where the model cannot be quantised.
    """
    record = _open(run)
    with np.load(run / "representative.npz") as file:
        representative = file["tensors"]
    with np.load(run / "eval.npz") as file:
        held = {key: file[key] for key in ("tensors", "labels", "groups")}
    progress(f"quantise {run / 'saved_model'} with {len(representative)} pictures")
    graph = order_outputs(quantise(run / "saved_model", representative), (HEAD,))
    found = check_quantisation(graph)
    progress(f"compare int8 with float on {len(held['tensors'])} held-back pictures")
    int8 = dequantise(run_graph(graph, held["tensors"])[HEAD], found.outputs[HEAD])
    floats = run_float(run / "saved_model", held["tensors"])[HEAD]
    name = name or record.recipe.name
    graph = add_metadata(graph, _standard_metadata(record, name, version))
    metrics = [
        _accuracy("accuracy", int8, held, "the int8 model"),
        _accuracy("accuracy, float", floats, held, "the float model"),
    ]
    card = _make_card(record, name, version, hashlib.sha256(graph).hexdigest(), found, metrics)
    members = {
        "labels.txt": "\n".join(record.classes).encode(),
        CLASSIFIER_JSON: msgspec.json.format(msgspec.json.encode(card), indent=1),
    }
    write_atomically(out, append_zip(graph, members))
    apart = np.abs(int8 - floats)
    agree = float((int8.argmax(1) == floats.argmax(1)).mean())
    return ClassifierExport(load_classifier(out), float(apart.mean()), float(apart.max()), agree)


def _standard_metadata(record: ClassifierRunRecord, name: str, version: str) -> bytes:
    return write_metadata(
        name=name,
        description=f"{record.task}. {model_card.NOTICE} All else stands in {CLASSIFIER_JSON}.",
        version=version,
        author="",
        licence="",
        outputs=[(HEAD, "Probabilities of the classes in labels.txt.")],
    )


def _make_card(
    record: ClassifierRunRecord, name: str, version: str, graph_sha256: str, found: Graph, metrics: list[Metric]
) -> ClassifierCard:
    return ClassifierCard(
        name=name,
        version=version,
        task=record.task,
        body_part=record.recipe.body_part,
        licence="",
        graph_sha256=graph_sha256,
        input=next(iter(found.inputs.values())),
        output=found.outputs[HEAD],
        class_names=record.classes,
        recipe=record.recipe.preprocess,
        recipe_sha256=record.recipe.preprocess.digest(),
        training_data=record.recipe.data,
        metrics=metrics,
        git_revision=record.git_revision,
        created=record.created,
    )


def _open(run: Path) -> ClassifierRunRecord:
    for name in ("recipe.toml", "saved_model", "representative.npz", "eval.npz"):
        if not (run / name).exists():
            raise UsageError(f"{run} is not a finished run: it has no {name}", hint=HINT)
    try:
        return msgspec.convert(tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8")), ClassifierRunRecord)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{run} is no classifier's run: {error}", hint=HINT) from error


def _accuracy(name: str, scores: NDArray[np.floating], held: dict[str, NDArray[Any]], of: str) -> Metric:
    """Share of right classes; ``scores`` (n, classes), ``held``: labels (n,) and groups (n,) of the same pictures."""
    right = (scores.argmax(axis=1) == held["labels"]).astype(float)
    value, low, high = bootstrap_interval(
        lambda weights: float((weights * right).sum() / weights.sum()), held["groups"]
    )
    return Metric(
        name=name,
        value=round(value, 4),
        low=round(low, 4),
        high=round(high, 4),
        data=f"{len(right)} held-back pictures of the run",
        n=len(right),
        method=f"{of}; bootstrap over groups",
    )
