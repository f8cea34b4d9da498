"""The shipped graph in other runtimes, compared with its golden outputs; each needs an environment of its own."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge.contracts.errors import DeviceError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from export.other_runtimes import largest_differences, run_onnx, run_tflite_runtime, to_onnx

HEADS = {"malignancy", "lesion_mask", "anatomy"}


@pytest.fixture(scope="module")
def graph() -> bytes:
    return split_bundle(SHIPPED_BUNDLE.read_bytes()).graph


def test_differences_are_of_each_head_in_steps():
    said = {"a": np.array([[3, 250]], np.uint8), "b": np.array([[7]], np.uint8)}
    wanted = {"a": np.array([[5, 1]], np.uint8), "b": np.array([[7]], np.uint8)}
    assert largest_differences(said, wanted) == {"a": 249, "b": 0}


def test_a_python_without_the_runtime_says_how_to_get_one(graph, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'no module of that name' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(DeviceError, match="no module of that name") as caught:
        run_tflite_runtime(python, graph, load_bundle().golden.tensors[:1])
    assert "make test-tflite-runtime" in caught.value.hint


@pytest.mark.slow
def test_tflite_runtime_finds_the_heads_and_is_near(graph):
    python = os.environ.get("SONOEDGE_TFLITE_RUNTIME_PYTHON")
    if not python or not Path(python).is_file():
        pytest.skip("SONOEDGE_TFLITE_RUNTIME_PYTHON names no Python with tflite-runtime: make test-tflite-runtime")
    golden = load_bundle().golden
    said = run_tflite_runtime(Path(python), graph, golden.tensors)
    worst = largest_differences(said, golden.outputs)
    assert set(worst) == HEADS
    assert max(worst["malignancy"], worst["anatomy"]) <= 16  # its kernels are not XNNPACK's
    assert np.abs(said["lesion_mask"].astype(int) - golden.outputs["lesion_mask"].astype(int)).mean() < 1.0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_onnx_is_the_same_model(graph, tmp_path):
    for module in ("tf2onnx", "onnxruntime", "tensorflow"):
        pytest.importorskip(module, reason=f"ONNX is written with the extra 'export': {module}")
    golden = load_bundle().golden
    to_onnx(graph, tmp_path / "model.onnx")
    said = run_onnx(tmp_path / "model.onnx", graph, golden.tensors)
    worst = largest_differences(said, golden.outputs)
    assert set(worst) == HEADS
    assert max(worst["malignancy"], worst["anatomy"]) <= 16
    assert np.abs(said["lesion_mask"].astype(int) - golden.outputs["lesion_mask"].astype(int)).mean() < 1.0
