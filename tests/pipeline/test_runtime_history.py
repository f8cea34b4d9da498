"""What one frame process has learnt of its runtimes, the next one knows: it begins with another and probes later."""

from __future__ import annotations

import os
import subprocess
import threading
import time

import numpy as np
import pytest
from brokers import wait_until

from edge.contracts.errors import DeviceError, UsageError
from edge.contracts.results import Reason
from edge.contracts.tensors import RuntimeSpec, Tensor, TensorSpec
from edge.pipeline import guard as guard_module
from edge.pipeline import runtime_history as history_module
from edge.pipeline.guard import RuntimeGuard
from edge.pipeline.runtime_history import RunNotes, RuntimeFailure, RuntimeHistory
from edge.process.reaper import LeftBehind, Reaper, reaper, start_ticks
from edge.process.shared_notes import SharedNotes

SPEC = RuntimeSpec(name="test", family="test", delegate=None, version="1", input=TensorSpec(shape=(1, 2)), outputs={})
TENSOR = Tensor(np.zeros((1, 2), np.uint8), SPEC.input)
URIS = ("configured://", "first://", "second://")


class Fake:
    """A runtime that answers with its name, or hangs."""

    spec = SPEC

    def __init__(self, name, hangs=False):
        self.name, self.hangs, self.closed = name, hangs, False

    def submit(self, tensor):
        pass

    def wait(self, timeout_s):
        return None if self.hangs else {"name": self.name}

    def close(self):
        self.closed = True


@pytest.fixture
def notes():
    page = SharedNotes()
    yield page
    page.close()


def frame_process(notes, *makers, probe_s=3600.0):
    """The guard of a new frame process of the run."""
    history = RuntimeHistory(URIS[: len(makers)], notes)
    return RuntimeGuard(makers, lambda runtime: None, timeout_s=0.01, probe_s=probe_s, history=history)


def ask(guard):
    return guard.submit(TENSOR) or guard.wait()


def never():
    raise AssertionError("it was to be left alone")


def test_a_new_frame_process_begins_with_the_fall_back_and_probes_the_one_that_hung(notes):
    first = frame_process(notes, lambda: Fake("configured", hangs=True), lambda: Fake("fall-back"))
    assert ask(first) is Reason.RUNTIME_HUNG
    assert ask(first) == {"name": "fall-back"}

    second = frame_process(notes, never, lambda: Fake("fall-back"))  # which has crashed for another reason
    assert ask(second) == {"name": "fall-back"}
    assert second.problems == ["runtime_fallback"]

    third = frame_process(notes, lambda: Fake("configured"), lambda: Fake("fall-back"), probe_s=0.001)
    wait_until(lambda: ask(third) == {"name": "configured"})  # probed with its own pause, however long the noted one
    fourth = frame_process(notes, lambda: Fake("configured"), lambda: Fake("fall-back"))
    assert ask(fourth) == {"name": "configured"}  # and forgotten once it had passed its test


def test_pauses_between_probes_grow_across_frame_processes(notes):
    def fails():
        raise DeviceError("no such device")

    pauses = []
    for _ in range(3):
        guard = frame_process(notes, fails, lambda: Fake("fall-back"), probe_s=0.01)
        before = guard._probe_pause_s
        wait_until(lambda guard=guard, before=before: ask(guard) and guard._probe_pause_s > before)
        pauses.append(guard._probe_pause_s)
        guard.close()
    assert pauses == sorted(pauses)
    assert pauses[2] >= 4 * 0.02


def test_fall_backs_that_failed_come_last_too(notes):
    history = RuntimeHistory(URIS, notes)
    assert history.order(3) == [0, 1, 2]
    history.note(1, RuntimeFailure("x", 1.0, 0.0))
    history.note(0, RuntimeFailure("y" * 9999, 1.0, 0.0))
    assert RuntimeHistory(URIS, notes).order(3) == [2, 0, 1]
    assert RuntimeHistory(("other://", *URIS[1:]), notes).order(3) == [0, 2, 1]  # reconfigured: another chance
    history.forget(0)
    assert RuntimeHistory(URIS, notes).order(3) == [0, 2, 1]


