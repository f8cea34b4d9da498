"""Quantisation scales by which no value can be computed are refused in one line, of inputs and outputs alike."""

from __future__ import annotations

import math

import pytest

from edge.adopt.foreign_model import _refuse_scale
from edge.contracts.errors import ModelError
from edge.contracts.tensors import TensorSpec


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
@pytest.mark.parametrize("scale", [0.0, -0.1, math.nan, math.inf])
def test_a_scale_that_is_none_is_refused(dtype: str, scale: float) -> None:
    with pytest.raises(ModelError, match="has the quantisation scale") as caught:
        _refuse_scale("input 'x'", TensorSpec(shape=(1, 8, 8, 3), dtype=dtype, scale=scale))
    assert caught.value.hint


def test_floats_have_no_scale() -> None:
    _refuse_scale("output 'y'", TensorSpec(shape=(1, 3), dtype="float32", scale=0.0))
