"""Steps (scale and zero point) of 8-bit values, chosen from the range that real values have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from export.head_replacement.head_design import HeadLayer

LOW, HIGH = -128, 127
LIMIT = 127
"""Largest quantised weight; TFLite's int8 weights are symmetrical."""
LEAST_SPAN = 0.05
"""Smallest range: a value that never changes needs a step as well."""


@dataclass(frozen=True)
class Steps:
    """Scale and zero point of int8 values: real = (stored - zero) * scale."""

    scale: float
    zero: int

    def real(self, stored: NDArray[np.integer]) -> NDArray[np.float64]:
        """Real values of stored ones, in their shape."""
        return (stored.astype(np.float64) - self.zero) * self.scale


PROBABILITY = Steps(1 / 256, LOW)
"""As TFLite quantises what a sigmoid gives."""


def steps_between(low: float, high: float) -> Steps:
    """Steps that hold a range, zero included: TFLite wants zero to be a step of its own."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max(high - low, LEAST_SPAN) / (HIGH - LOW)))
    return Steps(scale, int(np.clip(round(LOW - low / scale), LOW, HIGH)))


def steps_of_layer(layer: HeadLayer, values: NDArray[np.float64]) -> Steps:
    """Steps of a layer's result, by its activation, its limits, or the least and greatest of ``values`` (any shape)."""
    low, high = float(values.min()), float(values.max())
    if layer.limits is not None:
        low, high = layer.limits
    if layer.activation is not None:
        low = max(low, 0.0)
        high = 6.0 if layer.activation == "relu6" and layer.limits is None else high
    return steps_between(low, high)


def joint_steps(all_steps: Iterable[Steps]) -> Steps:
    """Steps that hold the ranges of several."""
    each = list(all_steps)
    low = min((LOW - s.zero) * s.scale for s in each)
    high = max((HIGH - s.zero) * s.scale for s in each)
    return each[0] if all(s == each[0] for s in each) else steps_between(low, high)


def quantised_weights(
    weights: NDArray[np.float64], channel_axis: int, least: NDArray[np.float64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights in int8, in their shape, and scales (channels,) along the axis, around zero, ``least`` or more."""
    axes = tuple(axis for axis in range(weights.ndim) if axis != channel_axis)
    largest = np.abs(weights).max(axis=axes)
    scale = np.maximum(np.where(largest > 0, largest, 1.0) / LIMIT, least).astype(np.float32)
    wide = scale.reshape([-1 if axis == channel_axis else 1 for axis in range(weights.ndim)])
    return np.clip(np.rint(weights / wide), -LIMIT, LIMIT).astype(np.int8), scale
