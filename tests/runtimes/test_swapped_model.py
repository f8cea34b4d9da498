"""A model's file that is swapped after it was checked: every runtime computes with the bytes that were checked."""

from __future__ import annotations

import gc
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from runtime_tools import noise_tensor
from swapped_files import SWAPS, other_weights

from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings
from edge.contracts.errors import ModelError, UsageError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.plugins import make_runtime
from edge.process.sealed_file import SealedFile, seal_bytes
from edge.runtimes.isolated import IsolatedRuntime

URIS = ["litert://"]
GENUINE = SHIPPED_BUNDLE.read_bytes()
OTHER = other_weights(GENUINE)


def answers(runtime):
    """Outputs for two noise tensors, by head."""
    found = []
    for seed in (1, 2):
        runtime.submit(noise_tensor(runtime.spec.input, seed))
        found.append({name: np.array(value) for name, value in runtime.wait(60.0).items()})
    return found


def same(ours, theirs):
    return all((a[head] == b[head]).all() for a, b in zip(ours, theirs, strict=True) for head in a)


@pytest.fixture(scope="module")
def genuine():
    runtime = make_runtime("litert://", str(SHIPPED_BUNDLE), load_bundle().manifest)
    yield answers(runtime)
    runtime.close()


def test_the_other_model_answers_otherwise(genuine, tmp_path):
    (tmp_path / "other.tflite").write_bytes(OTHER)
    runtime = make_runtime("litert://", str(tmp_path / "other.tflite"), load_bundle().manifest)
    assert not same(answers(runtime), genuine)
    runtime.close()


@pytest.mark.parametrize("swap", SWAPS)
@pytest.mark.parametrize("make", [make_runtime, IsolatedRuntime], ids=["in-process", "isolated"])
@pytest.mark.parametrize("uri", URIS)
def test_what_was_checked_is_loaded_whatever_became_of_the_file(genuine, tmp_path, uri, make, swap):
    path = tmp_path / "model.tflite"
    SWAPS[swap].prepare(path, GENUINE)
    bundle = load_bundle(path)
    SWAPS[swap].swap(path, OTHER)
    runtime = make(uri.format(folder=tmp_path / "weights"), bundle.file, bundle.manifest)
    assert same(answers(runtime), genuine)
    runtime.close()
    assert bundle.path == path  # messages name the real file
    assert bundle.model_bytes == GENUINE


@pytest.mark.parametrize("swap", SWAPS)
def test_a_runtime_that_is_replaced_computes_with_the_same_bytes(genuine, tmp_path, swap):
    path = tmp_path / "model.tflite"
    SWAPS[swap].prepare(path, GENUINE)
    settings = Settings(model=str(path), runtime=RuntimeSettings(uri="litert://"))
    model = choose_model(settings)
    guard = make_guard(settings, model, isolated=True)
    SWAPS[swap].swap(path, OTHER)
    os.kill(guard._runtime.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while True:
        guard.submit(noise_tensor(guard.spec.input, 1))
        outputs = guard.wait()
        if not isinstance(outputs, str) or time.monotonic() > deadline:  # else the reason why there is no result
            break
        time.sleep(0.05)
    assert all((outputs[head] == value).all() for head, value in genuine[0].items())
    assert model.ref.sha256 == load_bundle().sha256
    guard.close()


def test_a_bare_path_is_read_once_and_its_error_names_the_file(tmp_path):
    """Whoever makes a runtime by a path alone: what the parent read is what the child gets."""
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\x1c\0\0\0TFL3" + bytes(64))
    for make in (make_runtime, IsolatedRuntime):
        with pytest.raises(ModelError, match="expected one signature"):
            make("litert://", str(broken), load_bundle().manifest)
        with pytest.raises(ModelError, match=f"model {tmp_path}/none.tflite does not exist"):
            make("litert://", str(tmp_path / "none.tflite"), load_bundle().manifest)


def test_the_child_maps_sealed_memory_and_not_the_file(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(GENUINE)
    bundle = load_bundle(path)
    runtime = IsolatedRuntime("litert://", bundle.file, bundle.manifest)
    maps = Path(f"/proc/{runtime.pid}/maps").read_text()
    assert "/memfd:model.tflite" in maps
    assert str(path) not in maps
    runtime.close()


def test_sealed_memory_cannot_be_changed(tmp_path):
    file = seal_bytes(b"as it was", tmp_path / "m")
    assert bytes(file.view()) == Path(file).read_bytes() == b"as it was"
    writable = os.open(file, os.O_RDWR)
    with pytest.raises(PermissionError):
        os.write(writable, b"other")
    for size in (0, 100):
        with pytest.raises(PermissionError):
            os.ftruncate(writable, size)
    os.close(writable)
    with pytest.raises(TypeError):
        file.view()[0] = 0


def test_memory_that_is_not_sealed_is_not_taken_for_it(tmp_path):
    fd = os.memfd_create("open", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with pytest.raises(ValueError, match="not sealed"):
        SealedFile(fd, tmp_path, "0" * 64, 0)
    os.close(fd)


def test_descriptors_are_closed_with_the_bundle():
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    bundles = [load_bundle() for _ in range(3)]
    assert len(os.listdir("/proc/self/fd")) == before + 3
    bundles.clear()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("make", [make_runtime, IsolatedRuntime], ids=["in-process", "isolated"])
def test_a_file_of_repacked_weights_is_never_computed_with(tmp_path, make):
    """XNNPACK's weight cache: weights that nobody signed, and that a swapped file would change."""
    uri = f"litert://?weight_cache={tmp_path}"
    with pytest.raises(UsageError, match="keeps no weight cache") as caught:
        make(uri, str(SHIPPED_BUNDLE), load_bundle().manifest)
    assert "leave weight_cache= out" in caught.value.hint
    assert not list(tmp_path.iterdir())
