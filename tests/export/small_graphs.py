"""Small float TFLite graphs, made by hand: no TensorFlow is needed to test what is done to a graph."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

NONE, RELU6 = schema.ActivationFunctionType.NONE, schema.ActivationFunctionType.RELU6


class GraphMaker:
    """Adds tensors and operators to a model with one subgraph."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version, self.model.buffers, self.model.operatorCodes = 3, [schema.BufferT()], []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, shape: tuple[int, ...], values: Any = None, dtype: int = 0) -> int:
        new = schema.TensorT()
        new.shape, new.type, new.name = np.array(shape, np.int32), dtype, f"t{len(self.graph.tensors)}".encode()
        if values is not None:
            buffer = schema.BufferT()
            raw = np.asarray(values, "<i4" if dtype == 2 else "<f4").tobytes()
            buffer.data = np.frombuffer(raw, np.uint8)
            self.model.buffers.append(buffer)
            new.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1

    def add(self, kind: str, inputs: list[int], shape: tuple[int, ...], options: Any = None, family: str = "") -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array(inputs, np.int32)
        out = self.tensor(shape)
        operator.outputs = np.array([out], np.int32)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, family)
        self.graph.operators.append(operator)
        return out

    def conv(self, source: int, weights: np.ndarray, bias: np.ndarray, side: int, activation: int = NONE) -> int:
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = 0, 1, 1
        options.dilationWFactor = options.dilationHFactor = 1
        options.fusedActivationFunction = activation
        inputs = [source, self.tensor(weights.shape, weights), self.tensor(bias.shape, bias)]
        return self.add("CONV_2D", inputs, (1, side, side, len(weights)), options, "Conv2DOptions")

    def depthwise(self, source: int, weights: np.ndarray, bias: np.ndarray, side: int, activation: int = NONE) -> int:
        options = schema.DepthwiseConv2DOptionsT()
        options.padding, options.strideW, options.strideH, options.depthMultiplier = 0, 1, 1, 1
        options.dilationWFactor = options.dilationHFactor = 1
        options.fusedActivationFunction = activation
        inputs = [source, self.tensor(weights.shape, weights), self.tensor(bias.shape, bias)]
        shape = (1, side, side, weights.shape[3])
        return self.add("DEPTHWISE_CONV_2D", inputs, shape, options, "DepthwiseConv2DOptions")

    def binary(self, kind: str, one: int, other: int, shape: tuple[int, ...]) -> int:
        options, family = (
            (schema.AddOptionsT(), "AddOptions") if kind == "ADD" else (schema.MulOptionsT(), "MulOptions")
        )
        return self.add(kind, [one, other], shape, options, family)

    def mean(self, source: int, channels: int) -> int:
        options = schema.ReducerOptionsT()
        options.keepDims = False
        axes = self.tensor((2,), [1, 2], dtype=2)
        return self.add("MEAN", [source, axes], (1, channels), options, "ReducerOptions")

    def pack(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def small_network(seed: int = 3, side: int = 16, channels: int = 6) -> bytes:
    """Conv with ReLU6, depthwise, a residual sum, a map that weighs it, and its mean through a last layer: (1, 2).

    The channels of the residual stream differ in loudness by a factor of 100.
    """
    rng = np.random.default_rng(seed)
    make = GraphMaker()
    image = make.tensor((1, side, side, 3))
    loud = np.geomspace(0.05, 5.0, channels)
    first = make.conv(image, rng.normal(0, 0.004, (channels, 3, 3, 3)), rng.uniform(0, 1, channels), side, RELU6)
    deep = make.depthwise(first, rng.normal(0.1, 0.3, (1, 3, 3, channels)), np.zeros(channels), side, RELU6)
    one = rng.normal(0, 0.5, (channels, 1, 1, channels)) * loud[:, None, None, None]
    left = make.conv(deep, one, np.zeros(channels), side)
    right = make.conv(first, one[::-1] * 0.5, np.zeros(channels), side)
    shape = (1, side, side, channels)
    stream = make.binary("ADD", left, right, shape)
    weight = make.conv(deep, rng.normal(0, 0.2, (1, 1, 1, channels)), np.zeros(1), side, RELU6)
    weighed = make.binary("MUL", stream, weight, shape)
    pooled = make.mean(weighed, channels)
    options = schema.FullyConnectedOptionsT()
    inputs = [pooled, make.tensor((2, channels), rng.normal(0, 1, (2, channels))), make.tensor((2,), [0.1, -0.1])]
    out = make.add("FULLY_CONNECTED", inputs, (1, 2), options, "FullyConnectedOptions")
    return make.pack([image], [out])
