"""Checks of runtimes that work, crash, hang or compute something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from doctor_checks import marks, only

from edge.config.settings import RuntimeSettings, Settings
from edge.doctor import runtimes
from edge.doctor.check import Check, exit_code_of
from edge.models.bundle import load_bundle

if TYPE_CHECKING:
    from pathlib import Path


def run_runtimes(**runtime: Any) -> list[Check]:
    return list(runtimes.check_runtimes(Settings(runtime=RuntimeSettings(**runtime))))


@pytest.mark.slow
def test_runtimes_are_invoked_and_compared_with_the_golden_vectors() -> None:
    checks = run_runtimes(uri="litert://?threads=1")
    assert marks(checks)["model"] == "ok"
    found = only(checks, "litert://?threads=1")
    assert found.mark == "ok"
    assert f"{len(load_bundle().golden.frames)} golden vectors come out exactly" in found.text
    assert only(checks, "scripted://").mark == "ok"  # found as installed, not by the configuration


@pytest.mark.slow
def test_a_runtime_that_crashes_or_hangs_is_a_line_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(runtimes, "schemes", lambda kind: [])
    for uri, why in (("scripted://?die_at=1", "died"), ("scripted://?hang_at=1", "no answer within")):
        alone = only(run_runtimes(uri=uri), uri)
        assert (alone.mark, alone.exit_code) == ("wrong", 5)
        assert why in alone.text
        helped = run_runtimes(uri=uri, fallback=["scripted://"])
        assert marks(helped)[uri] == "warning"
        assert "a fall-back takes over" in only(helped, uri).text
        assert exit_code_of(helped) == 0


def test_a_runtime_that_computes_something_else_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec
    import numpy as np

    from edge.app.compose import choose_model

    monkeypatch.setattr(runtimes, "schemes", lambda kind: [])
    model = choose_model(Settings())
    assert model.bundle is not None
    name, outputs = next(iter(model.bundle.golden.outputs.items()))
    changed = {**model.bundle.golden.outputs, name: (outputs.astype(np.int32) + 7).clip(0, 255).astype(outputs.dtype)}
    golden = type(model.bundle.golden)(
        model.bundle.golden.frames, model.bundle.golden.regions, model.bundle.golden.tensors, changed
    )
    import dataclasses

    other = dataclasses.replace(model, bundle=dataclasses.replace(model.bundle, golden=golden))
    monkeypatch.setattr(runtimes, "choose_model", lambda settings: other)
    check = only(run_runtimes(uri="litert://"), "litert://")
    assert (check.mark, check.exit_code) == ("wrong", 4)
    assert "golden" in check.text
    assert msgspec.json.encode(check)


@pytest.mark.slow
def test_a_broken_model_and_an_unknown_runtime(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    checks = list(runtimes.check_runtimes(Settings(model=str(broken))))
    assert [(check.name, check.exit_code) for check in checks] == [("model", 4)]
    unknown = only(run_runtimes(uri="nonesuch://"), "nonesuch://")
    assert (unknown.mark, unknown.exit_code) == ("wrong", 3)
