"""Make the bundle of a classifier's training run: READ `make_classifier_bundle`, it is the whole of it."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.adopt.adopt import RUNTIME
from edge.adopt.computed_cases import compute_cases, load_foreign
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.golden_pictures import cases_kept, most_different
from edge.adopt.metadata import write_metadata
from edge.adopt.settle import DEFAULT_THRESHOLD
from edge.adopt.signed_graph import with_signature
from edge.adopt.write_bundle import write_label_bundle
from edge.contracts.errors import UsageError
from edge.contracts.manifest import ANATOMY, LABELS, ClassificationManifest, Golden, HeadSpec, LabelRules
from edge.postprocess.dequantise import dequantise
from export import model_card
from export.classifier_calibration import fit_rules, scores_of
from export.classifier_card import render_classifier_card
from export.classifier_metrics import classifier_metrics, out_of_fold_metrics, share_metric
from export.classifier_run import class_output
from export.converted_graph import check_quantisation
from export.golden.tolerances import measure_tolerances
from export.out_of_fold import out_of_fold, quantise_classifier
from export.predict import run_graph
from export.quantisation.convert import run_float
from export.thresholds import anatomy_limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import Metric
    from edge.models.bundle import Bundle
    from export.classifier_run import ClassifierRun, LabelledPictures

NOT_SHOWN = [
    "pictures of other hospitals, scanners and patients than its training data's: how it does there is not known",
    "pictures that show none of its labels: it gives them one all the same, or says that it is too uncertain",
]


@dataclass(frozen=True)
class ClassifierBundle:
    """A bundle that was made of a classifier's run, and how far its int8 model is from the float one."""

    bundle: Bundle
    mean_dp: float
    """Mean absolute difference of int8 and float probabilities on held-back pictures, before calibration."""
    worst_dp: float
    """The largest of these differences."""
    agree: float
    """Share of held-back pictures that both put in the same class."""


def make_classifier_bundle(
    run: ClassifierRun,
    out: Path,
    progress: Callable[[str], None],
    *,
    name: str,
    version: str,
    licence: str = "",
    clear_label: str | None = None,
    tflite_runtime: Path | None = None,
) -> ClassifierBundle:
    """Make the bundle of a classifier's run, write it to ``out``, and read it back through the device's own checks.

    ``clear_label``: label that means that there is nothing to find. ``tflite_runtime``: a Python that has it, whose
    kernels the golden tolerances then take in; None: left out. Raises UsageError for a ``clear_label`` that is none,
    EdgeError where the model cannot be quantised as devices need it.
    """
    names = run.record.classes
    if clear_label is not None and clear_label not in names:
        raise UsageError(f"{clear_label!r} is no label of the run", hint=f"it has {', '.join(names)[:200]}")
    progress(f"quantise {run.path / 'saved_model'} with {len(run.representative)} pictures")
    graph = quantise_classifier(run)
    check_quantisation(graph)
    graph, draft = _describe(graph, run, name, version, licence)
    found, held = _outputs(graph, draft, run.val), out_of_fold(run, progress)
    if held is None:
        rules = fit_rules(found[LABELS], run.val.labels, names, clear_label)
    else:
        rules = fit_rules(held.int8, held.labels, names, clear_label, held.pictures)
    progress(f"temperature and thresholds: {rules.method}")
    if ANATOMY in found:
        rules = msgspec.structs.replace(rules, **anatomy_limits(found[ANATOMY].reshape(-1).astype(np.float64)))
    progress(f"measure on {len(run.test)} held-back pictures")
    draft = msgspec.structs.replace(draft, labels=rules)
    metrics, int8, floats = measure_classifier(graph, draft, run)
    if held is not None:
        metrics += out_of_fold_metrics(held.int8, held.floats, held.labels, held.groups, len(names), held.pictures)
    bundle = _prove_and_write(graph, msgspec.structs.replace(draft, metrics=metrics), out, progress, tflite_runtime)
    apart = np.abs(int8 - floats)
    agree = float((int8.argmax(1) == floats.argmax(1)).mean())
    return ClassifierBundle(bundle, float(apart.mean()), float(apart.max()), agree)


