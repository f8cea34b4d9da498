"""Gradient of a quantised graph's tensors with respect to its input picture, without TensorFlow.

The forward pass is the int8 graph's own, by LiteRT, with all results kept; the backward pass is in floats: a value that
stands at a limit of its type passes nothing on, as a clipped one. Rounding is overlooked. Operators that are not known
here pass nothing on either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.converted_graph import pack_model, unpack_model
from export.head_layers import read_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from numpy.typing import NDArray

    Gradients = dict[int, NDArray[np.float32]]

KIND = schema.BuiltinOperator
NAMES = {value: name for name, value in vars(KIND).items() if isinstance(value, int)}


class TracedGraph:
    """A graph that keeps all its results, and carries gradients from any of them back to the picture."""

    def __init__(self, graph: bytes, keep: Collection[int] | None = None) -> None:
        """``keep``: the tensors whose values are wanted; None: all, which takes longer."""
        from ai_edge_litert.interpreter import Interpreter

        self._graph = graph
        self.model = unpack_model(graph)
        self.subgraph = self.model.subgraphs[0]
        made = [int(t) for each in self.subgraph.operators for t in each.outputs] if keep is None else sorted(keep)
        traced = unpack_model(graph)
        traced.signatureDefs = None
        traced.subgraphs[0].outputs = np.array(made, np.int32)
        self._interpreter = Interpreter(model_content=pack_model(traced), num_threads=1)
        self._interpreter.allocate_tensors()
        self._made = made
        self.source = int(self.subgraph.inputs[0])
        self._weights: dict[int, NDArray[np.float32]] = {}
        self.revived: set[int] = set()

    def run(self, tensor: NDArray[np.uint8]) -> dict[int, NDArray[Any]]:
        """Run the graph on ``tensor`` (1, height, width, channels); returns all results by tensor number."""
        self._interpreter.set_tensor(self.source, tensor)
        self._interpreter.invoke()
        return {number: self._interpreter.get_tensor(number) for number in self._made}

    def kind(self, operator: schema.OperatorT) -> str:
        """Name of an operator's kind, as the schema has it."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return str(NAMES[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))])

    def scale(self, tensor: int) -> NDArray[np.float32]:
        """Scales of a tensor: (1,), or (channels,); 1 for floats."""
        found = self.subgraph.tensors[tensor].quantization
        return np.array([1.0] if found is None or found.scale is None else found.scale, np.float32)

    def zero(self, tensor: int) -> int:
        """Zero point of a tensor; 0 for floats."""
        found = self.subgraph.tensors[tensor].quantization
        return 0 if found is None or found.zeroPoint is None else int(found.zeroPoint[0])

    def weights(self, operator: schema.OperatorT) -> NDArray[np.float32]:
        """Weights of a convolution or matrix as real values, in the shape that they are stored in."""
        tensor = int(operator.inputs[1])
        if tensor not in self._weights:
            scale = self.scale(tensor)
            stored = read_weights(self._graph, tensor).astype(np.float32)
            last = self.kind(operator) == "DEPTHWISE_CONV_2D"
            self._weights[tensor] = stored * (scale if last else scale.reshape(-1, *[1] * (stored.ndim - 1)))
        return self._weights[tensor]

    def bias(self, operator: schema.OperatorT) -> NDArray[np.float32]:
        """Bias of a convolution or matrix as real values, (channels,); 0 where it has none."""
        tensor = int(operator.inputs[2]) if len(operator.inputs) > 2 else -1
        data = None if tensor < 0 else self.model.buffers[self.subgraph.tensors[tensor].buffer].data
        if data is None:
            return np.zeros(1, np.float32)
        kind = np.int32 if self.subgraph.tensors[tensor].type == schema.TensorType.INT32 else np.float32
        return np.frombuffer(data.tobytes(), kind).astype(np.float32) * self.scale(tensor)

    def backward(
        self, results: Mapping[int, NDArray[Any]], seeds: Mapping[int, NDArray[np.floating[Any]]]
    ) -> NDArray[np.float32]:
        """Gradient at the input, (1, height, width, channels), of gradients ``seeds`` at any tensors."""
        found: Gradients = {number: np.asarray(seed, np.float32) for number, seed in seeds.items()}
        for operator in reversed(self.subgraph.operators):
            made = int(operator.outputs[0])
            gradient = found.pop(made, None)
            step = STEPS.get(self.kind(operator))
            if gradient is None or step is None:
                continue
            if self.kind(operator) != "QUANTIZE" and results[made].dtype == np.int8:
                gradient = gradient.reshape(results[made].shape)
                rising, falling = (gradient > 0, gradient < 0) if made in self.revived else (False, False)
                gradient = gradient * (((results[made] > -128) | rising) & ((results[made] < 127) | falling))
            for number, part in step(self, operator, gradient.reshape(results[made].shape), results):
                found[number] = found[number] + part if number in found else part
        shape = tuple(int(n) for n in self.subgraph.tensors[self.source].shape)
        return found.get(self.source, np.zeros(shape, np.float32))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor."""
        return tuple(int(n) for n in self.subgraph.tensors[tensor].shape)


def _same(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    source = int(operator.inputs[0])
    return [(source, gradient.reshape(graph.shape(source)))]


def _add(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    sign = -1 if graph.kind(operator) == "SUB" else 1
    one, other = (int(n) for n in operator.inputs)
    return [(one, _summed(gradient, graph.shape(one))), (other, sign * _summed(gradient, graph.shape(other)))]


def _multiply(graph: TracedGraph, operator: Any, gradient: Any, results: Any) -> Iterable[tuple[int, Any]]:
    one, other = (int(n) for n in operator.inputs)
    real = {n: (results[n].astype(np.float32) - graph.zero(n)) * graph.scale(n)[0] for n in (one, other)}
    return [
        (one, _summed(gradient * real[other], graph.shape(one))),
        (other, _summed(gradient * real[one], graph.shape(other))),
    ]


def _concatenate(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    axis = operator.builtinOptions.axis
    sources = [int(n) for n in operator.inputs]
    ends = np.cumsum([graph.shape(n)[axis] for n in sources])[:-1]
    return list(zip(sources, np.split(gradient, ends, axis), strict=True))


def _connect(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    source = int(operator.inputs[0])
    weights = graph.weights(operator)
    return [(source, (gradient.reshape(-1, len(weights)) @ weights).reshape(graph.shape(source)))]


def _convolve(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    source = int(operator.inputs[0])
    weights = graph.weights(operator)
    _, height, width, channels = graph.shape(source)
    options = operator.builtinOptions
    depthwise = graph.kind(operator) == "DEPTHWISE_CONV_2D"
    if not depthwise and weights.shape[1:3] == (1, 1) and (options.strideH, options.strideW) == (1, 1):
        flat = gradient.reshape(-1, len(weights)) @ weights[:, 0, 0]
        return [(source, flat.reshape(1, height, width, channels))]
    rows, columns = weights.shape[1:3]
    down, right = options.strideH, options.strideW
    _, out_h, out_w, _ = gradient.shape
    over = max((out_h - 1) * down + rows - height, 0), max((out_w - 1) * right + columns - width, 0)
    whole = np.zeros((height + over[0], width + over[1], channels), np.float32)
    for y in range(rows):
        for x in range(columns):
            part = gradient[0] * weights[0, y, x] if depthwise else gradient[0] @ weights[:, y, x]
            whole[y : y + (out_h - 1) * down + 1 : down, x : x + (out_w - 1) * right + 1 : right] += part
    top, left = over[0] // 2, over[1] // 2
    return [(source, whole[None, top : top + height, left : left + width])]


def _resize(graph: TracedGraph, operator: Any, gradient: Any, _: Any) -> Iterable[tuple[int, Any]]:
    source = int(operator.inputs[0])
    _, height, width, _ = graph.shape(source)
    half = bool(operator.builtinOptions.halfPixelCenters)
    rows, columns = (
        _interpolation(small, large, half) for small, large in ((height, gradient.shape[1]), (width, gradient.shape[2]))
    )
    return [(source, np.einsum("byxc,yh,xw->bhwc", gradient, rows, columns, optimize=True))]


def _interpolation(small: int, large: int, half: bool) -> NDArray[np.float32]:
    """Matrix (large, small) of bilinear interpolation along one axis."""
    offset = 0.5 if half else 0.0
    at = np.clip((np.arange(large) + offset) * small / large - offset, 0, small - 1)
    low = np.floor(at).astype(int)
    found = np.zeros((large, small), np.float32)
    np.add.at(found, (np.arange(large), low), 1 - (at - low))
    np.add.at(found, (np.arange(large), np.minimum(low + 1, small - 1)), at - low)
    return found


def _summed(gradient: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Gradient of a value that was broadcast, (…) float32, summed to its own shape."""
    lead = gradient.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, n in enumerate(shape) if n == 1 and gradient.shape[lead + i] > 1)
    return gradient.sum(axis=axes).reshape(shape) if axes else gradient.reshape(shape)


STEPS = {
    "QUANTIZE": _same,
    "RESHAPE": _same,
    "ADD": _add,
    "SUB": _add,
    "MUL": _multiply,
    "CONCATENATION": _concatenate,
    "FULLY_CONNECTED": _connect,
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve,
    "RESIZE_BILINEAR": _resize,
}
"""How each kind of operator passes a gradient on, as real values, to its inputs."""
