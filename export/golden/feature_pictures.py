"""Pictures that wake a head's features: synthetic ones, altered step by step along the gradient of the int8 graph.

A feature that is zero in every golden picture hides its weights. Phantoms wake a tenth of a wide layer's features; a
picture that is altered to wake them wakes most. Such pictures look like noise, and are used for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from export.head_layers import HeadGraph, WeightedLayer
    from export.input_gradient import TracedGraph

    Tensors = Mapping[int, NDArray[Any]]
    Make = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

STEP = 2.0
"""Grey values that a pixel moves by at most in one step."""
CONTENT = 4.0
"""Logits within this of even odds are pulled back gently, farther ones strongly."""


def climb(
    graph: TracedGraph,
    start: NDArray[np.uint8],
    make: Make,
    seeds: Callable[[Tensors], list[tuple[float, dict[int, NDArray[Any]]]]],
    steps: int,
) -> Iterator[NDArray[np.uint8]]:
    """Alter a picture so that what ``seeds`` points at grows; yields it, (height, width) uint8, after every step.

    ``make`` gives the input tensor of a picture. ``seeds`` gives, of a picture's results, weights and gradients: each
    is carried back to the picture by itself, and counts as much there as its weight says.
    """
    picture, momentum = start.astype(np.float32), np.zeros(start.shape, np.float32)
    for _ in range(steps):
        results = graph.run(make(np.rint(picture).astype(np.uint8)))
        total = np.zeros(start.shape, np.float32)
        for weight, gradients in seeds(results):
            at_input = graph.backward(results, gradients)[0].sum(axis=2)
            total += weight * at_input / (np.abs(at_input).mean() + 1e-12)
        momentum = 0.8 * momentum + total / (np.abs(total).mean() + 1e-12)
        picture += STEP * np.clip(momentum / (np.abs(momentum).mean() + 1e-12), -1, 1)
        picture = np.clip(picture, 0, 255)
        yield np.rint(picture).astype(np.uint8)


def balance_seed(
    graph: TracedGraph, logits: int, results: Tensors, target: float = 0.0
) -> tuple[float, dict[int, NDArray[np.float32]]]:
    """Gradient at a head's logits towards ``target`` (0: even odds), and how far these are: 0 (there) to 1.5 (far)."""
    real = (results[logits].astype(np.float32) - graph.zero(logits)) * graph.scale(logits)[0] - target
    if real.shape[-1] > 1:
        real = real - real.mean(axis=-1, keepdims=True)
    return min(1.5, 3 * float(np.abs(real).mean()) / CONTENT), {logits: -np.clip(real, -2, 2)}


def logits_of(graph: TracedGraph, head: HeadGraph) -> int | None:
    """Tensor of a head's logits: what its sigmoid or softmax reads; None where it ends otherwise."""
    makers = {int(t): each for each in graph.subgraph.operators for t in each.outputs}
    tensor = head.output
    while tensor in makers:
        operator = makers[tensor]
        if graph.kind(operator) in ("LOGISTIC", "SOFTMAX"):
            return int(operator.inputs[0])
        if graph.kind(operator) not in ("QUANTIZE", "DEQUANTIZE"):
            break
        tensor = int(operator.inputs[0])
    return None


def can_wake(graph: TracedGraph, layer: WeightedLayer) -> bool:
    """Whether a layer's channels can be clipped at zero, and be woken by `waking_seed`."""
    operator = graph.subgraph.operators[layer.operator]
    plain = len(layer.shape) == 2 or (layer.channel_axis == 0 and layer.shape[1:3] == (1, 1))
    options = operator.builtinOptions
    strided = getattr(options, "strideH", 1) != 1
    return plain and not strided and getattr(options, "fusedActivationFunction", 0) != 0
