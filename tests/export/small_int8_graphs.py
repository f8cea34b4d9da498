"""A small int8 TFLite graph with two heads, made by hand: layers of every kind that golden vectors are searched for."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tests.export.small_graphs import NONE, RELU6, GraphMaker

INT8, UINT8 = schema.TensorType.INT8, schema.TensorType.UINT8
VALID = 1
SIX = 6 / 255
"""Scale of a result that is clipped at zero and six, with zero at -128."""
SIDE = 32


class QuantisedMaker(GraphMaker):
    """Adds quantised tensors and operators. Where weights are, they are drawn by chance."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)

    def quantised(
        self, shape: tuple[int, ...], scale: Any, zero: int = 0, dtype: int = INT8, values: Any = None
    ) -> int:
        number = self.tensor(shape, dtype=dtype)
        tensor = self.graph.tensors[number]
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
        tensor.quantization.zeroPoint = np.full(tensor.quantization.scale.shape, zero, np.int64)
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        return number

    def weights(self, shape: tuple[int, ...], channel_axis: int, source: int, gain: float) -> list[int]:
        """Weights and biases of a layer, by channel."""
        channels = shape[channel_axis]
        fan = np.prod(shape) / channels
        scale = self.rng.uniform(0.5, 1.5, channels) * gain / 60 / np.sqrt(fan)
        values = np.clip(np.rint(self.rng.normal(0, 50, shape)), -127, 127).astype(np.int8)
        number = self.quantised(shape, scale, values=values)
        self.graph.tensors[number].quantization.quantizedDimension = channel_axis
        biases = scale * self.graph.tensors[source].quantization.scale[0]
        bias = np.rint(self.rng.normal(0, 0.3, channels) / biases).astype(np.int32)
        return [number, self.quantised((channels,), biases, dtype=schema.TensorType.INT32, values=bias)]

    def operator(
        self,
        kind: str,
        inputs: list[int],
        out: tuple[tuple[int, ...], float, int],
        options: Any = None,
        family: str = "",
    ) -> int:
        """Add an operator whose result has a shape, a scale and a zero point."""
        number = self.add(kind, inputs, out[0], options, family)
        quantization = schema.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = np.array([out[1]], np.float32), np.array([out[2]], np.int64)
        self.graph.tensors[number].quantization, self.graph.tensors[number].type = quantization, INT8
        return number

    def plain(
        self, source: int, channels: int, kernel: int = 1, stride: int = 1, clipped: bool = True, gain: float = 2.0
    ) -> int:
        _, height, width, deep = self.graph.tensors[source].shape.tolist()
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = 0, stride, stride
        options.dilationWFactor = options.dilationHFactor = 1
        options.fusedActivationFunction = RELU6 if clipped else NONE
        shape = (1, -(-height // stride), -(-width // stride), channels)
        inputs = [source, *self.weights((channels, kernel, kernel, deep), 0, source, gain)]
        out = (shape, SIX, -128) if clipped else (shape, 0.05, 3)
        return self.operator("CONV_2D", inputs, out, options, "Conv2DOptions")

    def deep(self, source: int, kernel: tuple[int, int], padding: int, stride: int = 1) -> int:
        _, height, width, channels = self.graph.tensors[source].shape.tolist()
        options = schema.DepthwiseConv2DOptionsT()
        options.padding, options.strideW, options.strideH, options.depthMultiplier = padding, stride, stride, 1
        options.dilationWFactor = options.dilationHFactor = 1
        rows = (height - kernel[0]) // stride + 1 if padding else -(-height // stride)
        columns = (width - kernel[1]) // stride + 1 if padding else -(-width // stride)
        inputs = [source, *self.weights((1, *kernel, channels), 3, source, 2.0)]
        return self.operator(
            "DEPTHWISE_CONV_2D", inputs, ((1, rows, columns, channels), 0.03, -5), options, "DepthwiseConv2DOptions"
        )

    def matrix(self, source: int, channels: int, clipped: bool) -> int:
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = RELU6 if clipped else NONE
        shape = (channels, int(self.graph.tensors[source].shape[-1]))
        number, bias = self.weights(shape, 0, source, 2.0)
        for tensor in (self.graph.tensors[number], self.graph.tensors[bias]):  # one scale for all channels
            tensor.quantization.scale = tensor.quantization.scale[:1]
            tensor.quantization.zeroPoint = tensor.quantization.zeroPoint[:1]
        out = ((1, channels), SIX, -128) if clipped else ((1, channels), 0.02, 4)
        return self.operator("FULLY_CONNECTED", [source, number, bias], out, options, "FullyConnectedOptions")

    def flat(self, source: int) -> int:
        """A map of one pixel as a vector."""
        tensor = self.graph.tensors[source]
        channels = int(tensor.shape[-1])
        shape = self.tensor((2,), [1, channels], dtype=schema.TensorType.INT32)
        scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
        return self.operator("RESHAPE", [source, shape], ((1, channels), scale, zero))

    def head(self, source: int, kind: str) -> int:
        """A probability of logits, as uint8."""
        shape = tuple(self.graph.tensors[source].shape.tolist())
        options = schema.SoftmaxOptionsT() if kind == "SOFTMAX" else None
        if options is not None:
            options.beta = 1.0
        value = self.operator(kind, [source], (shape, 1 / 256, -128), options, "SoftmaxOptions")
        number = self.operator("QUANTIZE", [value], (shape, 1 / 256, 0))
        self.graph.tensors[number].type = UINT8
        return number

    def name(self, image: int, heads: dict[str, int]) -> None:
        """Name input and outputs in a signature."""
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = [], []
        for entries, names in ((signature.inputs, {"image": image}), (signature.outputs, heads)):
            for name, tensor in names.items():
                entry = schema.TensorMapT()
                entry.name, entry.tensorIndex = name.encode(), tensor
                entries.append(entry)
        self.model.signatureDefs = [signature]


def two_heads(seed: int = 4) -> bytes:
    """A trunk; a map; a score of what a wide layer gives, and of features that are weighed by the map."""
    make = QuantisedMaker(seed)
    image = make.quantised((1, SIDE, SIDE, 3), 1.0, dtype=UINT8)
    source = make.operator("QUANTIZE", [image], ((1, SIDE, SIDE, 3), 1.0, -128))
    first = make.plain(source, 8, kernel=3, stride=2, gain=0.02)
    trunk = make.plain(first, 12, stride=2, clipped=False)
    features = make.deep(make.plain(trunk, 10), (3, 3), 0)
    logits = make.plain(make.plain(features, 6), 1, clipped=False)
    mask = make.head(logits, "LOGISTIC")
    probability = int(make.graph.operators[-1].inputs[0])
    wide = make.flat(make.deep(make.deep(make.plain(trunk, 24), (8, 1), VALID), (1, 8), VALID))
    options = schema.MulOptionsT()
    weighed = make.operator(
        "MUL", [make.plain(trunk, 9), probability], ((1, 8, 8, 9), SIX, -128), options, "MulOptions"
    )
    pooled = make.flat(make.deep(make.deep(weighed, (8, 1), VALID), (1, 8), VALID))
    together = schema.ConcatenationOptionsT()
    together.axis = 1
    joined = make.operator("CONCATENATION", [wide, pooled], ((1, 33), 0.03, -5), together, "ConcatenationOptions")
    score = make.head(make.matrix(make.matrix(joined, 7, True), 2, False), "SOFTMAX")
    make.name(image, {"score": score, "map": mask})
    return make.pack([image], [score, mask])
