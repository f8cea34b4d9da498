"""Model outputs as real values: dequantised, and calibrated to probabilities."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.manifest import Calibration
from edge.contracts.tensors import TensorSpec
from edge.postprocess.model_outputs import JudgedOutputs, calibrate, dequantise


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


@given(q=st.floats(0, 1), slope=st.floats(0.01, 10), intercept=st.floats(-10, 10), presence=st.floats(0, 1))
def test_without_a_weight_the_presence_of_a_lesion_changes_no_bit(q, slope, intercept, presence):
    """Bundles of 0.3.1 and older have no such weight, and must give the very same numbers."""
    plain = Calibration(slope=slope, intercept=intercept)
    assert calibrate(q, plain, 1 / 256, presence) == calibrate(q, plain, 1 / 256)


@pytest.mark.parametrize("stored", ["uint8", "float32"])
def test_malignancy_is_lowered_where_the_mask_sees_no_lesion(stored, kit):
    manifest = kit.make_manifest(calibration=Calibration(slope=0.8, intercept=0.1, presence=3.0))
    if stored == "float32":
        heads = {
            name: msgspec.structs.replace(head, tensor=TensorSpec(head.tensor.shape, "float32"))
            for name, head in manifest.heads.items()
        }
        manifest = msgspec.structs.replace(manifest, heads=heads)

    def judged(largest: int) -> float:
        mask = np.zeros((1, kit.cells, kit.cells, 1))
        mask[0, 3, 5, 0] = largest
        outputs = {"malignancy": np.array([[56, 200]]), "lesion_mask": mask, "anatomy": np.array([[255]])}
        steps = 1 if stored == "uint8" else 1 / 256
        return JudgedOutputs({k: (v * steps).astype(stored) for k, v in outputs.items()}, manifest, None, ()).malignancy

    z = 0.8 * math.log(200 / 56) + 0.1
    for largest in (0, 128, 255):
        assert judged(largest) == pytest.approx(1 / (1 + math.exp(-z - 3 * (largest / 256 - 1))))
    assert judged(0) < judged(128) < judged(255)
