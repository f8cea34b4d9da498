"""Computes made pictures with a foreign model, and settles by its answers: kind of scores, rules, tolerances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edge.adopt.golden_pictures import MadePicture, made_pictures
from edge.adopt.score_kind import detect_kind, named_kind
from edge.adopt.settle import DEFAULT_THRESHOLD, EMPTY
from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import (
    FLOAT_TOLERANCE,
    LABELS,
    MASK,
    NAMED_HEADS,
    AreaRules,
    ClassificationManifest,
    Golden,
    LabelRules,
    SegmentationManifest,
)
from edge.contracts.score_rules import MIN_AREA
from edge.contracts.tensors import Tensor
from edge.models.operators import read_operators
from edge.postprocess.dequantise import dequantise
from edge.preprocess.recipes import make_preprocessor
from edge.process.sealed_file import seal_bytes
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.score_kind import ScoreKind
    from edge.adopt.settle import AdoptOptions
    from edge.contracts.manifest import PictureManifest
    from edge.contracts.ports import Runtime
    from edge.contracts.region import Region

ANSWER_S = 60.0
HYBRID_TOLERANCE = 0.03
"""Absolute difference that scores of models with 8-bit weights and float values may have, whose kernels round
activations at run time; of logits, for each unit of their size. MobileNetV2's moved by 0.010 with TFLite's own kernels;
those of the same model in float32 and with float16 weights by 0.000002, of `FLOAT_TOLERANCE` allowed."""
REFERENCE_STEPS = 16
"""Quantised steps that scores may differ by where TFLite's own kernels compute; MobileNetV2's moved by 5."""
REFERENCE_MAP_STEPS = 32
"""The same of a map, which is compared place by place: those on the rim of an area move farther than a score."""


def load_foreign(graph: bytes, manifest: PictureManifest, path: Path, uri: str) -> IsolatedRuntime:
    """Load the model in a process of its own: a stranger's file may crash it. Raises what loading it raises."""
    return IsolatedRuntime(uri, seal_bytes(graph, path), manifest)


def compute_cases(
    runtime: Runtime,
    manifest: PictureManifest,
    pictures: Sequence[tuple[NDArray[np.uint8], tuple[Region, ...]]] | None = None,
) -> list[MadePicture]:
    """What the model gives for made pictures, or others. Raises `ModelError` if it does not answer."""
    preprocess = make_preprocessor(manifest)
    cases = []
    for pixels, regions in made_pictures() if pictures is None else pictures:
        tensor = preprocess(pixels, regions)[0]
        runtime.submit(Tensor(tensor, manifest.input))
        outputs = runtime.wait(ANSWER_S)
        if outputs is None:
            raise ModelError(f"it gave no answer within {ANSWER_S:.0f} s", hint="take a smaller model")
        cases.append(MadePicture(pixels, regions, tensor, {name: np.array(value) for name, value in outputs.items()}))
    return cases


def settled_kind(
    given: str | None, graph: bytes, head: int, cases: list[MadePicture], manifest: PictureManifest
) -> ScoreKind:
    """Kind of the scores, as ``given`` or as told apart. Raises as `detect_kind`, and for answers that say nothing."""
    name = NAMED_HEADS[manifest.judges]
    spec = manifest.heads[name].tensor
    outputs = np.stack([case.outputs[name] for case in cases])
    if (outputs == outputs[0]).all():
        raise ModelError(
            f"{manifest.name} gives the same for every picture", hint="was it trained? is --input-range right?"
        )
    real = dequantise(outputs, spec).reshape(-1, spec.shape[-1])  # of a map each place is a picture
    if not np.isfinite(real).all():
        raise ModelError(f"{manifest.name} gives NaN or infinite values", hint="train or export it anew")
    kind = detect_kind(read_operators(graph), head, real) if given is None else named_kind(given)
    if name == MASK and kind.exclusive and spec.shape[-1] < 2:
        raise UsageError(
            f"a map of one label is no softmax: {kind.why}", hint="say what it is: --scores sigmoid or sigmoid-logits"
        )
    return kind


