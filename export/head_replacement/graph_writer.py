"""Write an int8 TFLite graph operator by operator, as objects of the schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.contracts.errors import EdgeError
from export.head_replacement.steps import Steps, quantised_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VALID = 1
"""Padding of the schema: none."""
ACTIVATIONS = {
    None: schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}
MOST_BIAS = 2**30
"""Largest bias in steps of its sums: they have 32 bits."""
LEAST_FACTOR, MOST_FACTOR = 2.0**-31, 256.0
"""Sums of a layer are rounded to the steps of its result with a factor that kernels want between these."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph that is being written: a map of one picture."""

    tensor: int
    shape: tuple[int, ...]
    """Height, width, channels."""
    steps: Steps


class GraphWriter:
    """Adds tensors and operators to a model with one subgraph."""

    def __init__(self) -> None:
        self._model = schema.ModelT()
        self._model.version, self._model.buffers, self._model.operatorCodes = 3, [schema.BufferT()], []
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators, self._graph.inputs = [], [], []
        self._model.subgraphs = [self._graph]

    def input(self, name: str, shape: Sequence[int], steps: Steps) -> Value:
        """Add an input of the graph."""
        tensor = self._tensor(name, (1, *shape), steps)
        self._graph.inputs.append(tensor)
        return Value(tensor, tuple(shape), steps)

    def convolution(
        self, source: Value, weights: Floats, bias: Floats, steps: Steps, activation: str | None, name: str
    ) -> Value:
        """Add a convolution without padding; ``weights``: (height, width, channels in, channels out)."""
        rows, columns, _, channels = weights.shape
        shape = source.shape[0] - rows + 1, source.shape[1] - columns + 1, channels
        if channels == 1 and weights.size == source.shape[2]:  # XNNPACK refuses some convolutions of one channel
            matrix = schema.FullyConnectedOptionsT()
            matrix.fusedActivationFunction, matrix.keepNumDims = ACTIVATIONS[activation], True
            constants = self._constants(source, weights.reshape(1, -1), 0, bias, steps, name)
            kind, version, options, family = "FULLY_CONNECTED", 5, matrix, "FullyConnectedOptions"
        else:
            plain = schema.Conv2DOptionsT()
            self._set_convolution(plain, (1, 1), activation)
            constants = self._constants(source, np.moveaxis(weights, 3, 0), 0, bias, steps, name)
            kind, version, options, family = "CONV_2D", 3, plain, "Conv2DOptions"
        tensor = self.operator(kind, version, [source.tensor, *constants], (1, *shape), steps, name, options, family)
        return Value(tensor.tensor, shape, steps)

    def depthwise(
        self,
        source: Value,
        weights: Floats,
        bias: Floats | None,
        stride: tuple[int, int],
        steps: Steps,
        activation: str | None,
        name: str,
    ) -> Value:
        """Add a convolution of each channel by itself, without padding; ``weights``: (height, width, channels)."""
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        self._set_convolution(options, stride, activation)
        height, width, channels = source.shape
        shape = (height - weights.shape[0]) // stride[0] + 1, (width - weights.shape[1]) // stride[1] + 1, channels
        bias = np.zeros(channels) if bias is None else bias
        constants = self._constants(source, weights[None], 3, bias, steps, name)
        inputs = [source.tensor, *constants]
        return self._value(
            self.operator("DEPTHWISE_CONV_2D", 3, inputs, (1, *shape), steps, name, options, "DepthwiseConv2DOptions")
        )

    def elementwise(
        self, kind: str, family: str, sources: Sequence[Value], steps: Steps, activation: str | None, name: str
    ) -> Value:
        """Add an operator on two values of one shape."""
        options = getattr(schema, f"{family}T")()
        options.fusedActivationFunction = ACTIVATIONS[activation]
        shape = (1, *sources[0].shape)
        return self._value(self.operator(kind, 2, [s.tensor for s in sources], shape, steps, name, options, family))

    def concatenation(self, sources: Sequence[Value], steps: Steps, name: str) -> Value:
        """Join the channels of values that have the same steps."""
        options = schema.ConcatenationOptionsT()
        options.axis = 3
        height, width, _ = sources[0].shape
        shape = 1, height, width, sum(each.shape[2] for each in sources)
        inputs = [each.tensor for each in sources]
        return self._value(
            self.operator("CONCATENATION", 2, inputs, shape, steps, name, options, "ConcatenationOptions")
        )

    def requantised(self, source: Value, steps: Steps) -> Value:
        """The value in other steps; itself where it has them."""
        if source.steps == steps:
            return source
        name = f"{self._graph.tensors[source.tensor].name.decode()}_requantised"
        return self._value(self.operator("QUANTIZE", 2, [source.tensor], (1, *source.shape), steps, name))

    def reshape(self, source: Value, shape: tuple[int, ...], name: str) -> Value:
        """Add a RESHAPE to a whole shape."""
        wanted = self._tensor(f"{name}_shape", (len(shape),), None, schema.TensorType.INT32, np.array(shape, "<i4"))
        options = schema.ReshapeOptionsT()
        options.newShape = np.array(shape, np.int32)
        inputs = [source.tensor, wanted]
        return self.operator("RESHAPE", 1, inputs, shape, source.steps, name, options, "ReshapeOptions")

    def unsigned(self, source: Value, name: str) -> Value:
        """Add a QUANTIZE of int8 to uint8: the same values."""
        steps = Steps(source.steps.scale, source.steps.zero + 128)
        made = self.operator("QUANTIZE", 1, [source.tensor], source.shape, steps, name)
        self._graph.tensors[made.tensor].type = schema.TensorType.UINT8
        return made

    def operator(
        self,
        kind: str,
        version: int,
        inputs: Sequence[int],
        shape: tuple[int, ...],
        steps: Steps,
        name: str,
        options: Any = None,
        family: str = "",
    ) -> Value:
        """Add any operator; returns its result, whose ``shape`` is the whole one here."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind, version)
        output = self._tensor(name, shape, steps)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            operator.builtinOptions, operator.builtinOptionsType = options, getattr(schema.BuiltinOptions, family)
        self._graph.operators.append(operator)
        return Value(output, shape, steps)

    def finish(self, output: Value, name: str) -> schema.ModelT:
        """Name inputs and the output in a signature; returns the model."""
        self._graph.outputs = np.array([output.tensor], np.int32)
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [self._entry(self._graph.tensors[t].name, t) for t in self._graph.inputs]
        signature.outputs = [self._entry(name.encode(), output.tensor)]
        self._graph.inputs = np.array(self._graph.inputs, np.int32)
        self._model.signatureDefs = [signature]
        return self._model

    def _entry(self, name: bytes, tensor: int) -> schema.TensorMapT:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, tensor
        return entry

    def _value(self, whole: Value) -> Value:
        return Value(whole.tensor, whole.shape[1:], whole.steps)

    def _set_convolution(self, options: Any, stride: tuple[int, int], activation: str | None) -> None:
        options.padding, options.dilationWFactor, options.dilationHFactor = VALID, 1, 1
        options.strideH, options.strideW = stride
        options.fusedActivationFunction = ACTIVATIONS[activation]

    def _constants(
        self, source: Value, weights: Floats, axis: int, bias: Floats, result: Steps, name: str
    ) -> list[int]:
        """Tensors of weights and bias of a layer that reads ``source``; ``axis``: of the channels.

        Raises EdgeError where no kernel could bring its sums to the steps of the ``result``.
        """
        # A bias far beyond what its weights give wants a coarser scale, or it would not fit into a sum.
        stored, scale = quantised_weights(weights, axis, np.abs(bias) / source.steps.scale / MOST_BIAS)
        sums = scale * np.float32(source.steps.scale)
        factors = sums / np.float32(result.scale)
        if factors.max() >= MOST_FACTOR or factors.min() < LEAST_FACTOR:
            raise EdgeError(
                f"layer {name}: its result's range is too small or too large for its weights",
                hint="scale its weights, or set limits",
            )
        steps = np.rint(bias / sums.astype(np.float64)).astype("<i4")
        numbers = []
        for kind, values, scales, along in (
            (schema.TensorType.INT8, stored, scale, axis),
            (schema.TensorType.INT32, steps, sums, 0),
        ):
            label = f"{name}_{'weights' if kind == schema.TensorType.INT8 else 'bias'}"
            number = self._tensor(label, values.shape, None, kind, values)
            quantisation = schema.QuantizationParametersT()
            quantisation.scale = scales.astype(np.float32)
            quantisation.zeroPoint = np.zeros(len(scales), np.int64)
            quantisation.quantizedDimension = along
            self._graph.tensors[number].quantization = quantisation
            numbers.append(number)
        return numbers

    def _tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        steps: Steps | None,
        kind: int = schema.TensorType.INT8,
        values: NDArray[Any] | None = None,
    ) -> int:
        """Add a tensor, with a buffer of its own: XNNPACK's weight cache tells constants apart by their buffers."""
        new = schema.TensorT()
        new.shape, new.type, new.name = np.array(shape, np.int32), kind, name.encode()
        buffer = schema.BufferT()
        if values is not None:
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        if steps is not None:
            new.quantization = schema.QuantizationParametersT()
            new.quantization.scale = np.array([steps.scale], np.float32)
            new.quantization.zeroPoint = np.array([steps.zero], np.int64)
        self._model.buffers.append(buffer)
        new.buffer = len(self._model.buffers) - 1
        self._graph.tensors.append(new)
        return len(self._graph.tensors) - 1

    def _code(self, kind: str, version: int) -> int:
        """Number of the code of an operator of a kind and version."""
        wanted = getattr(schema.BuiltinOperator, kind)
        for number, each in enumerate(self._model.operatorCodes):
            if (each.builtinCode, each.version) == (wanted, version):
                return number
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = wanted, min(wanted, 127), version
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1
