"""Layers of each head of a model: those that its head alone needs, cut out of the graph to be run by themselves.

What all heads need is the trunk. A head may read another head's result (a mask that weighs features): the layers behind
that result stay the other head's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.converted_graph import pack_model, text, unpack_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEIGHTED = {getattr(schema.BuiltinOperator, kind) for kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")}
"""Operators whose second input is a matrix of weights."""
CHANNEL_AXIS = {schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3}
"""Axis of the weights that counts output channels; 0 for the other operators."""
CONVERSIONS = {schema.BuiltinOperator.QUANTIZE, schema.BuiltinOperator.DEQUANTIZE}
DTYPES = {schema.TensorType.INT8: np.int8, schema.TensorType.FLOAT32: np.float32}
"""Types of weights that are known here."""


@dataclass(frozen=True, slots=True)
class WeightedLayer:
    """One layer with weights: a convolution or a matrix, by its tensors in the graph."""

    operator: int
    """Number of the operator in the graph."""
    weights: int
    """Number of the tensor of weights; the other two are numbers of tensors too."""
    source: int
    result: int
    channel_axis: int
    """Axis of the weights that counts the result's channels."""
    shape: tuple[int, ...]
    """Shape of the weights."""

    @property
    def size(self) -> int:
        """Number of its weights."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class HeadGraph:
    """Graph of one head by itself: its inputs are the trunk's results, its output is the head's."""

    name: str
    graph: bytes
    sources: tuple[int, ...]
    """Tensors of the whole graph that it reads, in the order of its inputs."""
    output: int
    """Tensor of its output."""
    layers: tuple[WeightedLayer, ...]
    """Layers with weights, numbered as in the whole graph."""


def head_operators(model: schema.ModelT) -> dict[str, list[int]]:
    """Numbers of the operators of each head, by head name in the order of the signature; the trunk's are in none.

    An operator that several heads need, but not all, is the first one's that is not read by another head's layers.
    """
    subgraph = model.subgraphs[0]
    maker = {int(tensor): number for number, each in enumerate(subgraph.operators) for tensor in each.outputs}
    values = {text(entry.name): _value(model, maker, entry.tensorIndex) for entry in model.signatureDefs[0].outputs}
    needs = {}
    for entry in model.signatureDefs[0].outputs:
        name = text(entry.name)
        others = {tensor for other, tensor in values.items() if other != name}
        needs[name] = operators_behind(subgraph, maker, entry.tensorIndex, others)
    trunk = set.intersection(*needs.values()) if len(needs) > 1 else set()
    taken = set(trunk)
    found = {}
    for name, operators in needs.items():
        found[name] = sorted(operators - taken)
        taken |= operators
    return found


def _value(model: schema.ModelT, maker: dict[int, int], tensor: int) -> int:
    """The tensor before the conversions of type that end a head: what other layers read of it."""
    while tensor in maker:
        operator = model.subgraphs[0].operators[maker[tensor]]
        if _kind(model, operator) not in CONVERSIONS:
            break
        tensor = int(operator.inputs[0])
    return tensor


def operators_behind(subgraph: schema.SubGraphT, maker: dict[int, int], tensor: int, stop: set[int]) -> set[int]:
    """Operators that ``tensor`` is computed by, without those behind the tensors of ``stop``."""
    found: set[int] = set()
    waiting = [tensor]
    while waiting:
        number = maker.get(waiting.pop())
        if number is not None and number not in found:
            found.add(number)
            waiting += [int(t) for t in subgraph.operators[number].inputs if t >= 0 and int(t) not in stop]
    return found


def _kind(model: schema.ModelT, operator: schema.OperatorT) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def cut_heads(graph: bytes) -> list[HeadGraph]:
    """Cut each head's layers out of ``graph``. Raises EdgeError if the file is no graph that this can be done with."""
    model = unpack_model(graph)
    return [_cut(graph, name, operators) for name, operators in head_operators(model).items()]


def _cut(graph: bytes, name: str, operators: list[int]) -> HeadGraph:
    """Graph of the head's ``operators`` alone. Tensors keep their numbers: those of others stay, unused."""
    model = unpack_model(graph)
    subgraph = model.subgraphs[0]
    layers = tuple(
        _layer(model, number) for number in operators if _kind(model, subgraph.operators[number]) in WEIGHTED
    )
    chosen = [subgraph.operators[number] for number in operators]
    made = {int(tensor) for each in chosen for tensor in each.outputs}
    read = {int(tensor) for each in chosen for tensor in each.inputs if tensor >= 0}
    constant = {t for t in read if model.buffers[subgraph.tensors[t].buffer].data is not None}
    sources = tuple(sorted(read - made - constant))
    signature = model.signatureDefs[0]
    output = next(entry for entry in signature.outputs if text(entry.name) == name)
    subgraph.operators, subgraph.inputs = chosen, np.array(sources, np.int32)
    subgraph.outputs = np.array([output.tensorIndex], np.int32)
    model.signatureDefs, model.metadata, model.metadataBuffer = None, None, None
    _drop_unread(model, read | made)
    return HeadGraph(name, pack_model(model), sources, int(output.tensorIndex), layers)


def _drop_unread(model: schema.ModelT, used: set[int]) -> None:
    """Empty the buffers of tensors that no operator of the graph reads."""
    subgraph = model.subgraphs[0]
    kept = {subgraph.tensors[t].buffer for t in used}
    for number, buffer in enumerate(model.buffers):
        if number not in kept:
            buffer.data = None


def _layer(model: schema.ModelT, number: int) -> WeightedLayer:
    subgraph = model.subgraphs[0]
    operator = subgraph.operators[number]
    weights = int(operator.inputs[1])
    shape = tuple(int(n) for n in subgraph.tensors[weights].shape)
    axis = CHANNEL_AXIS.get(_kind(model, operator), 0)
    return WeightedLayer(number, weights, int(operator.inputs[0]), int(operator.outputs[0]), axis, shape)


def read_weights(graph: bytes, tensor: int) -> NDArray[Any]:
    """Weights of one tensor of ``graph``, in its shape, as they are stored: int8 or float32."""
    model = schema.Model.GetRootAs(graph, 0)
    entry = model.Subgraphs(0).Tensors(tensor)
    buffer = model.Buffers(entry.Buffer())
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), DTYPES[entry.Type()])
    return values.reshape([entry.Shape(i) for i in range(entry.ShapeLength())])
