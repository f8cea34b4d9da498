"""Make a model bundle from a training run: READ `make_bundle`, it is the whole of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import msgspec
import numpy as np

from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import (
    ANATOMY,
    LESION_MASK,
    MALIGNANCY,
    Calibration,
    Golden,
    HeadSpec,
    ModelManifest,
    Thresholds,
)
from edge.models.bundle import load_bundle
from edge.models.bundle_checks import MALIGNANCY_CLASSES
from edge.preprocess.preprocessor import Preprocessor
from export import model_card, training_sources
from export.bundle_file import append_zip, write_atomically
from export.converted_graph import STEP, add_metadata, check_quantisation, order_outputs, own_buffers
from export.cross_validation_results import CrossValidationResults
from export.external_test_set import measure_external, read_busi
from export.golden.coverage import coverage_table, golden_coverage, silent_channels
from export.golden.tolerances import measure_tolerances
from export.golden.vectors import EMPTY_SEEDS, empty_tensors, make_golden, pack_cases
from export.measure_bundle import measure_held_out
from export.predict import as_predictions, run_graph
from export.quantisation.convert import head_names, run_float
from export.quantisation.full_integer import quantise
from export.tflite_metadata import write_metadata
from export.thresholds import anatomy_limits, fit_thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.contracts.manifest import Metric
    from edge.contracts.tensors import TensorSpec
    from edge.models.bundle import Bundle
    from edge.models.graph import Graph
    from export.cross_validation_results import CalibrationInput
    from export.golden.coverage import HeadCoverage
    from export.golden.vectors import GoldenCase
    from export.training_run import TrainingRun


HEADS = {
    MALIGNANCY: "Probabilities of the classes in labels.txt.",
    LESION_MASK: "Presence of lesion, row by row, at a part of the input's resolution.",
    ANATOMY: "Probability that the picture is of the body part that the model was made for.",
}
"""In the order of the graph's outputs, described for people."""
MAX_BYTES = 6 * 2**20


def make_bundle(
    run: TrainingRun,
    out: Path,
    name: str,
    version: str,
    progress: Callable[[str], None],
    outside: Path | None = None,
    folds: CrossValidationResults | None = None,
    tflite_runtime: Path | None = None,
) -> Bundle:
    """Make the model bundle of ``run``, write it to ``out``, and read it back through the device's own checks.

    ``outside``: folder of a data set to be measured on beside the run's own; None: none. ``folds``: results of the
    cross-validation of the same recipe; what they lack is chosen and measured on the run's own held-back pictures.
    ``tflite_runtime``: a Python that has it, whose kernels the golden tolerances then take in; None: left out.

    Raises UsageError for what does not go together, EdgeError where the model cannot be quantised as devices need it,
    and ModelError where its gate would refuse nothing or its golden vectors would prove nothing.
    """
    folds = folds or CrossValidationResults()
    check_options(run, outside, folds)
    check_heads(run.path / "saved_model")
    progress(f"quantise {run.path / 'saved_model'} with {len(run.representative)} pictures")
    graph = own_buffers(order_outputs(quantise(run.path / "saved_model", run.representative), tuple(HEADS)))
    found = check_quantisation(graph)
    thresholds, calibration = thresholds_for_run(run, graph, found.outputs, folds.calibration, progress)
    manifest = make_manifest(run, found, thresholds, calibration, name, version)

    metrics = list(folds.figures)
    if not metrics:
        progress(f"measure on {len(run.test)} held-back pictures")
        metrics = bundle_metrics(run, graph, manifest, outside)
    manifest = msgspec.structs.replace(manifest, metrics=metrics + model_card.anatomy_gate_metrics(run.metrics))

    progress("search golden phantoms")
    graph = add_metadata(graph, standard_metadata(manifest))
    manifest = msgspec.structs.replace(manifest, graph_sha256=hashlib.sha256(graph).hexdigest())
    cases = make_golden(graph, manifest, progress)
    silent = silent_channels(graph, (tensor[None] for tensor in run.representative))
    noticed = golden_coverage(graph, np.concatenate([case.tensor for case in cases]), silent)
    progress(coverage_table(noticed))
    golden = measure_tolerances(graph, cases, progress, tflite_runtime)
    manifest = msgspec.structs.replace(manifest, golden=golden)

    data = append_zip(graph, zip_members(manifest, cases, noticed, len(graph)))
    check_size(data)
    write_atomically(out, data)
    return load_bundle(out)


def check_size(bundle: bytes) -> None:
    """Raise ModelError if a bundle is larger than devices should be given."""
    if len(bundle) > MAX_BYTES:
        raise ModelError(
            f"the bundle has {len(bundle):,} bytes, expected at most {MAX_BYTES:,}", hint="make the network smaller"
        )


def zip_members(
    manifest: ModelManifest, cases: list[GoldenCase], noticed: list[HeadCoverage], graph_bytes: int, reason: str = ""
) -> dict[str, bytes]:
    """Files of the ZIP behind the graph, by name: labels, manifest, golden vectors, model card."""
    card = model_card.render_card(manifest, graph_bytes) + model_card.golden_section(len(cases), noticed, reason)
    return {
        "labels.txt": "\n".join(MALIGNANCY_CLASSES).encode(),
        "manifest.json": msgspec.json.format(msgspec.json.encode(manifest), indent=1),
        "golden.npz": pack_cases(cases),
        "MODEL_CARD.md": card.encode(),
    }


