"""Model outputs as real values: dequantised, and calibrated to probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.manifest import Calibration
from edge.contracts.tensors import TensorSpec
from edge.postprocess.model_outputs import calibrate, dequantise


@given(q=st.floats(0, 1), slope=st.floats(-1e4, 1e4), intercept=st.floats(-1e4, 1e4), step=st.floats(0, 1))
def test_calibrated_probabilities_are_probabilities(q, slope, intercept, step):
    assert 0 <= calibrate(q, Calibration(slope=slope, intercept=intercept), step) <= 1


def test_outputs_at_the_end_of_the_scale_are_half_a_step_from_it():
    assert calibrate(0.0, Calibration(), 1 / 256) == pytest.approx(1 / 512)
    assert calibrate(1.0, Calibration(), 1 / 256) == pytest.approx(511 / 512)


def test_dequantise_int8_and_float():
    spec = TensorSpec((3,), "int8", 0.5, -3)
    assert dequantise(np.array([-128, -3, 127], np.int8), spec).tolist() == [-62.5, 0.0, 65.0]
    assert dequantise(np.array([0.25], np.float32), spec).tolist() == [0.25]
