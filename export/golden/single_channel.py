"""Integer arithmetic of quantised layers on values that differ in one channel, for many changes at once.

A changed weight moves one channel of its layer's result, and depthwise layers, products and concatenations keep it one
channel. What is computed here is XNNPACK's arithmetic to the bit; `export.golden.detected_changes` checks that on every
picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.head_layers import read_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from export.input_gradient import TracedGraph

    Integers = NDArray[np.int32]

LAYERS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
SAME = 0
"""Padding of the schema by which a result is as large as what it is made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Single:
    """A tensor that differs from its base in one channel, for n changes."""

    channel: NDArray[np.intp]
    """(n,)"""
    values: Integers
    """Of that channel, quantised: (n, height, width); a vector is (n, 1, 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A vector that differs from its base anywhere, for n changes."""

    values: Integers
    """Quantised, (n, channels)."""


class LayerArithmetic:
    """One layer of a quantised graph: sums, and their rounding to the result's steps."""

    def __init__(self, graph: TracedGraph, data: bytes, operator: schema.OperatorT) -> None:
        """``data``: the whole graph's flatbuffer, which holds the weights."""
        self.source, weights, *rest = (int(t) for t in operator.inputs)
        self.result = int(operator.outputs[0])
        self.kind = graph.kind(operator)
        self.depthwise = self.kind == "DEPTHWISE_CONV_2D"
        self.options = operator.builtinOptions
        self.shape = graph.shape(self.result)
        self.weights = read_weights(data, weights).astype(np.int32)
        channels = self.weights.shape[3 if self.depthwise else 0]
        bias = [graph.model.buffers[graph.subgraph.tensors[t].buffer].data for t in rest if t >= 0]
        self.bias = np.zeros(channels, np.int32) if not bias else np.frombuffer(bias[0].tobytes(), np.int32)
        self.zero = graph.zero(self.source)
        made = graph.scale(self.result)[0]
        self._scale = np.broadcast_to(graph.scale(self.source)[0] * graph.scale(weights) / made, (channels,))
        self._out = graph.zero(self.result)
        self._low, self._high = limits(graph, self.result, getattr(self.options, "fusedActivationFunction", 0))

    @property
    def plain(self) -> bool:
        """Whether it is a matrix, or a convolution of one pixel with a stride of one."""
        if self.kind == "FULLY_CONNECTED":
            return True
        strides = (self.options.strideH, self.options.strideW)
        return self.kind == "CONV_2D" and self.weights.shape[1:3] == (1, 1) and strides == (1, 1)

    def matrix(self) -> Integers:
        """Weights of a plain layer, (channels out, channels in)."""
        return self.weights.reshape(len(self.weights), -1)

    def round(self, sums: Integers, channel: Any = slice(None)) -> Integers:
        """Sums (…, channels), or (…) of the channels named, as quantised results."""
        steps = np.rint(sums.astype(np.float32) * self._scale[channel]).astype(np.int32) + self._out
        return np.asarray(np.clip(steps, self._low, self._high))

    def sums(self, source: NDArray[Any]) -> Integers:
        """Sums of the whole layer, int32, for one source tensor (1, …), in the result's shape with channels last."""
        if self.depthwise:
            maps = np.moveaxis(source[0].astype(np.int32), -1, 0)
            return np.moveaxis(self.channel_sums(maps, np.arange(len(maps))), 0, -1)[None]
        if not self.plain:
            return self._window_sums(source)
        real = source.reshape(-1, self.matrix().shape[1]).astype(np.float64) - self.zero
        return np.asarray((real @ self.matrix().T.astype(np.float64) + self.bias).astype(np.int32).reshape(self.shape))

    def _window_sums(self, source: NDArray[Any]) -> Integers:
        """Sums of a convolution that gathers from a neighbourhood."""
        padded = self.padded(np.moveaxis(source[0].astype(np.int32), -1, 0))
        total = np.broadcast_to(self.bias.astype(np.float64), self.shape[1:]).copy()
        for row, column in np.ndindex(*self.weights.shape[1:3]):
            met = np.moveaxis(self.windows(padded, row, column), 0, -1).astype(np.float64)
            total += met @ self.weights[:, row, column].T.astype(np.float64)
        return np.asarray(total.astype(np.int32)[None])

    def windows(self, maps: Integers, row: int, column: int) -> Integers:
        """What the weight at ``row``, ``column`` of a depthwise kernel meets: (n, height, width) of padded ``maps``."""
        _, height, width, _ = self.shape
        down, right = self.options.strideH, self.options.strideW
        return maps[:, row : row + (height - 1) * down + 1 : down, column : column + (width - 1) * right + 1 : right]

    def padded(self, maps: Integers) -> Integers:
        """Maps (n, height, width) less their zero point, with the margin that the layer's padding adds."""
        real = maps - self.zero
        if self.options.padding != SAME:
            return real
        rows, columns = self.weights.shape[1:3]
        over = [
            max((out - 1) * stride + kernel - size, 0)
            for out, stride, kernel, size in zip(
                self.shape[1:3],
                (self.options.strideH, self.options.strideW),
                (rows, columns),
                maps.shape[1:],
                strict=True,
            )
        ]
        return np.pad(real, ((0, 0), *((n // 2, n - n // 2) for n in over)))

    def channel_sums(self, maps: Integers, channel: NDArray[np.intp]) -> Integers:
        """Sums of a depthwise layer, one channel each: maps (n, height, width) of the ``channel`` (n,)."""
        padded = self.padded(maps)
        _, rows, columns, _ = self.weights.shape
        total = np.broadcast_to(self.bias[channel][:, None, None], (len(maps), *self.shape[1:3])).copy()
        for row in range(rows):
            for column in range(columns):
                total += self.windows(padded, row, column) * self.weights[0, row, column, channel][:, None, None]
        return np.asarray(total)

    def change(self, source: NDArray[Any], sums: Integers, index: NDArray[np.intp], value: Integers) -> Single:
        """Results where single weights, by their number in the flattened weights, have other values."""
        delta = value - self.weights.reshape(-1)[index]
        places = np.unravel_index(index, self.weights.shape)
        channel = places[3] if self.depthwise else places[0]
        if self.plain:
            real = source.reshape(-1, self.matrix().shape[1]).astype(np.int32) - self.zero
            met = real[:, places[-1]].T.reshape(len(index), *spatial(sums.shape))
        else:  # the last axis counts source channels, of depthwise convolutions too
            padded = self.padded(np.moveaxis(source[0].astype(np.int32), -1, 0))
            met = np.stack(
                [self.windows(padded[c : c + 1], y, x)[0] for c, y, x in zip(places[3], *places[1:3], strict=True)]
            )
        base = np.moveaxis(sums.reshape(*spatial(sums.shape), -1), -1, 0)[channel]
        return Single(channel, self.round(base + delta[:, None, None] * met, channel[:, None, None]))

    def follow(self, changed: Single | Dense, source: NDArray[Any], sums: Integers) -> Single | Dense:
        """Results where the source, (1, …), is changed: one channel of a depthwise layer, or all of a vector."""
        if isinstance(changed, Dense):
            real = changed.values.astype(np.float64) - self.zero
            return Dense(self.round((real @ self.matrix().T.astype(np.float64) + self.bias).astype(np.int32)))
        if self.depthwise:
            total = self.channel_sums(changed.values, changed.channel)
            return Single(changed.channel, self.round(total, changed.channel[:, None, None]))
        base = source.reshape(-1)[changed.channel].astype(np.int32)
        delta = changed.values[:, 0, 0] - base
        return Dense(self.round(sums.reshape(-1) + delta[:, None] * self.matrix()[:, changed.channel].T))


def spatial(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of a tensor's shape; of a vector, 1 and 1."""
    return (shape[1], shape[2]) if len(shape) == 4 else (1, 1)


def limits(graph: TracedGraph, tensor: int, activation: int) -> tuple[int, int]:
    """Lowest and highest quantised value that a layer with a fused activation gives."""
    kinds = schema.ActivationFunctionType
    zero = graph.zero(tensor)
    low = zero if activation in (kinds.RELU, kinds.RELU6) else -128
    high = zero + round(6 / float(graph.scale(tensor)[0])) if activation == kinds.RELU6 else 127
    return max(low, -128), min(high, 127)


def product(graph: TracedGraph, operator: schema.OperatorT, one: Integers, other: Integers) -> Integers:
    """Product of two quantised tensors, or parts of them, in steps of the operator's result."""
    (a, b), made = (int(t) for t in operator.inputs), int(operator.outputs[0])
    scale = graph.scale(a)[0] * graph.scale(b)[0] / graph.scale(made)[0]
    sums = (one - graph.zero(a)) * (other - graph.zero(b))
    low, high = limits(graph, made, operator.builtinOptions.fusedActivationFunction)
    return np.asarray(np.clip(np.rint(sums.astype(np.float32) * scale).astype(np.int32) + graph.zero(made), low, high))
