"""Consistency checks of what only a segmentation network's bundle has: its map, its rules, its golden vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from edge.contracts.errors import ModelError
from edge.contracts.manifest import MASK, MAX_MASK_VALUES
from edge.models.classification_checks import HINT, LEAST_CASES, check_names, check_range, check_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import SegmentationManifest
    from edge.models.golden_vectors import GoldenVectors
    from edge.models.graph import Graph

MAX_SIDE = 1024
"""Longest side of a map."""
COARSEST = 32
"""Most pixels of the input, along an axis, that one place of the map may stand for."""
LEAST_APART = 2
"""Golden outputs must be so many times farther apart than another processor may be off: else a kernel that computes
nothing would pass."""


def check_heads(manifest: SegmentationManifest, graph: Graph) -> None:
    """Raise `ModelError` unless the head is a map of the whole input, with one value for each of its labels."""
    head, shape = manifest.heads[MASK], manifest.heads[MASK].tensor.shape
    why = why_no_map(shape, manifest.input.shape)
    if why is not None:
        _fail(f"{MASK}: {why}")
    if len(head.class_names) != shape[3]:
        _fail(f"{MASK}: expected {shape[3]} labels for {shape}, got {len(head.class_names)}")
    check_names(manifest, MASK, graph)


def why_no_map(shape: tuple[int, ...], image: tuple[int, ...]) -> str | None:
    """Why a tensor of ``shape`` is no map of an input of shape ``image``, (1, h, w, c); None: it is one."""
    if len(shape) != 4 or shape[0] != 1 or min(shape) < 1:
        return f"expected a map (1, height, width, labels), got {shape}"
    _, height, width, _ = shape
    if math.prod(shape) > MAX_MASK_VALUES:
        return f"the map {shape} has {math.prod(shape):,} values, and the most is {MAX_MASK_VALUES:,}"
    if max(height, width) > MAX_SIDE:
        return f"the map {shape} is over {MAX_SIDE} pixels long"
    if COARSEST * height < image[1] or COARSEST * width < image[2]:
        return (
            f"the map {shape} is too coarse for an input of {image[1]} x {image[2]}: {COARSEST} pixels a place at most"
        )
    if abs(height * image[2] - width * image[1]) > max(image[1], image[2]):  # a place more or less is rounding
        return f"the map {shape} has another aspect than the input, {image[1]} x {image[2]}, and cannot lie on it"
    return None


def check_rules(manifest: SegmentationManifest) -> None:
    """Raise `ModelError` unless the rules are about the model's labels, and every limit is in its range."""
    check_scores(manifest, "areas")
    rules, names = manifest.areas, manifest.label_names
    if rules.exclusive and len(names) < 2:
        _fail("areas.exclusive: expected two labels at least, of which the first is the background")
    if rules.exclusive and names[0] in rules.thresholds:
        _fail(f"areas.thresholds names {names[0]!r}, which is the background and never an area")
    if not 0 <= rules.min_area < 0.5:
        _fail(f"areas.min_area: expected a share under a half, got {rules.min_area}")


def check_golden(golden: GoldenVectors, manifest: SegmentationManifest) -> None:
    """Raise `ModelError` unless the golden vectors hold two pictures that the model plainly tells apart.

    Some place of their maps differs by `LEAST_APART` times what any runtime may be off.
    """
    outputs = golden.outputs[MASK]
    apart = farthest_apart(outputs)
    least = LEAST_APART * largest_tolerance(manifest)
    if len(golden) < LEAST_CASES or apart <= least:
        _fail(f"golden.npz proves nothing: its maps differ by {apart:.3g} at most, expected over {least:.3g}")
    check_range(golden, manifest, "areas")


def farthest_apart(outputs: NDArray[Any]) -> float:
    """Largest difference of one place between any two of the outputs, (cases, …), as they are stored."""
    spread: float = np.subtract(outputs.max(axis=0), outputs.min(axis=0), dtype=np.float32).max()
    return float(spread)


def largest_tolerance(manifest: SegmentationManifest) -> float:
    """Largest difference that any family of runtimes is allowed in the map: in steps, or absolute for floats."""
    golden, families = manifest.golden, ("xnnpack", "reference")
    if manifest.heads[MASK].tensor.dtype == "float32":
        return max(*(golden.allowed_float(family) for family in families), *golden.max_abs_float.values())
    named = {*families, *golden.max_abs_diff, *golden.by_head}
    return float(max(golden.allowed(family, MASK) for family in named))


def _fail(message: str) -> NoReturn:
    raise ModelError(message, hint=HINT)
