"""Lift the int8 anatomy gate of a graph into a float design: the same layers, its weights as real values."""

from __future__ import annotations

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from export.converted_graph import text
from export.head_layers import head_operators
from export.head_replacement.head_design import HeadDesign, HeadLayer
from export.input_gradient import TracedGraph

ACTIVATIONS = {
    schema.ActivationFunctionType.NONE: None,
    schema.ActivationFunctionType.RELU: "relu",
    schema.ActivationFunctionType.RELU6: "relu6",
}
TWO = {"ADD": "add", "SUB": "subtract", "MUL": "multiply", "CONCATENATION": "concatenate"}


def lift_head(graph: bytes, head: str) -> HeadDesign:
    """The design of a head that is made of means in bands (two constant depthwise convolutions), matrices and sums."""
    traced = TracedGraph(graph)
    layers: list[HeadLayer] = []
    arrays: dict[str, np.ndarray] = {}
    made: dict[int, str] = {}
    factors: dict[int, np.ndarray] = {}
    biases: dict[int, np.ndarray] = {}
    bands: dict[str, int] = {}

    def source(tensor: int) -> str:
        if tensor not in made:
            made[tensor] = f"from_{tensor}"
            name = text(traced.subgraph.tensors[tensor].name)
            layers.append(HeadLayer(name=made[tensor], kind="tensor", tensor=name))
        return made[tensor]

    for number in head_operators(traced.model)[head]:
        operator = traced.subgraph.operators[number]
        kind, out, name = traced.kind(operator), int(operator.outputs[0]), f"layer_{number}"
        first = int(operator.inputs[0])
        activation = ACTIVATIONS[getattr(operator.builtinOptions, "fusedActivationFunction", 0)]
        if kind in ("RESHAPE", "QUANTIZE", "LOGISTIC"):
            made[out] = made[first]
        elif kind == "DEPTHWISE_CONV_2D":
            # Constants by channel: the sum of a kernel is what it makes of a map of ones.
            factor = traced.weights(operator).sum(axis=(0, 1, 2)).astype(np.float64)
            if traced.shape(out)[2] > 1:  # down the columns; along the row comes next
                made[out], factors[out], biases[out] = source(first), factor, traced.bias(operator)
                continue
            bands[name] = traced.shape(out)[1]
            layers.append(HeadLayer(name=name, kind="mean", inputs=[made[first]], bands=bands[name]))
            arrays[f"{name}.weights"] = factors[first] * factor
            arrays[f"{name}.bias"] = biases[first] * factor + traced.bias(operator)
            made[out] = name
        elif kind in ("FULLY_CONNECTED", "CONV_2D"):  # a convolution over all bands of a mean is laid out band by band
            layers.append(HeadLayer(name=name, kind="conv", inputs=[made[first]], activation=activation))
            weights = traced.weights(operator).reshape(traced.shape(out)[-1], -1)
            over = bands.get(made[first], 1)
            arrays[f"{name}.weights"] = np.asarray(weights.T, np.float64).reshape(over, 1, -1, len(weights))
            arrays[f"{name}.bias"] = np.broadcast_to(traced.bias(operator), (len(weights),)).astype(np.float64)
            made[out] = name
        else:
            inputs = [made[int(t)] for t in operator.inputs]
            layers.append(HeadLayer(name=name, kind=TWO[kind], inputs=inputs, activation=activation))
            made[out] = name
    return HeadDesign(tuple(layers), arrays)
