"""Weight rounding for quantisation (as AdaRound, GPTQ): a layer's outputs move least, not each weight by itself.

Round to nearest, and the errors of the 9 or 25 weights of a depthwise kernel add up on neighbouring pixels, which are
nearly equal: the channel's gain changes. Here each output channel's integers minimise the mean square of its error on
what representative pictures feed the layer, (w - q)' C (w - q) with C the covariance of its inputs, by coordinate
descent over the integers (QuantEase: Behdin et al. 2023; the objective is that of AdaRound and GPTQ). What is left in
the mean goes into the bias (Nagel et al., ICCV 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.quantisation.graph_editor import GraphEditor, tensor_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reals = NDArray[np.float64]

LEVELS = 127
"""Weights are -127 to 127, symmetric, with a scale for each output channel."""
PATCHES = 48
"""Positions that are sampled in each picture's feature map."""
PASSES = 4
"""Passes of the coordinate descent over all weights, at most."""
DAMPING = 0.01
"""Share of the mean variance that is added to each input's: inputs that never vary are rounded to nearest."""
MAX_WEIGHTS = 512
"""Most weights of an output channel, or its layer is rounded to nearest: over so many, errors cancel by themselves."""
MIN_OBSERVATIONS = 4
"""Fewest observations for each weight of an output channel, or its layer is rounded to nearest."""


@dataclass
class LayerInputs:
    """Statistics of a layer's inputs: sums over observations, for one group of inputs or (depthwise) each channel."""

    count: int
    total: Reals
    """(groups, weights): the sum of each input."""
    square: Reals
    """(groups, weights, weights): the sum of the products of each two inputs."""

    def mean(self) -> Reals:
        """Mean of each input: (groups, weights)."""
        return self.total / self.count

    def covariance(self) -> Reals:
        """Covariance of the inputs, damped: (groups, weights, weights)."""
        mean = self.mean()
        result: Reals = self.square / self.count - mean[:, :, None] * mean[:, None, :]
        variance = np.einsum("gkk->gk", result)
        result += (DAMPING * variance.mean(axis=1) + 1e-12)[:, None, None] * np.eye(result.shape[1])
        return result


