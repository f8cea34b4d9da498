"""Sums of a head's narrow layers, and how close they stand to the edge of rounding.

Between a changed weight and the answer stand logits in steps of 8 bits: a change of a tenth of a step shows only where
the sum stood within a tenth of the edge. The last matrices of a head have one or two sums, which are computed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from export.head_layers import HeadGraph, WeightedLayer
    from export.input_gradient import TracedGraph

NARROW = 2
"""Most sums of a layer that are worth being brought to an edge at once."""
FLOOR = 0.002
"""Closer to the edge than this share of a step, none is better than another."""


def narrow_layers(graph: TracedGraph, head: HeadGraph, layer: WeightedLayer) -> list[WeightedLayer]:
    """Matrices of ``head`` with one or two sums that the result of ``layer`` reaches first, itself included."""
    by_source: dict[int, list[Any]] = {}
    for number, operator in enumerate(graph.subgraph.operators):
        for tensor in operator.inputs:
            by_source.setdefault(int(tensor), []).append((number, operator))
    of_head = {each.operator: each for each in head.layers}
    found: list[WeightedLayer] = []
    waiting = [layer.result]
    if _narrow(layer):
        return [layer]
    seen: set[int] = set()
    while waiting:
        for number, operator in by_source.get(waiting.pop(), []):
            if number in seen:
                continue
            seen.add(number)
            if number in of_head and _narrow(of_head[number]):
                found.append(of_head[number])
            else:
                waiting += [int(t) for t in operator.outputs]
    return sorted(found, key=lambda each: each.operator)


def edge_distance(graph: TracedGraph, layers: list[WeightedLayer], results: Mapping[int, NDArray[Any]]) -> float:
    """How far the sums of ``layers`` are from the edges of rounding, as a mean of logarithms: the lower, the closer."""
    found = []
    for layer in layers:
        steps = layer_sums(graph, layer, results)
        found += np.abs(steps - np.floor(steps) - 0.5).reshape(-1).tolist()
    return float(np.log(np.array(found) + FLOOR).mean()) if found else 0.0


def layer_sums(graph: TracedGraph, layer: WeightedLayer, results: Mapping[int, NDArray[Any]]) -> NDArray[np.float64]:
    """Sums of a matrix or a convolution of one pixel before rounding, (n, channels) in steps of its result."""
    operator = graph.subgraph.operators[layer.operator]
    weights = graph.weights(operator).reshape(layer.shape[0], -1).astype(np.float64)
    source = (results[layer.source].astype(np.float64) - graph.zero(layer.source)) * float(graph.scale(layer.source)[0])
    sums = source.reshape(-1, weights.shape[1]) @ weights.T + graph.bias(operator)
    return np.asarray(sums / float(graph.scale(layer.result)[0]))


def _narrow(layer: WeightedLayer) -> bool:
    return layer.channel_axis == 0 and layer.shape[0] <= NARROW and len(layer.shape) == 2
