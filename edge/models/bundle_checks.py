"""Consistency checks of a bundle: hash, manifest, labels, golden vectors. Each failure is one `ModelError`."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.manifest import (
    ANATOMY,
    LESION_MASK,
    MALIGNANCY,
    MASK,
    NAMED_HEADS,
    ClassificationManifest,
    ModelManifest,
    PictureManifest,
    SegmentationManifest,
)
from edge.contracts.tensors import TensorSpec
from edge.models import classification_checks, segmentation_checks
from edge.models.bundle_file import OPTIONAL_LIMITS
from edge.models.graph import check_whole, is_flatbuffer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.contracts.manifest import BundleManifest
    from edge.models.golden_vectors import GoldenVectors
    from edge.models.graph import Graph

MALIGNANCY_CLASSES = ["benign", "malignant"]
MAX_TOLERANCE_BY_HEAD = {MALIGNANCY: 32, ANATOMY: 32, LESION_MASK: 96, MASK: 96}
"""Largest tolerance by head, in quantised steps: beyond it a broken kernel would pass. A mask is compared pixel by
pixel, and the worst pixel stands on a lesion's rim: TFLite's own kernels were seen to move one by 62 steps and the
probabilities of the same model by 13. A mask that went dead or full moves some by over 200."""
MAX_TOLERANCE = min(MAX_TOLERANCE_BY_HEAD.values())
"""Largest tolerance that holds for all heads, and for heads that are not named above."""
MAX_SCALE = 16.0
"""Largest step of a quantised output of scores: logits may be large."""
MAX_FLOAT_TOLERANCE = 0.05
"""Largest tolerance of a float output: beyond it a broken kernel would pass, as with steps."""
MAX_LOGIT_TOLERANCE = 0.2
"""The same of logits: it moves a probability by as much at most."""
INFORMATIVE_RANGE = (0.3, 0.7)
"""Golden probabilities inside show small differences; one at 0 or 1 proves nothing."""
HINT = "the bundle is inconsistent: export it anew"


def check_hash(manifest: BundleManifest, graph: bytes | memoryview) -> None:
    """Raise `ModelError` unless the flatbuffer's SHA-256 is the one that the manifest was written for."""
    if manifest.graph_sha256 != hashlib.sha256(graph).hexdigest():
        _fail("the model's bytes are not those that the manifest was written for", "copy the file again: it is damaged")


def check_manifest(manifest: BundleManifest, graph: Graph) -> None:
    """Raise `ModelError` unless manifest and flatbuffer agree and every threshold is in its range."""
    if isinstance(manifest, ModelManifest):
        _check_input(manifest, graph)
        _check_all_heads(manifest, graph)
        _check_heads(manifest, graph)
        _check_thresholds(manifest)
    elif isinstance(manifest, ClassificationManifest):
        classification_checks.check_input(manifest, graph)
        _check_all_heads(manifest, graph)
        classification_checks.check_heads(manifest, graph)
        classification_checks.check_rules(manifest)
    elif isinstance(manifest, SegmentationManifest):
        classification_checks.check_input(manifest, graph)
        _check_all_heads(manifest, graph)
        segmentation_checks.check_heads(manifest, graph)
        segmentation_checks.check_rules(manifest)
    check_tolerances(manifest)


def check_labels(labels: tuple[str, ...], manifest: BundleManifest) -> None:
    """Raise `ModelError` unless ``labels.txt`` names the classes that the manifest names."""
    names = manifest.heads[NAMED_HEADS[manifest.judges]].class_names
    if list(labels) != names:
        _fail(f"labels.txt: expected {', '.join(names)}, got {', '.join(labels)[:80]}")


def check_optional(members: Mapping[str, bytes]) -> None:
    """Check the optional members that are known here; others are passed over. Raises `ModelError`."""
    for name in sorted(OPTIONAL_LIMITS.keys() & members.keys()):
        if not is_flatbuffer(members[name]):
            _fail(f"{name} is not a TFLite flatbuffer")
        try:
            check_whole(members[name])
        except ModelError as error:
            raise ModelError(f"{name}: {error.message}", hint=error.hint) from error


