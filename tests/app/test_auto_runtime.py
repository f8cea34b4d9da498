"""Runtime ``auto://``: it measures, chooses, stores the choice and says why; a runtime that computes wrongly is out."""

from __future__ import annotations

import os
from types import SimpleNamespace

import msgspec
import pytest
from fake_clock import FakeClock
from runtime_tools import as_unprivileged_user, model_for

from edge.app import auto_runtime
from edge.app.auto_runtime_cache import FILE_NAME, RuntimeChoice, RuntimeTrial, choice_basis, load_choice, store_choice
from edge.app.compose import choose_model, make_guard
from edge.config.settings import RuntimeSettings, Settings
from edge.config.uri import parse_uri
from edge.contracts.errors import DeviceError, ModelError, UsageError
from edge.contracts.tensors import RuntimeSpec
from edge.models.bundle import load_bundle
from edge.plugins import make_runtime
from edge.process.reaper import LeftBehind, reaper, start_ticks

URI = "auto://?trial_s=0.2&among=litert"


def made(uri, folder):
    """Make the shipped model's runtime from an ``auto://`` URI."""
    return auto_runtime.make_auto(
        parse_uri(uri), load_bundle(), lambda text: make_runtime(text, *model_for(text)), folder / "state"
    )


def test_it_is_chosen_remembered_and_told_why(tmp_path, monkeypatch):
    first = made(URI, tmp_path)
    assert first.spec.name == "litert"
    assert first.spec.chosen.startswith("chosen now: litert://?threads=1 ")
    assert (tmp_path / "state" / FILE_NAME).is_file()

    def measure(*_):
        raise AssertionError("it was to be remembered")

    monkeypatch.setattr(auto_runtime, "measure", measure)
    assert made(URI, tmp_path).spec.chosen.startswith("remembered: litert://?threads=1 ")
    with pytest.raises(AssertionError, match="remembered"):  # another choice is another question
        made("auto://?trial_s=0.2&among=litert&threads=2", tmp_path)


@pytest.mark.parametrize("change", ["model", "library", "machine"])
def test_what_it_rests_on_has_changed_then_it_is_measured_anew(tmp_path, monkeypatch, change):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("model name : one\n")
    before = choice_basis("a", ["litert://"], str(cpuinfo))
    assert choice_basis("a", ["litert://"], str(cpuinfo)) == before
    if change == "library":
        monkeypatch.setattr("edge.app.auto_runtime_cache.version", lambda name: "99")
    elif change == "machine":
        cpuinfo.write_text("model name : another\n")
    after = choice_basis("b" if change == "model" else "a", ["litert://"], str(cpuinfo))
    assert after != before
    store_choice(tmp_path, RuntimeChoice(basis=before, uri="x://", trials=[RuntimeTrial(uri="x://", ms=1.0, runs=3)]))
    assert load_choice(tmp_path, before) is not None
    assert load_choice(tmp_path, after) is None


@pytest.mark.parametrize("body", [b"", b"{", b'{"basis":"a","uri":"x://","trials":[]}', b"\xff\xfe"])
def test_a_memory_that_is_damaged_is_none(tmp_path, body):
    (tmp_path / FILE_NAME).write_bytes(body)
    assert load_choice(tmp_path, "a") is None


def test_a_remembered_one_that_serves_no_more_is_forgotten(tmp_path):
    rests_on = choice_basis(load_bundle().sha256, auto_runtime.candidates(parse_uri(URI)))
    gone = "litert://?delegate=/nowhere/libgone.so"
    store_choice(
        tmp_path / "state", RuntimeChoice(basis=rests_on, uri=gone, trials=[RuntimeTrial(uri=gone, ms=0.1, runs=9)])
    )
    assert made(URI, tmp_path).spec.chosen.startswith("chosen now: litert://?threads=1 ")
    assert load_choice(tmp_path / "state", rests_on).uri == "litert://?threads=1"


def test_a_folder_that_cannot_be_written_costs_only_the_memory(tmp_path, caplog):
    (tmp_path / "state").touch()
    assert made(URI, tmp_path).spec.name == "litert"
    assert "cannot be remembered" in caplog.text


def test_what_is_out_is_told_with_its_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nowhere/icd.json")
    monkeypatch.setenv("VK_DRIVER_FILES", "/nowhere/icd.json")
    runtime = made("auto://?trial_s=0.2&among=litert-gpu,litert", tmp_path)
    assert "litert-gpu:// no: no GPU" in runtime.spec.chosen


