"""Make the int8 TFLite graph of a head from its float design: steps from representative features, weights by channel.

Only operators that every runtime here computes in int8 are used, and of these the kinds that round alike everywhere: a
mean is two constant DEPTHWISE_CONV_2D (down, then along), a maximum or minimum is made of a clipped difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.converted_graph import pack_model
from export.head_replacement.float_head import run_head
from export.head_replacement.graph_writer import GraphWriter, Value
from export.head_replacement.head_design import HeadLayer, shapes
from export.head_replacement.steps import PROBABILITY, Steps, joint_steps, steps_between, steps_of_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from export.head_replacement.head_design import HeadDesign

    Floats = NDArray[np.float64]
    Features = Mapping[str, NDArray[Any]]

ELEMENTWISE = {
    "add": ("ADD", "AddOptions"),
    "subtract": ("SUB", "SubOptions"),
    "multiply": ("MUL", "MulOptions"),
}


def int8_head(design: HeadDesign, features: Mapping[str, tuple[NDArray[np.int8], Steps]], name: str) -> bytes:
    """Make the graph of a head: inputs are the trunk's tensors in its own steps, the output is a uint8 probability.

    Args:
        design: checked already, see `head_design.shapes`.
        features: by the tensor's name, its values on representative pictures (n, height, width, channels), and its
            steps.
        name: of the output.
    """
    shapes(design, {key: tuple(values.shape[1:]) for key, (values, _) in features.items()})
    real = {key: steps.real(values) for key, (values, steps) in features.items()}
    return _HeadMaker(design, features, run_head(design, real)).make(name)


class _HeadMaker:
    """Writes one head's operators layer by layer."""

    def __init__(
        self,
        design: HeadDesign,
        features: Mapping[str, tuple[NDArray[np.int8], Steps]],
        found: Mapping[str, Floats],
    ) -> None:
        self._design, self._found = design, found
        self._writer = GraphWriter()
        self._steps = {layer.name: steps_of_layer(layer, found[layer.name]) for layer in design.layers}
        for layer in design.layers:
            if layer.kind == "tensor":
                self._steps[layer.name] = features[layer.tensor][1]
        self._inputs = {
            tensor: self._writer.input(tensor, features[tensor][0].shape[1:], features[tensor][1])
            for tensor in design.tensors
        }
        self._share_steps()
        self._values: dict[str, Value] = {}
        self._vectors: dict[str, Value] = {}

    def _share_steps(self) -> None:
        """Give all that is joined the same steps: TFLite joins int8 values only where they have."""
        for layer in self._design.layers:
            if layer.kind == "concatenate":
                together = joint_steps(self._steps[name] for name in layer.inputs)
                inputs = [each for each in self._design.layers if each.name in layer.inputs]
                # What cannot have other steps (a tensor has its own, limits are where steps end) is converted instead.
                made = [each.name for each in inputs if each.kind != "tensor" and each.limits is None]
                self._steps |= dict.fromkeys((layer.name, *made), together)

    def make(self, name: str) -> bytes:
        for layer in self._design.layers:
            self._values[layer.name] = self._layer(layer, [self._values[each] for each in layer.inputs])
        writer, logit = self._writer, self._values[self._design.layers[-1].name]
        flat = writer.reshape(logit, (1, 1), f"{name}_logit")
        inner = writer.operator("LOGISTIC", 2, [flat.tensor], (1, 1), PROBABILITY, f"{name}_probability")
        output = writer.unsigned(inner, name)
        return pack_model(writer.finish(output, name))

    def _layer(self, layer: HeadLayer, sources: list[Value]) -> Value:
        steps = self._steps[layer.name]
        if layer.kind == "tensor":
            return self._inputs[layer.tensor]
        if layer.kind == "mean":
            return self._mean(layer, sources[0], steps)
        if layer.kind == "conv":
            weights = self._design.weights(layer)
            assert weights is not None  # checked by `head_design.shapes`
            source = sources[0]
            if weights.shape[:2] == source.shape[:2] != (1, 1):  # a matrix, and searched for as one
                source, weights = self._vector(layer.inputs[0]), weights.reshape(1, 1, -1, weights.shape[3])
            bias = self._design.bias(layer, weights.shape[3])
            return self._writer.convolution(source, weights, bias, steps, layer.activation, layer.name)
        if layer.kind == "concatenate":
            return self._writer.concatenation([self._writer.requantised(s, steps) for s in sources], steps, layer.name)
        if layer.kind in ELEMENTWISE:
            return self._writer.elementwise(*ELEMENTWISE[layer.kind], sources, steps, layer.activation, layer.name)
        return self._extreme(layer, sources, steps)

    def _vector(self, name: str) -> Value:
        """A layer's result as a map of one cell, made once."""
        if name not in self._vectors:
            value = self._values[name]
            flat = self._writer.reshape(value, (1, 1, 1, int(np.prod(value.shape))), f"{name}_vector")
            self._vectors[name] = Value(flat.tensor, flat.shape[1:], flat.steps)
        return self._vectors[name]

    def _mean(self, layer: HeadLayer, source: Value, steps: Steps) -> Value:
        """Down the rows of each band, scaled and shifted, then along the row that is left."""
        height, width, channels = source.shape
        rows = height // layer.bands
        weights = self._design.weights(layer)
        factor = np.ones(channels) if weights is None else weights
        bias = self._design.bias(layer, channels)
        real = source.steps.real(self._quantised(layer.inputs[0], source.steps))
        columns = real.reshape(len(real), layer.bands, rows, width, channels).mean(axis=2) * factor + bias
        down = np.broadcast_to(factor / rows, (rows, 1, channels))
        between = steps_between(float(columns.min()), float(columns.max()))
        middle = self._writer.depthwise(source, down, bias, (rows, 1), between, None, f"{layer.name}_down")
        along = np.full((1, width, channels), 1 / width)
        return self._writer.depthwise(middle, along, None, (1, width), steps, layer.activation, f"{layer.name}_along")

    def _quantised(self, name: str, steps: Steps) -> NDArray[np.int64]:
        """Representative values of a layer in its steps."""
        return np.asarray(np.clip(np.rint(self._found[name] / steps.scale) + steps.zero, -128, 127), np.int64)

    def _extreme(self, layer: HeadLayer, sources: list[Value], steps: Steps) -> Value:
        """max(a, b) = a + relu(b - a), min(a, b) = a - relu(a - b): kernels for these are everywhere."""
        first, second = sources
        a, b = (self._found[name] for name in layer.inputs)
        larger = layer.kind == "maximum"
        difference = np.maximum(b - a if larger else a - b, 0.0)
        over = steps_between(0.0, float(difference.max()))
        pair = [second, first] if larger else [first, second]
        excess = self._writer.elementwise(*ELEMENTWISE["subtract"], pair, over, "relu", f"{layer.name}_excess")
        kind = ELEMENTWISE["add" if larger else "subtract"]
        return self._writer.elementwise(*kind, [first, excess], steps, None, layer.name)