def thresholds_for_run(
    run: TrainingRun,
    graph: bytes,
    specs: Mapping[str, TensorSpec],
    calibration: CalibrationInput | None,
    progress: Callable[[str], None],
) -> tuple[Thresholds, Calibration]:
    """Thresholds and calibration of the bundle: those of the folds, or chosen on the run's validation pictures.

    Where the folds' ``calibration`` is None they are chosen with the outputs of ``graph``. The anatomy gate's limit is
    always chosen so: each run's gate is fitted by itself, and folds may have none. Raises ModelError if the gate would
    refuse nothing.
    """
    val = as_predictions(run_graph(graph, run.val.tensors), specs)
    if calibration is not None:
        progress(f"thresholds: {calibration.method}; anatomy by {len(run.val)} validation pictures")
        # Not the folds': their gates were others, and a limit of one may lie above what another must let through.
        limits = anatomy_limits(val.anatomy)
        chosen = msgspec.structs.replace(calibration.thresholds, **limits), calibration.calibration
    else:
        progress(f"choose thresholds on {len(run.val)} validation pictures and {len(EMPTY_SEEDS)} phantoms")
        empty = as_predictions(run_graph(graph, empty_tensors(run.record.recipe.preprocess)), specs)
        chosen = fit_thresholds(val, run.val, empty, STEP)
    if not chosen[0].anatomy > 0:
        raise ModelError(
            "the anatomy threshold is 0: the gate would refuse nothing",
            hint="validation pictures score 0 for anatomy: the gate was not fitted, or quantisation broke it",
        )
    return chosen


def check_options(run: TrainingRun, outside: Path | None, folds: CrossValidationResults) -> None:
    """Raise UsageError where metrics would be of pictures that the model was trained or chosen on, or be left out."""
    if outside is not None:
        if folds.figures:
            raise UsageError("--busi and --figures do not go together", hint="--figures: nothing is measured here")
        training_sources.check_not_trained_on_busi(run.record.recipe)
    if folds.calibration is not None and not folds.figures:
        raise UsageError(
            "--calibration needs --figures: this run's test pictures may be among those that chose the thresholds",
            hint="give the folds' report.json: python -m training report runs/cv",
        )


def check_heads(saved_model: Path) -> None:
    """Raise UsageError unless the model has the three heads: minutes of quantisation would end in the same error."""
    found = head_names(saved_model)
    if sorted(found) != sorted(HEADS):
        hint = "a run of training without its anatomy gate is no bundle: train it without --no-gate"
        raise UsageError(
            f"expected the heads {', '.join(sorted(HEADS))} in {saved_model}, got {', '.join(sorted(found))}",
            hint=hint if ANATOMY not in found else "make a run with: python -m training run",
        )


def make_manifest(
    run: TrainingRun, found: Graph, thresholds: Thresholds, calibration: Calibration, name: str, version: str
) -> ModelManifest:
    """Manifest of the bundle, still without metrics, hash and tolerances."""
    record, recipe = run.record, run.record.recipe.preprocess
    return ModelManifest(
        manifest_version=manifest_version(calibration),
        name=name,
        version=version,
        task=record.task,
        body_part=record.recipe.body_part,
        licence=model_card.LICENCE,
        input=next(iter(found.inputs.values())),
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={
            head: HeadSpec(tensor=found.outputs[head], class_names=MALIGNANCY_CLASSES if head == MALIGNANCY else [])
            for head in HEADS
        },
        thresholds=thresholds,
        calibration=calibration,
        golden=Golden(max_abs_diff={}),
        training_data=training_sources.training_data(record.recipe),
        metrics=[],
        not_shown=training_sources.not_shown(record.recipe),
        git_revision=record.git_revision,
        created=record.created,
    )


def manifest_version(calibration: Calibration) -> Literal[1, 2]:
    """Least version of a manifest with this calibration: devices that do not know what it uses refuse the bundle."""
    return 2 if calibration.presence else 1


def bundle_metrics(run: TrainingRun, graph: bytes, manifest: ModelManifest, outside: Path | None) -> list[Metric]:
    """Metrics of ``graph`` on the run's held-back pictures, and on those of the folder ``outside``.

    Raises UsageError if ``manifest`` is of another run: what this one held back, that one may have learnt from.
    """
    trained = manifest.trained or manifest.created
    if trained != run.record.created:
        raise UsageError(
            f"the bundle was made of a run of {trained}, {run.path} is of {run.record.created}",
            hint="give the run that the bundle was made from",
        )
    if outside is not None:
        training_sources.check_not_trained_on_busi(run.record.recipe)
    specs = {name: head.tensor for name, head in manifest.heads.items()}
    int8 = as_predictions(run_graph(graph, run.test.tensors), specs)
    floats = as_predictions(run_float(run.path / "saved_model", run.test.tensors), specs)
    measured = measure_held_out(manifest, describe_test_set(run), run.test, int8, floats)
    if outside is not None:
        measured += measure_external(graph, manifest, read_busi(outside, Preprocessor(manifest.recipe)))
    return measured


def describe_test_set(run: TrainingRun) -> str:
    """Description for people of the run's held-back test pictures."""
    pictures = run.test
    ill = int((pictures.labels == 1).sum())
    sets = sorted({str(group).split("/")[0] for group in pictures.groups.tolist()})
    return (
        f"{', '.join(sets).upper()} {run.record.recipe.protocol or f'fold {run.record.recipe.fold}'}, held back "
        f"({len(pictures)} pictures, {ill} malignant, {len(set(pictures.groups.tolist()))} patients)"
    )


def standard_metadata(manifest: ModelManifest) -> bytes:
    """TFLite metadata of the bundle as a ModelMetadata flatbuffer, for any TFLite tool."""
    return write_metadata(
        name=manifest.name,
        description=f"{manifest.task}, {manifest.body_part}. {model_card.NOTICE} All else stands in manifest.json.",
        version=manifest.version,
        author=model_card.AUTHOR,
        licence=manifest.licence,
        outputs=list(HEADS.items()),
    )