def check_golden(golden: GoldenVectors, manifest: BundleManifest) -> None:
    """Raise `ModelError` unless golden vectors can show a difference between runtimes.

    Of a lesion model they hold a lesion, a case without one, and an uncertain probability; of other models,
    pictures that they tell apart.
    """
    for name, values in golden.outputs.items():
        if not np.isfinite(values).all():  # NaN is no answer, and nothing could be compared with it
            _fail(f"golden.npz: output_{name} holds a value that is not finite")
    if isinstance(manifest, ClassificationManifest):
        classification_checks.check_golden(golden, manifest)
    elif isinstance(manifest, SegmentationManifest):
        segmentation_checks.check_golden(golden, manifest)
    elif isinstance(manifest, ModelManifest):
        _check_lesion_golden(golden, manifest)


def _check_lesion_golden(golden: GoldenVectors, manifest: ModelManifest) -> None:
    spec = manifest.heads[MALIGNANCY].tensor
    probability = spec.scale * (golden.outputs[MALIGNANCY][:, 1].astype(np.float64) - spec.zero_point)
    low, high = INFORMATIVE_RANGE
    if not any(low < p < high for p in probability.tolist()):
        _fail(f"golden.npz proves nothing: no probability of malignancy between {low} and {high}")
    spec = manifest.heads[LESION_MASK].tensor
    mask = golden.outputs[LESION_MASK].reshape(len(golden), -1)
    # By the raw values' extremes: a whole mask in float64 would take eight times the memory. (A NaN is an extreme too.)
    peaks, lows = (spec.scale * (end.astype(np.float64) - spec.zero_point) for end in (mask.max(1), mask.min(1)))
    if not np.isfinite((peaks, lows)).all() or peaks.max() < manifest.thresholds.lesion:
        _fail("golden.npz proves nothing: no mask reaches the lesion threshold")
    empty = peaks < manifest.thresholds.lesion
    if not (empty & (probability < high)).any():
        _fail("golden.npz proves nothing: no case is without a lesion in its mask")


def _check_input(manifest: ModelManifest, graph: Graph) -> None:
    recipe = manifest.recipe
    if list(graph.inputs.values()) != [manifest.input]:
        got = ", ".join(str(spec) for spec in graph.inputs.values())
        _fail(f"the manifest says input {manifest.input}, the model has {got or 'none'}")
    expected = TensorSpec(shape=(1, recipe.height, recipe.width, recipe.channels))
    if manifest.input != expected:
        _fail(f"the recipe makes {expected} with scale 1 and zero point 0, the model takes {manifest.input}")
    if manifest.recipe_sha256 != recipe.digest():
        _fail(f"recipe_sha256: expected {recipe.digest()[:16]}…, got {manifest.recipe_sha256[:16]!r}…")
    if recipe.contrast is not None and (len(recipe.contrast) != 256 or not all(0 <= v <= 255 for v in recipe.contrast)):
        _fail(f"recipe.contrast: expected 256 values from 0 to 255, got {len(recipe.contrast)} values")


def _check_all_heads(manifest: BundleManifest, graph: Graph) -> None:
    wanted = (MALIGNANCY, LESION_MASK, ANATOMY) if manifest.judges == "lesion" else (NAMED_HEADS[manifest.judges],)
    for name in wanted:
        if name not in manifest.heads:
            _fail(f"the manifest names no head {name!r}, only {', '.join(sorted(manifest.heads)) or 'none'}")
    most = 1.0 if manifest.judges == "lesion" else MAX_SCALE
    for name, head in manifest.heads.items():
        got = graph.outputs.get(name)
        if got != head.tensor:
            _fail(f"the manifest says head {name} {head.tensor}, the model has {got or 'none of that name'}")
        if head.tensor.dtype not in ("uint8", "int8", "float32") or not 0 < head.tensor.scale <= most:
            _fail(f"head {name}: expected uint8, int8 or float32 with a scale up to {most:g}, got {head.tensor}")