def round_weights(graph: bytes, pictures: NDArray[np.uint8]) -> bytes:
    """Round the weights of a float graph to values that 8 bits hold exactly; biases make up for the mean error.

    ``pictures``: (n, height, width, channels) uint8, to observe what each layer is fed.

    The converter's own rounding then changes nothing: the largest weight of a channel, which sets its scale, is kept.
    """
    editor = GraphEditor(graph)
    layers = [op for op in editor.operators if editor.kind(op) in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    layers = [op for op in layers if weights_per_output(editor, op) <= MAX_WEIGHTS]
    seen = collect_layer_inputs(graph, editor, layers, pictures)
    for operator, inputs in zip(layers, seen, strict=True):
        weights = editor.constant(int(operator.inputs[1]))
        assert weights is not None
        rows = weights_to_rows(weights, editor.kind(operator))
        if inputs.count < MIN_OBSERVATIONS * rows.shape[1]:
            continue
        rounded = round_rows(rows, inputs.covariance())
        editor.set_constant(operator, 1, rows_to_weights(rounded, weights.shape, editor.kind(operator)))
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            bias = editor.constant(int(operator.inputs[2]))
            if bias is not None:
                shift = ((rows - rounded) * inputs.mean()).sum(axis=1)
                editor.set_constant(operator, 2, bias + shift.reshape(bias.shape))
    return editor.pack()


def round_rows(rows: Reals, covariance: Reals) -> Reals:
    """Round each row (outputs, weights) to its own grid of 255 steps, so that the quadratic form of the error is small.

    ``covariance``: (1, weights, weights) for all rows, or one for each.
    """
    scale = np.abs(rows).max(axis=1, keepdims=True) / LEVELS
    scale[scale == 0] = 1.0
    target = rows / scale
    grid = np.clip(np.rint(target), -LEVELS, LEVELS)
    pinned = np.abs(target) >= LEVELS - 1e-6
    diagonal = np.einsum("gkk->gk", covariance)
    best, least = grid.copy(), _cost(target - grid, covariance)
    pull = _times(target - grid, covariance)
    for _ in range(PASSES):
        changed = False
        for k in range(rows.shape[1]):
            # Moving weight k by d changes the form by d^2 C_kk - 2 d (C e)_k: least at d = (C e)_k / C_kk.
            step = np.rint(pull[:, k] / diagonal[:, k])
            step = np.clip(grid[:, k] + step, -LEVELS, LEVELS) - grid[:, k]
            step[pinned[:, k]] = 0.0
            moved = np.flatnonzero(step)
            if len(moved):
                changed = True
                grid[moved, k] += step[moved]
                pull[moved] -= step[moved, None] * (covariance[moved, k] if len(covariance) > 1 else covariance[0, k])
        if not changed:
            break
    better = _cost(target - grid, covariance) < least
    best[better] = grid[better]
    result: Reals = best * scale
    return result


def weights_per_output(editor: GraphEditor, operator: Any) -> int:
    """Number of weights of one output channel; more than `MAX_WEIGHTS` where they are no constants."""
    if editor.constant(int(operator.inputs[1])) is None:
        return MAX_WEIGHTS + 1
    shape = editor.shape(int(operator.inputs[1]))
    return int(np.prod(shape[1:3] if editor.kind(operator) == "DEPTHWISE_CONV_2D" else shape[1:]))


def _cost(error: Reals, covariance: Reals) -> Reals:
    """Quadratic form of each row (outputs, weights): (outputs,)."""
    result: Reals = (_times(error, covariance) * error).sum(axis=1)
    return result


def _times(error: Reals, covariance: Reals) -> Reals:
    """Each row times its matrix."""
    result: Reals = error @ covariance[0] if len(covariance) == 1 else np.matmul(error[:, None], covariance)[:, 0]
    return result


def weights_to_rows(weights: NDArray[Any], kind: str) -> Reals:
    """Reshape a layer's weights to rows (outputs, weights of one output), in the order of `sample_patches`."""
    if kind == "DEPTHWISE_CONV_2D":  # (1, h, w, channels)
        rows: Reals = weights.reshape(-1, weights.shape[3]).T.astype(np.float64)
    else:
        rows = weights.reshape(len(weights), -1).astype(np.float64)  # (outputs, h, w, inputs)
    return rows


def rows_to_weights(rows: Reals, shape: tuple[int, ...], kind: str) -> Reals:
    """Reshape rows back to weights of ``shape``: `weights_to_rows` undone."""
    return (rows.T if kind == "DEPTHWISE_CONV_2D" else rows).reshape(shape)


def collect_layer_inputs(
    graph: bytes, editor: GraphEditor, layers: list[Any], pictures: NDArray[np.uint8]
) -> list[LayerInputs]:
    """Collect the inputs of ``layers`` while ``graph`` runs on ``pictures``, at `PATCHES` random places of each.

    ``pictures``: (n, h, w, channels) uint8.
    """
    rng = np.random.default_rng(1)
    seen: list[LayerInputs | None] = [None] * len(layers)
    for values in tensor_values(graph, pictures, [int(op.inputs[0]) for op in layers]):
        for i, (operator, value) in enumerate(zip(layers, values, strict=True)):
            depthwise = editor.kind(operator) == "DEPTHWISE_CONV_2D"
            kernel = editor.shape(int(operator.inputs[1]))[1:3]
            x = sample_patches(value[0], operator, kernel, editor.shape(int(operator.outputs[0]))[1:3], rng)
            # (places, h * w, channels) -> groups of weights that are summed together
            x = x.transpose(2, 0, 1) if depthwise else x.reshape(1, len(x), -1)
            total, square = x.sum(axis=1), np.matmul(x.transpose(0, 2, 1), x)
            known = seen[i]
            if known is None:
                seen[i] = LayerInputs(x.shape[1], total.astype(np.float64), square.astype(np.float64))
            else:
                known.count += x.shape[1]
                known.total += total
                known.square += square
    return [each for each in seen if each is not None]


def sample_patches(
    value: NDArray[Any], operator: Any, kernel: tuple[int, ...], out: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sample what the kernel lies on at random places of the output map ``out`` (h, w).

    ``value``: (h, w, channels), the layer's input. Returns (places, kernel h * w, channels) float32.
    """
    options = operator.builtinOptions
    strides, dilation = (options.strideH, options.strideW), (options.dilationHFactor, options.dilationWFactor)
    before = [0, 0]
    if options.padding == 0:  # SAME: the odd pixel is added behind
        for axis in (0, 1):
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            before[axis] = max(0, (out[axis] - 1) * strides[axis] + reach - value.shape[axis]) // 2
    margin = [(b, (k - 1) * d + s) for b, k, d, s in zip(before, kernel, dilation, strides, strict=True)]
    padded = np.pad(value, (*margin, (0, 0)))
    places = rng.choice(out[0] * out[1], min(PATCHES, out[0] * out[1]), replace=False)
    top, left = places // out[1] * strides[0], places % out[1] * strides[1]
    rows = top[:, None, None] + np.arange(kernel[0])[None, :, None] * dilation[0]
    columns = left[:, None, None] + np.arange(kernel[1])[None, None, :] * dilation[1]
    result: NDArray[np.float32] = padded[rows, columns].reshape(len(places), -1, value.shape[2]).astype(np.float32)
    return result