@pytest.mark.parametrize("query", ["among=nonsense", "among=scripted", "among=", "trial_s=0", "trial_s=x", "threads=0"])
def test_what_cannot_be_asked_for(query, tmp_path):
    with pytest.raises(UsageError):
        made(f"auto://?{query}", tmp_path)


def test_the_daemon_s_guard_says_what_computes_and_not_auto(tmp_path):
    settings = Settings(state_dir=str(tmp_path), runtime=RuntimeSettings(uri=URI))
    guard = make_guard(settings, choose_model(settings), isolated=True)
    assert (guard.ref.name, guard.ref.delegate, guard.ref.fallback) == ("litert", "xnnpack", False)
    assert "litert://?threads=1" in guard.spec.chosen
    guard.close()
    assert (tmp_path / FILE_NAME).is_file()


class FakeRuntime:
    """Runtime that answers after ``pause_s`` on the clock of all of them; with ``hangs`` it never does."""

    clock = FakeClock()

    def __init__(self, pause_s, hangs=False):
        self.pause_s, self.hangs, self.closed = pause_s, hangs, False
        tensor = load_bundle().manifest.input
        self.spec = RuntimeSpec(name="p", family="p", delegate=None, version="1", input=tensor, outputs={})

    def submit(self, tensor):
        pass

    def wait(self, timeout_s):
        self.clock.now += self.pause_s
        return None if self.hangs else {}

    def close(self):
        self.closed = True


def choose(monkeypatch, runtimes, wrong=()):
    """Choose among fake ``runtimes`` by URI; those in ``wrong`` fail their golden vectors."""

    def make(text, path, manifest):
        if isinstance(runtimes[text], Exception):
            raise runtimes[text]
        return runtimes[text]

    def test(bundle, runtime):
        if runtime in [runtimes[text] for text in wrong]:
            raise ModelError("golden vectors differ")

    monkeypatch.setattr(auto_runtime, "time", SimpleNamespace(monotonic=FakeRuntime.clock))
    monkeypatch.setattr(auto_runtime, "IsolatedRuntime", make)
    monkeypatch.setattr(auto_runtime, "require_selftest", test)
    return auto_runtime.choose(list(runtimes), load_bundle(), 0.2, "basis")


def test_the_fastest_of_those_that_compute_rightly(monkeypatch):
    runtimes = {
        "slow://": FakeRuntime(0.05),
        "fast://": FakeRuntime(0.01),
        "wrong://": FakeRuntime(0.001),
        "hung://": FakeRuntime(0, True),
    }
    runtimes["gone://"] = DeviceError("no such chip")
    choice = choose(monkeypatch, runtimes, wrong=["wrong://"])
    assert choice.uri == "fast://"
    assert {trial.uri: trial.refused for trial in choice.trials if trial.ms is None} == {
        "wrong://": "golden vectors differ",
        "hung://": "no answer within 20 s",
        "gone://": "no such chip",
    }
    assert all(trial.runs >= auto_runtime.LEAST_RUNS for trial in choice.trials if trial.ms is not None)
    assert all(puppet.closed for puppet in runtimes.values() if isinstance(puppet, FakeRuntime))
    assert "slow://" in choice.why
    assert msgspec.json.decode(msgspec.json.encode(choice), type=RuntimeChoice) == choice


def test_the_first_of_those_that_are_as_fast(monkeypatch):
    assert choose(monkeypatch, {"first://": FakeRuntime(0.02), "second://": FakeRuntime(0.0199)}).uri == "first://"


def test_one_whose_process_cannot_be_killed_is_not_tried(monkeypatch):
    there = LeftBehind(os.getpid(), start_ticks(os.getpid()), "stuck://")
    monkeypatch.setattr(reaper, "_foreign", (there,))
    choice = choose(monkeypatch, {"stuck://": FakeRuntime(0.001), "other://": FakeRuntime(0.02)})
    assert choice.uri == "other://"
    assert "cannot be killed" in choice.trials[0].refused


def test_if_none_serves_the_first_one_s_reason_is_told(monkeypatch):
    with pytest.raises(DeviceError, match="one"):
        choose(monkeypatch, {"a://": DeviceError("one"), "b://": ModelError("two")})


def test_another_user_s_folder_is_said_and_passed_over(tmp_path, caplog):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    with as_unprivileged_user():
        store_choice(folder, RuntimeChoice(basis="a", uri="x://", trials=[]))
    assert "cannot be remembered" in caplog.text