def _check_heads(manifest: ModelManifest, graph: Graph) -> None:
    if graph.first_output != MALIGNANCY:
        _fail(f"expected {MALIGNANCY} as the model's first output, got {graph.first_output!r}")
    malignancy, mask, anatomy = (manifest.heads[name].tensor.shape for name in (MALIGNANCY, LESION_MASK, ANATOMY))
    class_names = manifest.heads[MALIGNANCY].class_names
    if malignancy != (1, 2) or class_names != MALIGNANCY_CLASSES:
        _fail(f"{MALIGNANCY}: expected (1, 2) {MALIGNANCY_CLASSES}, got {malignancy} {class_names}")
    _, height, width, _ = manifest.input.shape
    if len(mask) != 4 or (mask[0], mask[3]) != (1, 1) or 4 * mask[1] < height or 4 * mask[2] < width:
        _fail(f"{LESION_MASK}: expected (1, h, w, 1) of at least a quarter of {(height, width)}, got {mask}")
    if anatomy != (1, 1):
        _fail(f"{ANATOMY}: expected (1, 1), got {anatomy}")


def _check_thresholds(manifest: ModelManifest) -> None:
    t = manifest.thresholds
    for name in ("lesion", "lesion_score", "malignancy", "prevalence"):
        value = getattr(t, name)
        if not 0 < value < 1:  # at 0 every pixel is lesion, at 1 none can be
            _fail(f"thresholds.{name}: expected more than 0 and less than 1, got {value}")
    if not 0 <= t.anatomy < 1:
        _fail(f"thresholds.anatomy: expected 0 up to less than 1, got {t.anatomy}")
    if t.anatomy_stated is not None and not 0 <= t.anatomy_stated <= t.anatomy:
        _fail(f"thresholds.anatomy_stated: expected 0 up to thresholds.anatomy, {t.anatomy}, got {t.anatomy_stated}")
    if not 0 <= t.lesion_min_area < 0.5:
        _fail(f"thresholds.lesion_min_area: expected a share under a half, got {t.lesion_min_area}")
    if t.uncertain is not None and not t.uncertain[0] < t.uncertain[1]:
        _fail(f"thresholds.uncertain: expected low < high, got {t.uncertain}")
    slope, intercept = manifest.calibration.slope, manifest.calibration.intercept
    if not (math.isfinite(slope) and math.isfinite(intercept) and slope > 0):
        _fail(f"calibration: expected a slope over 0 and finite numbers, got {slope}, {intercept}")
    presence = manifest.calibration.presence
    if not (math.isfinite(presence) and presence >= 0):
        _fail(f"calibration.presence: expected 0 or more, got {presence}")
    if presence and manifest.manifest_version < 2:  # older devices would pass over it and compute something else
        _fail(f"calibration.presence {presence}: expected manifest_version 2, got {manifest.manifest_version}")


def check_tolerances(manifest: BundleManifest) -> None:
    """Raise `ModelError` unless no tolerance of the golden outputs would let a broken kernel pass."""
    whole, by_head = manifest.golden.max_abs_diff, manifest.golden.by_head
    if not whole or not all(0 <= v <= MAX_TOLERANCE for v in whole.values()):
        _fail(f"golden.max_abs_diff {whole}: expected 0 to {MAX_TOLERANCE} for each runtime family")
    for family, heads in by_head.items():
        for head, steps in heads.items():
            most = MAX_TOLERANCE_BY_HEAD.get(head, MAX_TOLERANCE)
            if head not in manifest.heads or not 0 <= steps <= most:
                _fail(f"golden.by_head: expected 0 to {most} for a head of {family}, got {head} {steps}")
    logits = isinstance(manifest, PictureManifest) and manifest.rules.output == "logits"
    limit = MAX_LOGIT_TOLERANCE if logits else MAX_FLOAT_TOLERANCE
    for family, value in manifest.golden.max_abs_float.items():
        if not 0 <= value <= limit:  # NaN is refused too
            _fail(f"golden.max_abs_float: expected 0 to {limit} for {family}, got {value}")


def _fail(message: str, hint: str = HINT) -> NoReturn:
    raise ModelError(message, hint=hint)