def test_where_all_have_failed_they_are_tried_in_order(notes):
    history = RuntimeHistory(URIS[:2], notes)
    for place in (0, 1):
        history.note(place, RuntimeFailure("x", 1.0, 0.0))
    assert ask(frame_process(notes, lambda: Fake("configured"), lambda: Fake("fall-back"))) == {"name": "configured"}


@pytest.mark.parametrize(("in_process", "left_behind"), [(True, True), (True, False), (False, True)])
def test_a_runtime_that_took_its_frame_process_with_it_comes_last(notes, monkeypatch, in_process, left_behind):
    RuntimeHistory(URIS[:2], notes, in_process=in_process).use(0)
    there = [LeftBehind(os.getpid(), start_ticks(os.getpid()), "the frame process")] if left_behind else []
    monkeypatch.setattr(reaper, "_foreign", tuple(there))
    after = RuntimeHistory(URIS[:2], notes, in_process=in_process)
    assert after.order(2) == ([1, 0] if in_process and left_behind else [0, 1])


def test_children_of_a_killed_frame_process_that_are_still_there_are_known(notes, monkeypatch):
    RuntimeHistory(URIS, notes)
    child = subprocess.Popen(["sleep", "600"])
    reaper.note_started(child.pid, "configured://")
    monkeypatch.setattr(history_module, "reaper", next_process := Reaper())
    RuntimeHistory(URIS, notes)
    assert [one.pid for one in next_process.left_behind("configured://")] == [child.pid]
    child.kill()
    child.wait()
    reaper.note_killed(child, "configured://", ended=True)
    assert next_process.left_behind("configured://") == []


@pytest.mark.parametrize("torn", [b"", b'{"failures":{"conf', b"\xff\x00", b"[]"])
def test_notes_that_cannot_be_read_are_no_notes(notes, torn):
    notes.write(torn)
    assert RuntimeHistory(URIS, notes).order(3) == [0, 1, 2]


def test_uris_too_long_for_the_notes_do_no_harm(notes):
    long = [uri + "x" * 5000 for uri in URIS]
    history = RuntimeHistory(long, notes)
    history.note(0, RuntimeFailure("x", 1.0, 0.0))
    assert history.order(3) == [1, 2, 0]
    assert RuntimeHistory(long, notes).order(3) == [0, 1, 2]
    assert RunNotes().failures == {}


def test_a_runtime_that_does_not_load_at_the_start_does_not_keep_the_fall_back_waiting(notes, monkeypatch):
    monkeypatch.setattr(guard_module, "START_WAIT_S", 0.05)
    loaded, configured = threading.Event(), Fake("configured")

    def slow():
        loaded.wait(20)
        return configured

    began = time.monotonic()
    guard = frame_process(notes, slow, lambda: Fake("fall-back"))
    assert ask(guard) == {"name": "fall-back"}
    assert time.monotonic() - began < 5.0
    assert guard.problems == ["runtime_fallback"]
    loaded.set()
    wait_until(lambda: ask(guard) == {"name": "configured"})  # it takes over as soon as it is ready
    assert guard.problems == []
    guard.close()


def test_where_no_fall_back_can_be_had_the_slow_one_is_waited_for(monkeypatch):
    monkeypatch.setattr(guard_module, "START_WAIT_S", 0.01)

    def slow():
        time.sleep(0.1)
        return Fake("configured")

    def fails():
        raise DeviceError("not here")

    guard = frame_process(None, slow, fails)
    assert ask(guard) == {"name": "configured"}
    assert guard.problems == []


def test_a_slow_runtime_that_nobody_waits_for_any_more_is_closed(monkeypatch):
    monkeypatch.setattr(guard_module, "START_WAIT_S", 0.01)
    slow, loaded = Fake("configured"), threading.Event()

    def make():
        loaded.wait(20)
        return slow

    def wrong():
        raise UsageError("no such parameter")

    with pytest.raises(UsageError):
        frame_process(None, make, wrong)
    loaded.set()
    wait_until(lambda: slow.closed)
