"""Real values of what a model's output has stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.tensors import TensorSpec


def dequantise(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real values of a tensor, float32 of the same shape.

    scale * (stored - zero_point) for integers, as they are for floats.
    """
    real = values.astype(np.float32)
    if values.dtype.kind in "iu":
        real -= np.float32(spec.zero_point)
        real *= np.float32(spec.scale)
    return real