def measure_classifier(
    graph: bytes, manifest: ClassificationManifest, run: ClassifierRun
) -> tuple[list[Metric], NDArray[np.float32], NDArray[np.float32]]:
    """Metrics on the run's test pictures, and the probabilities (n, k) of the int8 and the float model behind them."""
    names, rules = manifest.heads[LABELS].class_names, manifest.labels
    found, raw = _outputs(graph, manifest, run.test), run_float(run.path / "saved_model", run.test.tensors)
    int8, floats = found[LABELS], raw[class_output(raw)]
    data = f"{len(run.test)} held-back pictures of the run, of {len(set(run.test.groups.tolist()))} groups"
    metrics = classifier_metrics(
        scores_of(int8, rules),
        scores_of(floats, rules),
        run.test.labels,
        run.test.groups,
        names,
        np.array([rules.threshold_of(label) for label in names]),
        data,
    )
    if rules.anatomy is not None:
        refused = (found[ANATOMY].reshape(-1) < rules.anatomy).astype(np.float64)
        metrics.append(share_metric("own pictures refused by the gate", refused, run.test.groups, data))
        metrics += model_card.anatomy_gate_metrics(run.metrics)
    return metrics, int8, floats


def _describe(
    graph: bytes, run: ClassifierRun, name: str, version: str, licence: str
) -> tuple[bytes, ClassificationManifest]:
    """The graph with signature and metadata, and its manifest, still without rules, metrics and tolerances."""
    record = run.record
    recipe = record.recipe.picture_recipe()
    model = read_foreign_model(graph)
    outputs = dict(zip((LABELS, ANATOMY), model.outputs, strict=False))  # in this order, by `order_outputs`
    text = write_metadata(name, f"{record.task}. {model_card.NOTICE}", version, licence, recipe, tuple(outputs)[1:])
    graph = with_signature(model, {head: number for head, (_, number, _) in outputs.items()}, text)
    specs = {head: HeadSpec(tensor=spec) for head, (_, _, spec) in outputs.items()}
    return graph, ClassificationManifest(
        judges="classification",
        name=name,
        version=version,
        task=record.task,
        body_part=record.recipe.body_part,
        licence=licence,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=model.input,
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={**specs, LABELS: HeadSpec(tensor=specs[LABELS].tensor, class_names=record.classes)},
        golden=Golden(max_abs_diff={"xnnpack": 0}),
        training_data=record.recipe.data,
        metrics=[],
        not_shown=NOT_SHOWN,
        git_revision=record.git_revision,
        created=record.created,
        labels=LabelRules(output="probabilities", threshold=DEFAULT_THRESHOLD),
    )


def _outputs(
    graph: bytes, manifest: ClassificationManifest, pictures: LabelledPictures
) -> dict[str, NDArray[np.float32]]:
    """Real values (n, …) of each head that the graph gives for pictures."""
    raw = run_graph(graph, pictures.tensors)
    return {
        name: dequantise(raw[name], head.tensor).reshape(len(pictures), -1) for name, head in manifest.heads.items()
    }


def _prove_and_write(
    graph: bytes,
    manifest: ClassificationManifest,
    out: Path,
    progress: Callable[[str], None],
    tflite_runtime: Path | None,
) -> Bundle:
    """Compute golden vectors of made pictures, measure their tolerances, and write what proves itself."""
    progress("compute golden vectors of made pictures")
    with closing(load_foreign(graph, manifest, out, RUNTIME)) as runtime:
        cases = compute_cases(runtime, manifest)
        golden = most_different(cases, LABELS, cases_kept(cases[0].tensor.nbytes))
        tolerances = measure_tolerances(graph, golden, progress, tflite_runtime)
        manifest = msgspec.structs.replace(manifest, golden=tolerances)
        card, model = render_classifier_card(manifest, len(graph), len(golden)), f"{manifest.name} {manifest.version}"
        return write_label_bundle(graph, manifest, golden, card, out, runtime, model)
