"""Undetected weights of a layer, whose change moves its result in no picture so far; gradients that wake them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.golden.rounding_edges import layer_sums

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from export.golden.weight_changes import ChangedWeight
    from export.head_layers import WeightedLayer
    from export.input_gradient import TracedGraph

    Tensors = Mapping[int, NDArray[Any]]

ROOM = 30.0
"""Steps over zero that a changed sum is pushed to: under that, rounding behind the layer may hide it."""
DEPTH = 300.0
"""A sum that is more steps under zero is left alone until the picture has changed, but for the highest of a channel."""
PLACES = 4
"""How many of a channel's places are its highest."""
MOVED = 45.0
"""Steps, over all places of the picture, that a result must move by before a weight counts as awake."""


class UndetectedWeights:
    """Changes of a layer's weights, and which of them no picture shows yet in the layer's own result.

    For matrices and convolutions of one pixel with a clipped result, see `can_wake`.
    """

    def __init__(self, graph: TracedGraph, layer: WeightedLayer, changes: Sequence[ChangedWeight]) -> None:
        self._graph, self.layer = graph, layer
        operator = graph.subgraph.operators[layer.operator]
        self._weights = graph.weights(operator).reshape(layer.shape[0], -1)
        index = np.array([change.index for change in changes])
        self._channel, self._input = np.divmod(index, self._weights.shape[1])
        scale = graph.scale(int(operator.inputs[1]))
        scale = scale[self._channel] if len(scale) > 1 else scale
        now = self._weights.reshape(-1)[index]
        self._delta = np.array([change.value for change in changes], np.float32) * scale - now
        zero = graph.zero(layer.result)
        self._limits = -128.0 - zero, 127.0 - zero
        self.asleep = np.ones(len(changes), np.bool_)

    def choose(self, left: NDArray[np.bool_], most: int, rng: np.random.Generator) -> None:
        """Choose as undetected those of the weights that are ``left``, (weights,) bool; ``most`` at most, by chance."""
        numbers = np.flatnonzero(left)
        self.asleep[:] = False
        self.asleep[numbers if len(numbers) <= most else rng.choice(numbers, most, replace=False)] = True

    def seed(self, results: Tensors) -> dict[int, NDArray[np.float32]]:
        """Gradient at the layer's source, in its shape, that raises the sums in which undetected weights would show."""
        sums, moved = self._sums(results, self.asleep)
        low, high = self._limits
        shown = np.abs((np.clip(moved, low, high) - np.clip(sums, low, high)).sum(axis=0)) >= MOVED
        highest = sums >= np.sort(sums, axis=0)[-min(PLACES, len(sums))]
        pushed = (np.maximum(sums, moved) < low + ROOM) & ((sums > low - DEPTH) | highest) & ~shown
        by_channel = np.zeros((self._weights.shape[0], len(sums)), np.float32)
        np.add.at(by_channel, self._channel[self.asleep], pushed.T.astype(np.float32))
        return {self.layer.source: (by_channel.T @ self._weights).reshape(results[self.layer.source].shape)}

    def _sums(self, results: Tensors, which: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sums of the channels of chosen weights, and the same with each weight changed, (places, weights) in steps."""
        layer, graph = self.layer, self._graph
        sums = layer_sums(graph, layer, results)[:, self._channel[which]]
        source = results[layer.source].astype(np.float32) - graph.zero(layer.source)
        source = source.reshape(-1, self._weights.shape[1])[:, self._input[which]] * graph.scale(layer.source)[0]
        return sums, sums + source * self._delta[which] / graph.scale(layer.result)[0]
