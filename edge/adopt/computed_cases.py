"""Computes made pictures with a foreign classifier, and settles by its answers: kind of scores, rules, tolerances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.adopt.golden_pictures import MadePicture, made_pictures
from edge.adopt.score_kind import detect_kind, named_kind
from edge.adopt.settle import DEFAULT_THRESHOLD
from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import FLOAT_TOLERANCE, LABELS, Golden, LabelRules
from edge.contracts.tensors import Tensor
from edge.models.operators import read_operators
from edge.postprocess.dequantise import dequantise
from edge.preprocess.recipes import make_preprocessor
from edge.process.sealed_file import seal_bytes
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from pathlib import Path

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.score_kind import ScoreKind
    from edge.adopt.settle import AdoptOptions
    from edge.contracts.manifest import ClassificationManifest
    from edge.contracts.ports import Runtime

ANSWER_S = 60.0
HYBRID_TOLERANCE = 0.03
"""Absolute difference that scores of models with 8-bit weights and float values may have, whose kernels round
activations at run time; of logits, for each unit of their size. MobileNetV2's moved by 0.010 with TFLite's own kernels;
those of the same model in float32 and with float16 weights by 0.000002, of `FLOAT_TOLERANCE` allowed."""
REFERENCE_STEPS = 16
"""Quantised steps that scores may differ by where TFLite's own kernels compute; MobileNetV2's moved by 5."""


def load_foreign(graph: bytes, manifest: ClassificationManifest, path: Path, uri: str) -> IsolatedRuntime:
    """Load the model in a process of its own: a stranger's file may crash it. Raises what loading it raises."""
    return IsolatedRuntime(uri, seal_bytes(graph, path), manifest)


def compute_cases(runtime: Runtime, manifest: ClassificationManifest) -> list[MadePicture]:
    """What the model gives for made pictures. Raises `ModelError` if it does not answer."""
    preprocess = make_preprocessor(manifest)
    cases = []
    for pixels, regions in made_pictures():
        tensor = preprocess(pixels, regions)[0]
        runtime.submit(Tensor(tensor, manifest.input))
        outputs = runtime.wait(ANSWER_S)
        if outputs is None:
            raise ModelError(f"it gave no answer within {ANSWER_S:.0f} s", hint="take a smaller model")
        cases.append(MadePicture(pixels, regions, tensor, {name: np.array(value) for name, value in outputs.items()}))
    return cases


def settled_kind(
    given: str | None, graph: bytes, head: int, cases: list[MadePicture], manifest: ClassificationManifest
) -> ScoreKind:
    """Kind of the scores, as ``given`` or as told apart. Raises as `detect_kind`, and for answers that say nothing."""
    spec = manifest.heads[LABELS].tensor
    real = np.stack([dequantise(case.outputs[LABELS], spec).reshape(-1) for case in cases])
    if not np.isfinite(real).all():
        raise ModelError(f"{manifest.name} gives NaN or infinite values", hint="train or export it anew")
    if (real == real[0]).all():
        raise ModelError(
            f"{manifest.name} gives the same for every picture", hint="was it trained? is --input-range right?"
        )
    return detect_kind(read_operators(graph), head, real) if given is None else named_kind(given)


def settled_rules(kind: ScoreKind, labels: tuple[str, ...], options: AdoptOptions) -> LabelRules:
    """Rules of the labels. Raises `UsageError` for a threshold or clear label that names none of them."""
    thresholds = dict(options.thresholds or {})
    method = options.threshold_method or (
        "as --threshold says" if thresholds else "the default of adopt, chosen on no data"
    )
    common = thresholds.pop("", DEFAULT_THRESHOLD)
    for label in (*thresholds, *([] if options.clear_label is None else [options.clear_label])):
        if label not in labels:
            raise UsageError(f"{label[:100]!r} is no label of the model", hint=f"it has {', '.join(labels)[:200]}")
    return LabelRules(
        output=kind.output,
        exclusive=kind.exclusive,
        threshold=common,
        thresholds=thresholds,
        clear_label=options.clear_label,
        method=f"thresholds: {method}",
    )


def golden_tolerances(model: ForeignModel, graph: bytes, kind: ScoreKind, cases: list[MadePicture]) -> Golden:
    """How near other runtimes and processors must come to the golden outputs."""
    spec = model.outputs[0][2]
    floats = any("float32" in operator.types for operator in read_operators(graph))
    steps = 0
    if floats and spec.dtype != "float32":  # rounded after floats: a value may fall on the other side
        steps = 2
    size = 1.0
    if kind.output == "logits":
        size = max(1.0, max(float(np.abs(dequantise(c.outputs[LABELS], spec)).max()) for c in cases))
    hybrid = "int8" in model.weight_types
    allowed = (HYBRID_TOLERANCE if hybrid else FLOAT_TOLERANCE) * size
    most = 0.2 if kind.output == "logits" else 0.05
    return Golden(
        max_abs_diff={"xnnpack": steps, "reference": REFERENCE_STEPS},
        max_abs_float={family: min(most, allowed) for family in ("xnnpack", "reference")} if floats else {},
        method="defaults of adopt: what other processors differ by was not measured",
    )
