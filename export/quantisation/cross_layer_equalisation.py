"""Cross-layer equalisation: channels of a tensor get similar ranges before one scale must serve them all.

A tensor's 8 bits are shared by its channels. Where one channel reaches 40 and another 0.4, the second keeps two bits.
Between layers the range of a channel is free: what one layer multiplies, the next can divide (Nagel et al., ICCV
2019, there between pairs of weights). Here the ranges are those of the activations, as representative pictures show
them, and tensors that are added, pooled or resized together are scaled together, so that residual streams take part.

A clipped activation (ReLU6) lets a channel grow only up to the clip, and only if it never reaches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.quantisation.graph_editor import PLAIN, RELU, RELU6, GraphEditor, tensor_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scales = NDArray[np.float64]

WEIGHTED = {"CONV_2D": (3, 0), "FULLY_CONNECTED": (1, 0), "DEPTHWISE_CONV_2D": (3, 3)}
"""Operators that absorb scales, with the axes of their weights that inputs and outputs are on."""
CHANNELWISE = {"MEAN", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "MAX_POOL_2D", "AVERAGE_POOL_2D", "REDUCE_MAX"}
"""Operators that treat each channel alike: their output scales as their input does."""
MAX_FACTOR = 32.0
"""A channel's range is changed by this factor at most: those that are nearly zero stay so."""
RELU6_MAX = 6.0


class CrossLayerEqualiser:
    """Finds which tensors of a graph must be scaled together, and by how much each channel."""

    def __init__(self, editor: GraphEditor) -> None:
        self._editor = editor
        self._parent = list(range(len(editor.tensors)))
        self._fixed: set[int] = set(editor.inputs_and_outputs())
        self._clipped: set[int] = set()
        for operator in editor.operators:
            self._constrain(operator)
        self._fixed = {self._root(tensor) for tensor in self._fixed}
        self._clipped = {self._root(tensor) for tensor in self._clipped}

    def scales(self, channel_peaks: dict[int, Scales], strength: float) -> dict[int, Scales]:
        """Factor of each channel, by tensor. ``channel_peaks``: the largest magnitude of each channel, by tensor."""
        together: dict[int, list[int]] = {}
        for tensor in self._editor.computed_tensors():
            root = self._root(tensor)
            if root not in self._fixed:
                together.setdefault(root, []).append(tensor)
        found: dict[int, Scales] = {}
        for root, members in together.items():
            peaks = np.max([channel_peaks[tensor] for tensor in members], axis=0)
            top = RELU6_MAX if root in self._clipped else float(peaks.max())
            if top <= 0:
                continue
            scale = np.clip(top / np.maximum(peaks, top / MAX_FACTOR), 1.0, MAX_FACTOR) ** strength
            found |= dict.fromkeys(members, scale)
        return found

    def _constrain(self, operator: Any) -> None:
        editor, kind = self._editor, self._editor.kind(operator)
        inputs = [int(i) for i in operator.inputs if i >= 0 and editor.constant(int(i)) is None]
        outputs = [int(o) for o in operator.outputs]
        activation = editor.activation(operator)
        if activation == RELU6:
            self._clipped.update(outputs)
        elif activation not in (PLAIN, RELU):  # f(scale * x) is scale * f(x) of these two alone
            self._fixed.update(outputs)
        if kind in WEIGHTED and self._absorbs(operator, kind):
            return
        channels = [editor.shape(tensor)[-1:] for tensor in (*inputs, *outputs)]
        same_shape = len({editor.shape(tensor) for tensor in (*inputs, *outputs)}) == 1
        if kind in CHANNELWISE and channels[0] == channels[1] and self._keeps_channels(operator, kind):
            self._join(inputs[0], outputs[0])
        elif kind in ("ADD", "SUB") and len(inputs) == 2 and same_shape:
            self._join(inputs[0], inputs[1])
            self._join(inputs[0], outputs[0])
        elif kind == "MUL" and len(inputs) == 2 and (1,) in channels[:2] and channels[2] != (1,):
            one, many = inputs if channels[0] == (1,) else inputs[::-1]  # a map that weighs all channels alike
            self._fixed.add(one)
            self._join(many, outputs[0])
        else:
            self._fixed.update((*inputs, *outputs))

    def _absorbs(self, operator: Any, kind: str) -> bool:
        """Whether weights are constant, and channels of weights and tensors are one to one."""
        editor, (inner, outer) = self._editor, WEIGHTED[kind]
        weights = editor.constant(int(operator.inputs[1]))
        return (
            weights is not None
            and weights.shape[inner] == editor.shape(int(operator.inputs[0]))[-1]
            and weights.shape[outer] == editor.shape(int(operator.outputs[0]))[-1]
        )

    def _keeps_channels(self, operator: Any, kind: str) -> bool:
        if kind not in ("MEAN", "REDUCE_MAX"):
            return True
        axes = self._editor.constant(int(operator.inputs[1]))
        rank = len(self._editor.shape(int(operator.inputs[0])))
        return axes is not None and (rank - 1) not in [int(axis) % rank for axis in axes.reshape(-1)]

    def _root(self, tensor: int) -> int:
        while self._parent[tensor] != tensor:
            tensor = self._parent[tensor]
        return tensor

    def _join(self, one: int, other: int) -> None:
        self._parent[self._root(one)] = self._root(other)


def equalise(graph: bytes, pictures: NDArray[np.uint8], strength: float = 1.0) -> bytes:
    """Equalise the channel ranges of a float graph, which stays the same function on ``pictures``.

    ``pictures``: (n, height, width, channels) uint8. On other pictures it is nearly the same function: a channel of a
    ReLU6 that grows larger there than here is clipped at 6 / scale.

    ``strength``: 1 makes the ranges equal as far as that is allowed, 0 changes nothing.
    """
    editor = GraphEditor(graph)
    scales = CrossLayerEqualiser(editor).scales(peak_by_channel(graph, pictures), strength)
    for operator in editor.operators:
        kind = editor.kind(operator)
        if kind not in WEIGHTED:
            continue
        inner, outer = WEIGHTED[kind]
        source, target = scales.get(int(operator.inputs[0])), scales.get(int(operator.outputs[0]))
        weights = editor.constant(int(operator.inputs[1]))
        if (source is None and target is None) or weights is None:
            continue
        if source is not None:
            weights = weights / _along(source, inner, weights.ndim)
        if target is not None:
            weights = weights * _along(target, outer, weights.ndim)
            if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
                bias = editor.constant(int(operator.inputs[2]))
                if bias is not None:
                    editor.set_constant(operator, 2, bias * target.reshape(bias.shape))
        editor.set_constant(operator, 1, weights)
    return editor.pack()


def peak_by_channel(graph: bytes, pictures: NDArray[np.uint8]) -> dict[int, Scales]:
    """Largest magnitude that each channel (last axis) reaches on ``pictures``, by computed tensor: (channels,)."""
    editor = GraphEditor(graph)
    tensors = [tensor for tensor in editor.computed_tensors() if editor.shape(tensor)]
    peaks: dict[int, Scales] = {}
    for values in tensor_values(graph, pictures, tensors):
        for tensor, value in zip(tensors, values, strict=True):
            peak = np.abs(value).reshape(-1, value.shape[-1]).max(axis=0).astype(np.float64)
            peaks[tensor] = np.maximum(peaks[tensor], peak) if tensor in peaks else peak
    return peaks


def _along(scale: Scales, axis: int, rank: int) -> Scales:
    return scale.reshape([-1 if i == axis else 1 for i in range(rank)])
