"""Conformance suite of the `Runtime` port: every runtime, in-process and isolated, keeps what the loop relies on."""

from __future__ import annotations

import functools
import os
import signal
import time

import numpy as np
import pytest
from runtime_tools import model_for, noise_tensor

from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.contracts.ports import Runtime
from edge.contracts.tensors import TensorSpec
from edge.models.bundle import load_bundle
from edge.models.scripted_manifest import scripted_manifest
from edge.plugins import make_runtime
from edge.runtimes.isolated import IsolatedRuntime

ALWAYS = ["scripted://", "litert://", "litert://?threads=2"]
"""Made on every machine."""
WHERE_FOUND = [
    "litert://?delegate={delegate}&opt.take=first",
    "litert-npu://?device=cpu",
    "onnx://?model={onnx}",
    "tflite-runtime://",
    "tflite-runtime://?delegate={delegate}&opt.take=first",
    pytest.param("litert-gpu://", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
]
"""Skipped, saying why, where their library or device is not."""
LONG_S = 120.0
"""A GPU that is played by the CPU takes its time."""


@pytest.fixture(scope="module", params=[*ALWAYS, *WHERE_FOUND])
def uri(request, tmp_path_factory):
    text = request.param
    for name in ("delegate", "onnx"):  # asked for only where needed: they skip where they cannot be had
        if f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", str(request.getfixturevalue(f"{name}_file")))
    text = text.replace("{folder}", str(tmp_path_factory.mktemp("weights")))
    if request.param not in ALWAYS and (why := why_not(text)):
        pytest.skip(f"{parse_uri(text).scheme}://: {why}")
    return text


@functools.cache
def why_not(uri):
    """Why ``uri`` cannot be had here; empty if it can be."""
    try:
        IsolatedRuntime(uri, *model_for(uri)).close()
    except DeviceError as error:
        return error.message
    return ""


@pytest.fixture(scope="module", params=["in-process", "isolated"])
def runtime(request, uri):
    """One for all tests of this module that only use it: a GPU's takes seconds to compile."""
    make = IsolatedRuntime if request.param == "isolated" else make_runtime
    made = make(uri, *model_for(uri))
    yield made
    made.close()


def test_it_is_a_runtime(runtime):
    assert isinstance(runtime, Runtime)


def test_what_it_says_of_placement_adds_up_also_from_a_child(runtime, uri):
    spec, placement = runtime.spec, runtime.spec.placement
    if placement is None:
        assert spec.delegate is None  # not told, then not claimed
        return
    if parse_uri(uri).scheme == "onnx":
        assert placement.delegated_ops == placement.delegated_macs == 0  # its CPU provider is plain kernels
    elif parse_uri(uri).scheme == "tflite-runtime":
        assert placement.delegated_macs < placement.macs  # its XNNPACK knows no 8-bit operators
    else:
        assert 0 < placement.delegated_macs <= placement.macs
    assert placement.ops == placement.delegated_ops + sum(placement.left.values())
    assert placement.delegated_ops == sum(placement.by.values())
    assert spec.delegate == ("+".join(placement.by) or None)


def test_outputs_have_the_shapes_and_types_of_the_spec(runtime):
    runtime.submit(noise_tensor(runtime.spec.input))
    outputs = runtime.wait(LONG_S)
    assert set(outputs) == set(runtime.spec.outputs)
    for name, spec in runtime.spec.outputs.items():
        assert (outputs[name].shape, outputs[name].dtype.name) == (spec.shape, spec.dtype)


def test_the_same_tensor_gives_the_same_bytes_in_process_and_isolated(uri):
    answers = []
    for make in (make_runtime, IsolatedRuntime):
        runtime = make(uri, *model_for(uri))
        for seed in (1, 2):
            runtime.submit(noise_tensor(runtime.spec.input, seed))
            answers.append({name: np.array(value) for name, value in runtime.wait(LONG_S).items()})
        runtime.close()
    for here, there in zip(answers[:2], answers[2:], strict=True):
        for name, value in here.items():
            np.testing.assert_array_equal(value, there[name])


def test_the_buffer_may_be_filled_anew_after_submit(runtime):
    tensor = noise_tensor(runtime.spec.input, 1)
    runtime.submit(tensor)
    expected = {name: np.array(value) for name, value in runtime.wait(LONG_S).items()}
    if runtime.spec.name == "scripted":
        pytest.skip("answers by counting, not by looking")
    runtime.submit(tensor)
    tensor.values[:] = 0
    for name, value in runtime.wait(LONG_S).items():
        np.testing.assert_array_equal(value, expected[name])


def test_as_many_tensors_as_it_takes_are_answered_in_order(runtime):
    tensors = [noise_tensor(runtime.spec.input, seed) for seed in range(7)]
    alone = []
    for tensor in tensors:
        runtime.submit(tensor)
        alone.append({name: np.array(value) for name, value in runtime.wait(10.0).items()})
    if runtime.spec.name == "scripted":
        pytest.skip("answers by counting, not by looking")
    ahead = runtime.spec.takes - 1
    for tensor in tensors[:ahead]:
        runtime.submit(tensor)
    for number, expected in enumerate(alone):
        if number + ahead < len(tensors):
            runtime.submit(tensors[number + ahead])
        for name, value in runtime.wait(10.0).items():
            np.testing.assert_array_equal(value, expected[name])


def test_isolated_more_tensors_than_it_takes_are_refused():
    runtime = IsolatedRuntime("scripted://", None, scripted_manifest())
    assert runtime.spec.takes == 2
    for _ in range(runtime.spec.takes):
        runtime.submit(noise_tensor(runtime.spec.input))
    with pytest.raises(ValueError, match="waited for"):
        runtime.submit(noise_tensor(runtime.spec.input))
    runtime.wait(10.0)
    runtime.submit(noise_tensor(runtime.spec.input))
    runtime.close()


def test_isolated_a_child_that_dies_with_two_tensors_has_answered_the_first():
    runtime = IsolatedRuntime("scripted://?die_at=2", None, scripted_manifest())
    runtime.submit(noise_tensor(runtime.spec.input))
    runtime.submit(noise_tensor(runtime.spec.input))
    assert runtime.wait(10.0) is not None
    with pytest.raises(DeviceError, match="died"):
        runtime.wait(10.0)
    runtime.close()


def test_another_shape_is_refused(runtime):
    with pytest.raises(ValueError, match="expected"):
        runtime.submit(noise_tensor(TensorSpec(shape=(1, 3, 3, 3))))


@pytest.mark.parametrize("make", [make_runtime, IsolatedRuntime])
def test_close_twice(uri, make):
    runtime = make(uri, *model_for(uri))
    runtime.close()
    runtime.close()


def test_unknown_parameters_are_refused(uri):
    with pytest.raises(UsageError, match="nonsense"):
        make_runtime(f"{uri}{'&' if '?' in uri else '?'}nonsense=1", *model_for(uri))


def test_isolated_what_a_runtime_raises_while_loading_is_raised_here():
    bundle = load_bundle()
    for uri in ("litert://?nonsense=1", "nonsense://"):
        with pytest.raises(UsageError, match="nonsense"):
            IsolatedRuntime(uri, str(bundle.path), bundle.manifest)


def test_isolated_a_broken_model_is_a_model_error(tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with pytest.raises(ModelError):
        IsolatedRuntime("litert://", str(broken), load_bundle().manifest)


def test_isolated_the_time_limit_is_kept():
    runtime = IsolatedRuntime("scripted://?hang_at=1", None, scripted_manifest())
    runtime.submit(noise_tensor(runtime.spec.input))
    assert runtime.wait(0.1) is None
    runtime.close()
    assert not os.path.exists(f"/proc/{runtime.pid}")


def test_isolated_a_child_that_is_killed_is_noticed_without_waiting_for_the_limit():
    runtime = IsolatedRuntime("scripted://?hang_at=1", None, scripted_manifest())
    runtime.submit(noise_tensor(runtime.spec.input))
    os.kill(runtime.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(DeviceError, match="died"):
        runtime.wait(60.0)
    assert time.monotonic() - began < 30
    runtime.close()


def test_a_manifest_that_names_another_input_is_a_model_error():
    import msgspec

    bundle = load_bundle()
    wrong = msgspec.structs.replace(bundle.manifest, input=TensorSpec(shape=(1, 8, 8, 3)))
    with pytest.raises(ModelError, match="input"):
        make_runtime("litert://", str(bundle.path), wrong)
