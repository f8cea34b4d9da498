"""LiteRT with XNNPACK's weight cache: made once, used again, the same outputs, and the placement that is reported."""

from __future__ import annotations

import msgspec
import pytest
from runtime_tools import model_for, noise_tensor

from edge.contracts.errors import DeviceError
from edge.contracts.tensors import TensorSpec
from edge.models.bundle import load_bundle
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime
from edge.runtimes import litert_weight_cache


def test_a_weight_cache_is_made_once_and_used_again_and_computes_the_same(tmp_path):
    uri = f"litert://?weight_cache={tmp_path}/new/cache"
    first, plain = make_runtime(uri, *model_for(uri)), make_runtime("litert://", *model_for("litert://"))
    [file] = (tmp_path / "new" / "cache").iterdir()
    told = msgspec.structs.replace(plain.spec.placement, source="interpreter")
    assert (first.spec.delegate, first.spec.placement) == ("xnnpack", told)
    written = file.stat().st_mtime_ns
    again = make_runtime(uri, *model_for(uri))
    assert file.stat().st_mtime_ns == written
    assert run_selftest(load_bundle(), again).worst == dict.fromkeys(again.spec.outputs, 0)
    for runtime in (first, again, plain):
        runtime.close()


def test_with_a_weight_cache_nothing_is_told_that_the_interpreter_does_not_say(tmp_path, monkeypatch):
    uri = f"litert://?weight_cache={tmp_path}"
    monkeypatch.setattr(litert_weight_cache, "placement_by_interpreter", lambda *_: None)
    runtime = make_runtime(uri, *model_for(uri))
    assert (runtime.spec.delegate, runtime.spec.placement) == (None, None)
    runtime.close()
    none = msgspec.structs.replace(model_placement(), delegated_ops=0, delegated_macs=0, partitions=0, by={})
    monkeypatch.setattr(
        litert_weight_cache, "placement_by_interpreter", lambda *_: none
    )  # XNNPACK does not work on this machine
    runtime = make_runtime(uri, *model_for(uri))
    assert (runtime.spec.delegate, runtime.spec.placement) == (None, none)
    runtime.close()


def model_placement():
    runtime = make_runtime("litert://", *model_for("litert://"))
    runtime.close()
    return runtime.spec.placement


def test_a_weight_cache_that_is_damaged_or_cannot_be_made_does_not_change_an_answer(tmp_path):
    uri = f"litert://?weight_cache={tmp_path}"
    make_runtime(uri, *model_for(uri)).close()
    [file] = tmp_path.iterdir()
    file.write_bytes(b"\0" * 100)
    damaged = make_runtime(uri, *model_for(uri))
    assert run_selftest(load_bundle(), damaged).worst == dict.fromkeys(damaged.spec.outputs, 0)
    damaged.close()
    taken = tmp_path / "a-file"
    taken.touch()
    with pytest.raises(DeviceError, match="cannot be made"):
        make_runtime(f"litert://?weight_cache={taken}/below", *model_for(uri))


def test_a_tensor_of_another_shape_does_not_reach_a_compiled_model(tmp_path):
    runtime = make_runtime(f"litert://?weight_cache={tmp_path}", *model_for("litert://"))
    with pytest.raises(ValueError, match="expected"):
        runtime.submit(noise_tensor(TensorSpec(shape=(1, 3, 3, 3))))
    runtime.close()
