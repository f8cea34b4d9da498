"""A runtime whose process cannot be killed: never waited for, its memory never used again, and no pile of them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from brokers import wait_until

from edge.app import compose
from edge.config.settings import RuntimeSettings, Settings
from edge.contracts.errors import DeviceError
from edge.contracts.results import Reason
from edge.contracts.tensors import Tensor
from edge.models.scripted_manifest import scripted_manifest
from edge.process.reaper import MOST_LEFT_BEHIND, reaper
from edge.process.shared_notes import SharedNotes
from edge.runtimes import isolated
from edge.runtimes.isolated import IsolatedRuntime

if TYPE_CHECKING:
    from faults.stuck_driver import StuckDriver

HANG_S = 10.0
"""Upper limit of what must not hang; it takes a fraction of it."""


def open_fds() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def a_tensor(runtime: IsolatedRuntime) -> Tensor:
    return Tensor(np.zeros(runtime.spec.input.shape, np.uint8), runtime.spec.input)


def test_closing_it_does_not_wait_and_leaves_no_descriptor(stuck_driver: StuckDriver) -> None:
    before = open_fds()
    runtime = IsolatedRuntime(f"scripted://?read_at=1&read={stuck_driver.path}", None, scripted_manifest())
    runtime.submit(a_tensor(runtime))
    assert stuck_driver.wait_for_reader()
    assert runtime.wait(0.01) is None
    began = time.monotonic()
    runtime.close()
    runtime.close()
    assert time.monotonic() - began < HANG_S
    pid = runtime.pid
    assert [one.pid for one in reaper.left_behind()] == [pid]
    del runtime  # and with it the shared memory, which answers may lie in until then
    assert open_fds() <= before
    stuck_driver.release()
    wait_until(lambda: not Path(f"/proc/{pid}").exists())


def test_one_that_is_stuck_while_loading_is_left_behind_and_their_number_is_bounded(
    stuck_driver: StuckDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(_: IsolatedRuntime) -> None:
        """Takes the place of the wait for a child that loads: raises as soon as the child is stuck."""
        assert stuck_driver.wait_for_reader()
        raise DeviceError("stuck while loading")

    uri = f"scripted://?read={stuck_driver.path}"
    with monkeypatch.context() as patch:
        patch.setattr(IsolatedRuntime, "_receive_handshake", stuck)
        for _ in range(MOST_LEFT_BEHIND):
            with pytest.raises(DeviceError, match="stuck while loading"):
                IsolatedRuntime(uri, None, scripted_manifest())
    assert len(reaper.left_behind(uri)) == MOST_LEFT_BEHIND
    with pytest.raises(DeviceError, match=f"{MOST_LEFT_BEHIND} of its processes cannot be killed"):
        IsolatedRuntime(uri, None, scripted_manifest())
    IsolatedRuntime("scripted://", None, scripted_manifest()).close()  # another is not concerned
    stuck_driver.release()
    wait_until(lambda: reaper.left_behind(uri) == [])
    IsolatedRuntime(uri, None, scripted_manifest()).close()


def test_several_threads_may_close_one(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = IsolatedRuntime("scripted://", None, scripted_manifest())
    closed, close = list[int](), os.close

    def note(fd: int) -> None:
        closed.append(fd)
        close(fd)

    monkeypatch.setattr(isolated.os, "close", note)
    threads = [threading.Thread(target=runtime.close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert len(closed) == len(set(closed))


def test_the_fall_back_computes_the_next_frame_and_a_new_frame_process_begins_with_it(
    stuck_driver: StuckDriver,
) -> None:
    uris = RuntimeSettings(
        uri=f"scripted://?read_at=2&read={stuck_driver.path}", fallback=["scripted://"], timeout_s=0.2, probe_s=3600.0
    )
    settings, notes = Settings(runtime=uris), SharedNotes()
    model = compose.choose_model(settings)
    guard = compose.make_guard(settings, model, isolated=True, notes=notes)
    tensor = Tensor(np.zeros(guard.spec.input.shape, np.uint8), guard.spec.input)
    assert guard.submit(tensor) is None
    assert not isinstance(guard.wait(), Reason)
    began = time.monotonic()
    assert guard.submit(tensor) is None
    assert guard.wait() is Reason.RUNTIME_HUNG
    assert guard.submit(tensor) is None
    assert not isinstance(guard.wait(), Reason)
    assert time.monotonic() - began < HANG_S
    assert guard.ref.fallback
    guard.close()
    again = compose.make_guard(settings, model, isolated=True, notes=notes)
    assert again.ref.fallback
    again.close()
    notes.close()
