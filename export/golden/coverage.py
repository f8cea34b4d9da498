"""Mutation coverage: share of weight changes that golden vectors notice, by head; channels that do not count.

A channel that is zero on every representative picture has no say in any answer: its weights are left out, and the
channel is listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from edge.preprocess.preprocessor import Preprocessor
from export.golden.weight_changes import HeadRunner, draw_changes
from export.head_layers import cut_heads
from export.input_gradient import TracedGraph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from export.golden.weight_changes import ChangedWeight
    from export.head_layers import HeadGraph, WeightedLayer

DRAWN = 1000
"""Weights of each head that are changed, one at a time."""
WANTED = 0.99
"""Share of them that golden vectors must notice."""
PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})


class LayerCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes of one layer's weights were noticed."""

    operator: int
    """Number of the operator in the graph."""
    shape: tuple[int, ...]
    drawn: int
    noticed: int
    silent_channels: list[int]
    """Channels of its result that are zero on every representative picture."""


class HeadCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes of one head's weights were noticed, in all and by layer."""

    head: str
    drawn: int
    noticed: int
    layers: list[LayerCoverage]

    @property
    def share(self) -> float:
        """Share of the changed weights that golden outputs noticed."""
        return self.noticed / self.drawn if self.drawn else 0.0


def golden_coverage(
    graph: bytes,
    tensors: NDArray[np.uint8],
    silent: Mapping[int, NDArray[np.bool_]] | None = None,
    drawn: int = DRAWN,
    seed: int = 0,
) -> list[HeadCoverage]:
    """Change ``drawn`` weights of each head one at a time, and count those that a golden case notices.

    Args:
        graph: the flatbuffer alone.
        tensors: of the golden cases, (cases, height, width, channels) uint8.
        silent: what `silent_channels` found; None: all weights count.
        drawn: number of weights by head.
        seed: of the choice of weights.
    """
    traced = TracedGraph(graph)
    found = []
    for head in cut_heads(graph):
        cases = []
        for tensor in _by_one(tensors):
            # The head of a small network may read the picture itself.
            results = {**traced.run(tensor), traced.source: tensor}
            cases.append({n: results[n] for n in head.sources})
        runner = HeadRunner(head, graph)
        changes = draw_changes(runner, drawn, np.random.default_rng(seed), counted_weights(head, silent or {}))
        noticed = runner.noticed(changes, cases, first_only=True).any(axis=1)
        found.append(_head_coverage(head, changes, np.asarray(noticed).tolist(), silent or {}))
    return found


def silent_channels(graph: bytes, tensors: Iterable[NDArray[np.uint8]]) -> dict[int, NDArray[np.bool_]]:
    """Which channels of each tensor of the graph are zero for all of ``tensors`` (1, h, w, channels) uint8 each.

    By tensor number, (channels,) bool. Raises UsageError without a tensor: nothing would count.
    """
    traced = TracedGraph(graph)
    found: dict[int, NDArray[np.bool_]] = {}
    for tensor in tensors:
        for number, values in traced.run(tensor).items():
            zero = (values == traced.zero(number)).reshape(-1, values.shape[-1]).all(axis=0)
            found[number] = found[number] & zero if number in found else zero
    if not found:
        raise UsageError("no representative picture", hint="give a folder with PNG, JPEG, BMP or TIFF files")
    return found


def counted_weights(head: HeadGraph, silent: Mapping[int, NDArray[np.bool_]]) -> dict[int, NDArray[np.bool_]]:
    """Which weights of a head count, flat, by their tensor: those that lie between channels that are not silent."""
    return {layer.weights: _counted(layer, silent) for layer in head.layers}


def _counted(layer: WeightedLayer, silent: Mapping[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    counted = np.ones(layer.shape, np.bool_)
    results = silent.get(layer.result)
    if results is not None:
        axis = [1] * len(layer.shape)
        axis[layer.channel_axis] = -1
        counted &= ~results.reshape(axis)
    sources = silent.get(layer.source)
    if sources is not None and len(sources) == layer.shape[-1]:
        counted &= ~sources  # the last axis counts source channels, of depthwise convolutions too
    return counted.reshape(-1)


def read_pictures(folder: Path, recipe: PreprocessRecipe) -> Iterator[NDArray[np.uint8]]:
    """Read all pictures below a folder as input tensors, (1, height, width, channels) uint8 each."""
    preprocess = Preprocessor(recipe)
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in PICTURES):
        data = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None  # OpenCV raises for no bytes at all
        if picture is None:
            raise UsageError(f"{path} is no picture", hint="give a folder of representative pictures alone")
        yield preprocess(np.asarray(picture, np.uint8), ())[0]


def coverage_table(found: list[HeadCoverage], *, by_layer: bool = False) -> str:
    """Shares as text: one line a head, with ``by_layer`` one line a layer below it, then the silent channels."""
    lines = []
    for head in found:
        lines.append(f"{head.head}: {head.noticed} of {head.drawn} changed weights noticed ({head.share:.1%})")
        if by_layer:
            lines += [f"    {n.operator:4} {n.shape!s:22} {n.noticed} of {n.drawn}" for n in head.layers if n.drawn]
    for head in found:
        for layer in head.layers:
            if layer.silent_channels:
                numbers = ", ".join(map(str, layer.silent_channels))
                lines.append(
                    f"{head.head}, operator {layer.operator}: {len(layer.silent_channels)} channels are zero on every "
                    f"representative picture and do not count: {numbers}"
                )
    return "\n".join(lines)


def _by_one(tensors: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for number in range(len(tensors)):
        yield tensors[number : number + 1]


def _head_coverage(
    head: HeadGraph, changes: list[ChangedWeight], noticed: list[bool], silent: Mapping[int, NDArray[Any]]
) -> HeadCoverage:
    layers = []
    for layer in head.layers:
        seen = [each for change, each in zip(changes, noticed, strict=True) if change.layer == layer]
        quiet = silent.get(layer.result, np.zeros(0, np.bool_))
        layers.append(
            LayerCoverage(
                operator=layer.operator,
                shape=layer.shape,
                drawn=len(seen),
                noticed=sum(seen),
                silent_channels=np.flatnonzero(quiet).tolist(),
            )
        )
    return HeadCoverage(head=head.name, drawn=len(changes), noticed=sum(noticed), layers=layers)