def settled_rules(kind: ScoreKind, manifest: PictureManifest, options: AdoptOptions) -> PictureManifest:
    """The manifest with its rules. Raises `UsageError` for a threshold or clear label that names none of its labels."""
    guessed = options.scores is None and kind.output == "logits" and kind.exclusive
    if guessed and options.clear_label is not None and manifest.judges == "segmentation":
        # Of labels that may lie over each other the first would be lost as the background: nothing found, and clear.
        raise UsageError(
            "nothing says whether the labels of its map exclude each other, which clear depends on",
            hint="--scores logits: they do, the first is the background; --scores sigmoid-logits: each is an area",
        )
    names, clear = manifest.label_names, options.clear_label
    thresholds = dict(options.thresholds or {})
    method = options.threshold_method or (
        "as --threshold says" if thresholds else "the default of adopt, chosen on no data"
    )
    common = thresholds.pop("", DEFAULT_THRESHOLD)
    maps = isinstance(manifest, SegmentationManifest)
    named = [*thresholds, *([] if clear is None or (maps and clear == EMPTY) else [clear])]
    for label in named:
        if label not in names:
            raise UsageError(f"{label[:100]!r} is no label of the model", hint=f"it has {', '.join(names)[:200]}")
    shared: dict[str, Any] = {
        "output": kind.output,
        "exclusive": kind.exclusive,
        "threshold": common,
        "thresholds": thresholds,
        "method": f"thresholds: {method}",
    }
    if maps:
        return msgspec.structs.replace(manifest, areas=_area_rules(shared, names, options))
    if options.min_area is not None:
        raise UsageError("--min-area is of areas, and a classifier has none", hint="leave it out")
    assert isinstance(manifest, ClassificationManifest)  # noqa: S101  (no other kind is adopted)
    return msgspec.structs.replace(manifest, labels=LabelRules(**shared, clear_label=clear))


def _area_rules(shared: dict[str, Any], names: list[str], options: AdoptOptions) -> AreaRules:
    """Rules of a segmentation network. Raises `UsageError` for what contradicts its background."""
    ground = names[0] if shared["exclusive"] else None
    if ground in shared["thresholds"]:
        raise UsageError(f"--threshold: {ground!r} is the background, and never an area", hint="leave it out")
    if options.clear_label not in (None, EMPTY, ground):
        raise UsageError(
            f"--clear {options.clear_label}: a label with an area is never clear",
            hint=f"--clear {EMPTY}: a frame without any area is",
        )
    least = MIN_AREA if options.min_area is None else options.min_area
    return AreaRules(**shared, min_area=least, empty_is_clear=options.clear_label is not None)


def golden_tolerances(
    model: ForeignModel, graph: bytes, kind: ScoreKind, cases: list[MadePicture], head: str = LABELS
) -> Golden:
    """How near other runtimes and processors must come to the golden outputs."""
    spec = model.outputs[0][2]
    floats = any("float32" in operator.types for operator in read_operators(graph))
    steps = 0
    if floats and spec.dtype != "float32":  # rounded after floats: a value may fall on the other side
        steps = 2
    size = 1.0
    if kind.output == "logits":
        size = max(1.0, max(float(np.abs(dequantise(c.outputs[head], spec)).max()) for c in cases))
    hybrid = "int8" in model.weight_types
    allowed = (HYBRID_TOLERANCE if hybrid else FLOAT_TOLERANCE) * size
    most = 0.2 if kind.output == "logits" else 0.05
    return Golden(
        max_abs_diff={"xnnpack": steps, "reference": REFERENCE_STEPS},
        by_head={"reference": {MASK: REFERENCE_MAP_STEPS}} if head == MASK else {},
        max_abs_float={family: min(most, allowed) for family in ("xnnpack", "reference")} if floats else {},
        method="defaults of adopt: what other processors differ by was not measured",
    )
