"""Give an existing bundle a new anatomy head without a training run: the trunk and the other heads stay byte for byte.

READ `regate`: the head's int8 operators are made and put into the graph, limits and calibration into the manifest, and
golden vectors are chosen again: the old frames, as far as they still serve, and others that notice the new head.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import ANATOMY
from edge.models.bundle_file import split_bundle
from export.bundle import manifest_version, standard_metadata
from export.converted_graph import STEP, add_metadata, check_quantisation, own_buffers
from export.cross_validation_results import CrossValidationResults
from export.golden.cases import add_noticing_cases
from export.golden.coverage import silent_channels
from export.golden.tolerances import forget_tolerances, renew_tolerances
from export.golden.vectors import make_golden
from export.head_replacement.replaced_graph import probabilities, trunk_features, with_new_head
from export.model_card import OTHER_ANATOMY
from export.predict import run_graph
from export.repack import check_version, frame_cases, successor, write_bundle
from export.thresholds import anatomy_threshold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import DataSource, Metric, ModelManifest, Thresholds
    from edge.models.bundle import Bundle
    from export.golden.coverage import HeadCoverage
    from export.golden.vectors import GoldenCase
    from export.head_replacement.head_design import HeadDesign
    from export.head_replacement.replaced_graph import ReplacedHead

REFUSED, REFUSED_STATED = 0.01, 0.001
"""Shares of known pictures of the body part that the gate may refuse: where nobody says what is scanned, and where
configuration or DICOM says that it is this part."""
GATE_METRICS = frozenset({"anatomy refusals", *OTHER_ANATOMY})
"""Metrics that are not true of another gate."""
MOST = 16
"""Altered golden cases at most, old and new: two more than a search adds by itself."""


@dataclass(frozen=True, eq=False)
class NewGate:
    """A new anatomy head and all that is told of it."""

    design: HeadDesign
    representative: NDArray[np.uint8]
    """(n, height, width, channels): input tensors whose features set the ranges of the layers."""
    limits: tuple[float, float | None] | None = None
    """``anatomy`` and ``anatomy_stated`` of the thresholds; None: chosen on ``known``."""
    known: NDArray[np.uint8] | None = None
    """(n, height, width, channels): held-back pictures of the body part, to choose the limits on."""
    metrics: tuple[Metric, ...] = ()
    """What was measured of the gate."""
    training_data: tuple[DataSource, ...] = ()
    """What the model has seen, the new gate included; empty: what the manifest says holds."""


@dataclass(frozen=True)
class BundleChanges:
    """What else changes in a bundle that gets a new head."""

    version: str
    reason: str = ""
    """For people, why there is another version; stands in the model card."""
    folds: CrossValidationResults = field(default_factory=CrossValidationResults)
    """Calibration, thresholds and figures; what they lack stays as it is."""


@dataclass(frozen=True)
class GoldenOptions:
    """How golden vectors of the new bundle are chosen."""

    shown: Iterable[NDArray[np.uint8]] | None = None
    """Input tensors, (1, height, width, channels) uint8 each; channels that are zero on all of them do not count in
    what golden vectors notice. None: all count."""
    folder: Path | None = None
    """Where pictures are kept as they are found; a search that was interrupted goes on from them."""
    tflite_runtime: Path | None = None
    """A Python that has it, whose kernels the tolerances then take in."""


def regate(
    bundle: Bundle,
    out: Path,
    gate: NewGate,
    changes: BundleChanges,
    progress: Callable[[str], None],
    golden: GoldenOptions | None = None,
) -> tuple[Bundle, list[HeadCoverage]]:
    """Write ``bundle`` anew with another anatomy head; returns it, read back, and what its golden vectors notice.

    ``progress`` takes lines for people. Raises UsageError and EdgeError for a head that does not fit the graph,
    ModelError where the limits would refuse nothing, the old version is given again, or golden vectors would prove
    nothing.
    """
    golden = golden or GoldenOptions()
    check_version(bundle.lesion_manifest, changes.version)
    if changes.folds.calibration is not None and not changes.folds.figures:
        raise UsageError("--calibration needs --figures: the old ones are of the old thresholds", hint="give both")
    old = split_bundle(bundle.model_bytes).graph
    made = make_graph(old, gate, progress)
    manifest = new_manifest(bundle.lesion_manifest, made.graph, gate, changes, progress)
    graph = add_metadata(own_buffers(made.graph), standard_metadata(manifest))
    check_quantisation(graph)
    manifest = msgspec.structs.replace(manifest, graph_sha256=hashlib.sha256(graph).hexdigest())
    progress("golden vectors")
    silent = None if golden.shown is None else silent_channels(graph, golden.shown)
    cases = golden_cases(bundle, graph, manifest, silent, progress, golden.folder)
    manifest = msgspec.structs.replace(
        manifest,
        golden=renew_tolerances(manifest.golden, ANATOMY, graph, cases, progress, golden.tflite_runtime),
    )
    return write_bundle(bundle, out, graph, manifest, cases, silent, changes.reason)


def make_graph(old: bytes, gate: NewGate, progress: Callable[[str], None]) -> ReplacedHead:
    """Replace the anatomy head of a graph, and check on the representative pictures that the others say the same.

    Raises ModelError if one does not.
    """
    progress(f"new anatomy head, with the features of {len(gate.representative)} pictures")
    made = with_new_head(old, ANATOMY, gate.design, gate.representative)
    before, now = run_graph(old, gate.representative), run_graph(made.graph, gate.representative)
    for name, values in before.items():
        if name != ANATOMY and not np.array_equal(values, now[name]):
            raise ModelError(f"head {name} gives other values beside the new one", hint="report this as a fault")
    progress(
        f"  int8 against float: mean |dp| {made.mean_difference:.4f}, largest {made.largest_difference:.4f}; "
        f"{len(made.graph) - len(old):+,} bytes"
    )
    return made


def new_manifest(
    old: ModelManifest, graph: bytes, gate: NewGate, changes: BundleChanges, progress: Callable[[str], None]
) -> ModelManifest:
    """Manifest with the new limits and figures, without the tolerances of the old head; its hash is still the old."""
    folds = changes.folds
    thresholds, calibration = old.thresholds, old.calibration
    if folds.calibration is not None:
        progress(f"thresholds: {folds.calibration.method}")
        thresholds, calibration = folds.calibration.thresholds, folds.calibration.calibration
    metrics = list(folds.figures) or [metric for metric in old.metrics if metric.name not in GATE_METRICS]
    return msgspec.structs.replace(
        successor(old, changes.version),
        manifest_version=manifest_version(calibration),
        thresholds=with_limits(thresholds, graph, gate, progress),
        calibration=calibration,
        metrics=[*metrics, *gate.metrics],
        training_data=list(gate.training_data) or old.training_data,
        golden=forget_tolerances(old.golden, ANATOMY),
    )


def with_limits(thresholds: Thresholds, graph: bytes, gate: NewGate, progress: Callable[[str], None]) -> Thresholds:
    """Thresholds with the limits of the new gate, given or chosen on known pictures with the int8 graph's own outputs.

    Raises UsageError where there are neither, ModelError where the gate would refuse nothing.
    """
    if gate.limits is not None:
        anatomy, stated = gate.limits
    elif gate.known is not None and len(gate.known):
        scores = run_graph(graph, gate.known)[ANATOMY].reshape(-1) * STEP
        anatomy, stated = anatomy_threshold(scores, REFUSED), anatomy_threshold(scores, REFUSED_STATED)
        floats = probabilities(gate.design, trunk_features(graph, gate.design.tensors, gate.known))
        progress(
            f"  limits by {len(scores)} known pictures: {anatomy} refuses {(scores < anatomy).mean():.2%}, "
            f"{stated} where the part is stated {(scores < stated).mean():.2%}; in floats they would be "
            f"{anatomy_threshold(floats, REFUSED)} and {anatomy_threshold(floats, REFUSED_STATED)}"
        )
    else:
        raise UsageError("no limit for the new head", hint="give it, or known pictures to choose it on")
    if not anatomy > 0:
        raise ModelError("the anatomy threshold is 0: the gate would refuse nothing", hint="fit the gate anew")
    return msgspec.structs.replace(thresholds, anatomy=anatomy, anatomy_stated=stated)


def golden_cases(
    bundle: Bundle,
    graph: bytes,
    manifest: ModelManifest,
    silent: dict[int, NDArray[np.bool_]] | None,
    progress: Callable[[str], None],
    folder: Path | None,
) -> list[GoldenCase]:
    """Golden cases of the new graph: old frames first, then phantoms for what these do not show, then altered ones."""
    cases = make_golden(graph, manifest, progress, frame_cases(bundle, graph, manifest, "old"))
    shape = manifest.recipe.height, manifest.recipe.width
    taken = {case.pixels.tobytes() for case in cases}
    known = [each for each in bundle.golden.frames if each.shape == shape and each.tobytes() not in taken]
    return cases + add_noticing_cases(graph, manifest, cases, silent, progress, folder, known, MOST)
