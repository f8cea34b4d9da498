"""Make the bundle of a segmentation's training run: READ `make_segmentation_bundle`, it is the whole of it."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from edge.adopt.adopt import RUNTIME
from edge.adopt.computed_cases import compute_cases, load_foreign
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.golden_pictures import cases_kept, most_different
from edge.adopt.metadata import write_metadata
from edge.adopt.settle import DEFAULT_THRESHOLD
from edge.adopt.signed_graph import with_signature
from edge.adopt.write_bundle import write_label_bundle
from edge.contracts.errors import UsageError
from edge.contracts.manifest import MASK, AreaRules, Golden, HeadSpec, SegmentationManifest
from edge.models.graph import read_graph
from edge.postprocess.dequantise import dequantise
from export import model_card
from export.converted_graph import check_quantisation, order_outputs, own_buffers
from export.golden.tolerances import measure_tolerances
from export.predict import run_graph
from export.quantisation.convert import run_float
from export.quantisation.full_integer import quantise
from export.segmentation_card import render_segmentation_card
from export.segmentation_metrics import called_classes, choose_limits, pixel_counts, segmentation_metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.manifest import Metric
    from edge.models.bundle import Bundle
    from export.segmentation_run import MaskedPictures, SegmentationRun

NOT_SHOWN = [
    "pictures of other hospitals, scanners and patients than its training data's: how it does there is not known",
    "pictures of other organs: it may outline something in them all the same",
]


def make_segmentation_bundle(
    run: SegmentationRun,
    out: Path,
    progress: Callable[[str], None],
    *,
    name: str,
    version: str,
    licence: str = "",
    clear_label: str | None = None,
    tflite_runtime: Path | None = None,
) -> Bundle:
    """Make the bundle of a segmentation's run, write it to ``out``, and read it back through the device's own checks.

    ``clear_label``: the background's name, where a picture that shows nothing is to be `clear`. ``tflite_runtime``: a
    Python that has it, whose kernels the golden tolerances then take in; None: left out. Raises UsageError for another
    ``clear_label``, EdgeError where the model cannot be quantised as devices need it.
    """
    names = run.record.classes
    if clear_label not in (None, names[0]):
        raise UsageError(f"--clear {clear_label} is not the background", hint=f"give --clear {names[0]}, or leave it")
    progress(f"quantise {run.path / 'saved_model'} with {len(run.representative)} pictures")
    graph = own_buffers(order_outputs(quantise(run.path / "saved_model", run.representative), (MASK,)))
    check_quantisation(graph)
    progress(f"choose thresholds on {len(run.val)} validation pictures")
    limits = choose_limits(int8_maps(graph, run.val), run.val, DEFAULT_THRESHOLD)
    graph, draft = _describe(graph, run, name, version, licence)
    draft = msgspec.structs.replace(draft, areas=_rules(names, limits, len(run.val), clear_label is not None))
    progress(f"measure on {len(run.test)} held-back pictures")
    metrics = measure_segmentation(graph, draft, run)
    return _prove_and_write(graph, msgspec.structs.replace(draft, metrics=metrics), out, progress, tflite_runtime)


def measure_segmentation(graph: bytes, manifest: SegmentationManifest, run: SegmentationRun) -> list[Metric]:
    """Metrics of the 8-bit model on the run's test pictures, judged as a device does, and of the float one."""
    names, shape = manifest.label_names, run.test.masks.shape[1:]
    limits = [0.0, *(manifest.areas.threshold_of(label) for label in names[1:])]
    maps = (int8_maps(graph, run.test), run_float(run.path / "saved_model", run.test.tensors)[MASK])
    counts = [pixel_counts(called_classes(each, shape, limits), run.test.masks, len(names)) for each in maps]
    data = f"{len(run.test)} held-back pictures of the run, of {len(set(run.test.groups.tolist()))} groups"
    return segmentation_metrics(counts[0], counts[1], run.test.groups, names, data)


def int8_maps(graph: bytes, pictures: MaskedPictures) -> NDArray[np.float32]:
    """Probabilities (n, h, w, k) that a graph gives for pictures."""
    return dequantise(run_graph(graph, pictures.tensors)[MASK], read_graph(graph).outputs[MASK])


def _rules(names: list[str], limits: list[float], pictures: int, empty_is_clear: bool) -> AreaRules:
    chosen = dict(zip(names[1:], limits[1:], strict=True))
    return AreaRules(
        output="probabilities",
        threshold=DEFAULT_THRESHOLD,
        thresholds={label: limit for label, limit in chosen.items() if limit != DEFAULT_THRESHOLD},
        empty_is_clear=empty_is_clear,
        method=(
            f"on {pictures} validation pictures of the run: for each label that is in ten of them or more, the "
            f"threshold of the best mean Dice, nearest to {DEFAULT_THRESHOLD:g}"
        ),
    )


def _describe(
    graph: bytes, run: SegmentationRun, name: str, version: str, licence: str
) -> tuple[bytes, SegmentationManifest]:
    """The graph with signature and metadata, and its manifest, still without rules, metrics and tolerances."""
    record, recipe = run.record, run.record.recipe.picture_recipe()
    model = read_foreign_model(graph)
    text = write_metadata(name, f"{record.task}. {model_card.NOTICE}", version, licence, recipe, head=MASK)
    _, number, spec = model.outputs[0]
    graph = with_signature(model, {MASK: number}, text)
    return graph, SegmentationManifest(
        judges="segmentation",
        name=name,
        version=version,
        task=record.task,
        body_part=record.recipe.body_part,
        licence=licence,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=model.input,
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={MASK: HeadSpec(tensor=spec, class_names=record.classes)},
        golden=Golden(max_abs_diff={"xnnpack": 0}),
        training_data=record.recipe.data,
        metrics=[],
        not_shown=NOT_SHOWN,
        git_revision=record.git_revision,
        created=record.created,
        areas=AreaRules(output="probabilities", threshold=DEFAULT_THRESHOLD),
    )


def _prove_and_write(
    graph: bytes,
    manifest: SegmentationManifest,
    out: Path,
    progress: Callable[[str], None],
    tflite_runtime: Path | None,
) -> Bundle:
    """Compute golden vectors of made pictures, measure their tolerances, and write what proves itself."""
    progress("compute golden vectors of made pictures")
    with closing(load_foreign(graph, manifest, out, RUNTIME)) as runtime:
        cases = compute_cases(runtime, manifest)
        golden = most_different(cases, MASK, cases_kept(cases[0].tensor.nbytes, cases[0].outputs[MASK].nbytes))
        tolerances = measure_tolerances(graph, golden, progress, tflite_runtime)
        manifest = msgspec.structs.replace(manifest, golden=tolerances)
        card, model = render_segmentation_card(manifest, len(graph), len(golden)), f"{manifest.name} {manifest.version}"
        return write_label_bundle(graph, manifest, golden, card, out, runtime, model)
