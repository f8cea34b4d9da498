"""Consistency checks of a classifier's bundle: labels, golden vectors; and of what segmentation networks have too.

That is: any input, names of labels, rules of scores.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from edge.contracts.errors import ModelError
from edge.contracts.manifest import ANATOMY, LABELS, MAX_LABELS, NAMED_HEADS

if TYPE_CHECKING:
    from edge.contracts.manifest import ClassificationManifest, PictureManifest
    from edge.models.golden_vectors import GoldenVectors
    from edge.models.graph import Graph

MAX_LABEL = 100
"""Most characters of a label."""
INPUT_TYPES = ("uint8", "int8", "float32")
LEAST_CASES = 2
"""Golden vectors: with one alone, a model that always gives the same could not be told from one that works."""
HINT = "the bundle is inconsistent: export it anew, or adopt the model anew"


def check_input(manifest: PictureManifest, graph: Graph) -> None:
    """Raise `ModelError` unless the model takes what the recipe makes."""
    recipe, spec = manifest.recipe, manifest.input
    if list(graph.inputs.values()) != [spec]:
        got = ", ".join(str(each) for each in graph.inputs.values())
        _fail(f"the manifest says input {spec}, the model has {got or 'none'}")
    if spec.shape != (1, recipe.height, recipe.width, recipe.channels):
        _fail(f"the recipe makes {(1, recipe.height, recipe.width, recipe.channels)}, the model takes {spec}")
    if spec.dtype not in INPUT_TYPES or not (math.isfinite(spec.scale) and spec.scale > 0):
        _fail(f"input: expected {', '.join(INPUT_TYPES)} with a scale over 0, got {spec} with {spec.scale}")
    if manifest.recipe_sha256 != recipe.digest():
        _fail(f"recipe_sha256: expected {recipe.digest()[:16]}…, got {manifest.recipe_sha256[:16]!r}…")
    if recipe.contrast is not None and (len(recipe.contrast) != 256 or not all(0 <= v <= 255 for v in recipe.contrast)):
        _fail(f"recipe.contrast: expected 256 values from 0 to 255, got {len(recipe.contrast)} values")
    for name, values in (("mean", recipe.mean), ("std", recipe.std)):
        if len(values) not in (1, recipe.channels) or not all(math.isfinite(v) for v in values):
            _fail(f"recipe.{name}: expected 1 or {recipe.channels} finite numbers, got {list(values)[:4]}")
    if min(recipe.std) <= 0:
        _fail(f"recipe.std: expected numbers over 0, got {list(recipe.std)}")
    if recipe.colour == "rgb" and recipe.channels != 3:
        _fail(f"recipe: rgb needs 3 channels, got {recipe.channels}")


def check_heads(manifest: ClassificationManifest, graph: Graph) -> None:
    """Raise `ModelError` unless the head gives one value for each of its labels."""
    head = manifest.heads[LABELS]
    count = len(head.class_names)
    if not 1 <= count <= MAX_LABELS or not is_vector(head.tensor.shape, count):
        _fail(f"{LABELS}: expected (1, n) for n labels, 1 to {MAX_LABELS}, got {head.tensor.shape} for {count}")
    check_names(manifest, LABELS, graph)


def check_names(manifest: PictureManifest, name: str, graph: Graph) -> None:
    """Raise `ModelError` unless the labels of head ``name`` are names, and it is the model's first output."""
    names = manifest.heads[name].class_names
    if len(set(names)) < len(names):
        _fail(f"{name}: {next(n for n in names if names.count(n) > 1)!r} stands there twice")
    bad = [n for n in names if not n.strip() or len(n) > MAX_LABEL or not n.isprintable()]
    if bad:
        _fail(f"{name}: expected printable names of 1 to {MAX_LABEL} characters, got {bad[0][:MAX_LABEL]!r}")
    if graph.first_output != name:
        _fail(f"expected {name} as the model's first output, got {graph.first_output!r}")
    if ANATOMY in manifest.heads and manifest.heads[ANATOMY].tensor.shape != (1, 1):
        _fail(f"{ANATOMY}: expected (1, 1), got {manifest.heads[ANATOMY].tensor.shape}")


def is_vector(shape: tuple[int, ...], length: int) -> bool:
    """Whether a tensor of ``shape`` is one vector of ``length`` for one picture: (1, n), or (1, 1, 1, n)."""
    return len(shape) >= 2 and shape[-1] == length and math.prod(shape) == length


def check_rules(manifest: ClassificationManifest) -> None:
    """Raise `ModelError` unless the rules are about the model's labels, and every threshold is in its range."""
    check_scores(manifest, "labels")
    clear = manifest.labels.clear_label
    if clear is not None and clear not in manifest.label_names:
        _fail(f"labels.clear_label: {clear[:MAX_LABEL]!r} is no label of the model")


def check_scores(manifest: PictureManifest, field: str) -> None:
    """Check the rules that classifiers and segmentation networks share; ``field`` of the manifest holds them.

    Raises `ModelError` unless they are about the model's labels, and every threshold is in its range.
    """
    rules, names = manifest.rules, manifest.label_names
    for label, value in (("", rules.threshold), *rules.thresholds.items()):
        if label and label not in names:
            _fail(f"{field}.thresholds names {label[:MAX_LABEL]!r}, which is no label of the model")
        if not 0 < value < 1:
            _fail(f"{field}.threshold{'s' * bool(label)}: expected more than 0 and less than 1, got {value}")
    if not math.isfinite(rules.temperature) or not 0.01 <= rules.temperature <= 100:
        _fail(f"{field}.temperature: expected 0.01 to 100, got {rules.temperature}")
    if (rules.anatomy is not None) != (ANATOMY in manifest.heads):
        _fail(f"{field}.anatomy: expected a limit where there is a head {ANATOMY}, and none else, got {rules.anatomy}")
    if rules.anatomy is not None and not 0 <= rules.anatomy < 1:
        _fail(f"{field}.anatomy: expected 0 up to less than 1, got {rules.anatomy}")
    if rules.anatomy_stated is not None and not 0 <= rules.anatomy_stated <= (rules.anatomy or 0.0):
        _fail(f"{field}.anatomy_stated: expected 0 up to {field}.anatomy, got {rules.anatomy_stated}")


def check_golden(golden: GoldenVectors, manifest: ClassificationManifest) -> None:
    """Raise `ModelError` unless the golden vectors hold two pictures that the model tells apart.

    A kernel that computes nothing gives the same for every picture. More cannot be asked of a stranger's model.
    """
    outputs = golden.outputs[LABELS].reshape(len(golden), -1)
    if len(golden) < LEAST_CASES or (outputs == outputs[:1]).all():
        _fail("golden.npz proves nothing: no two of its pictures are told apart")
    check_range(golden, manifest, "labels")


def check_range(golden: GoldenVectors, manifest: PictureManifest, field: str) -> None:
    """Raise `ModelError` if the head is said to give probabilities, and the golden outputs are none."""
    if manifest.rules.output == "probabilities":
        name = NAMED_HEADS[manifest.judges]
        spec, outputs = manifest.heads[name].tensor, golden.outputs[name]
        low, high = (spec.scale * (float(end) - spec.zero_point) for end in (outputs.min(), outputs.max()))
        if low < -0.02 or high > 1.02:
            _fail(f"{field}.output: expected probabilities, the golden outputs go from {low:.3g} to {high:.3g}")


def _fail(message: str) -> NoReturn:
    raise ModelError(message, hint=HINT)
