"""Supervisor at the end of a run: exit code 0 only if what the sources gave was delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.config.settings import Settings
from edge.contracts.errors import SinkError, SourceError
from edge.daemon.job import NOT_ALL_JUDGED, DaemonJob
from edge.daemon.supervisor import child_supervisor, supervisor
from edge.daemon.supervisor.viewer import Viewer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FRAME = "import time; from edge.process.child import inherit; inherit(); time.sleep(0.5)"
DIES = "import os; from edge.process.child import inherit; inherit(); os.kill(os.getpid(), 9)"
DIES_ONCE = """
import os, signal, time
from pathlib import Path
from edge.process.child import inherit
inherit()
if not Path({mark!r}).exists():
    Path({mark!r}).touch()
    os.kill(os.getpid(), 9)
time.sleep(0.3)  # still starting: a SIGTERM that comes now must not kill it
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
signal.pthread_sigmask(signal.SIG_UNBLOCK, {{signal.SIGTERM}})
while not asked:
    time.sleep(0.01)
Path({done!r}).touch()
"""
CRASHES_AT_THE_END = """
import time
from edge.process.child import inherit
inherit()
import signal
def end(*_):
    raise SystemExit({code})
signal.signal(signal.SIGTERM, end)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {{signal.SIGTERM}})
time.sleep(30)
"""


@pytest.fixture
def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs a daemon whose frame process ends after half a second and whose publisher is the given program."""

    def run(publisher: str, frame: str = "fake_frame") -> int:
        (tmp_path / "fake_frame.py").write_text(FRAME)
        (tmp_path / "fake_publisher.py").write_text(publisher)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        monkeypatch.setattr(supervisor, "FRAME", frame)
        monkeypatch.setattr(supervisor, "PUBLISHER", "fake_publisher")
        monkeypatch.setattr(child_supervisor, "BACKOFF_S", (30.0,))
        settings = Settings(device="cart", state_dir=str(tmp_path / "state"), drain_timeout_s=2.0)
        return supervisor.supervise(DaemonJob(settings=settings, run_id="run-1"))

    return run


def test_a_publisher_that_waits_for_its_restart_at_the_end_is_started_at_once(
    supervise: Callable[[str], int], tmp_path: Path
) -> None:
    program = DIES_ONCE.format(mark=str(tmp_path / "mark"), done=str(tmp_path / "done"))
    assert supervise(program) == 0
    assert (tmp_path / "done").exists()


def test_a_publisher_killed_at_the_end_is_exit_6_and_says_what_is_kept(
    supervise: Callable[[str], int], tmp_path: Path
) -> None:
    with pytest.raises(SinkError, match="publisher ended with signal 9") as caught:
        supervise(DIES)
    assert str(tmp_path / "state") in caught.value.hint
    assert caught.value.exit_code == 6


@pytest.mark.slow
def test_a_publisher_that_crashes_while_it_drains_is_exit_6(supervise: Callable[[str], int]) -> None:
    with pytest.raises(SinkError, match="exit code 1"):
        supervise(CRASHES_AT_THE_END.format(code=1))
    assert supervise(CRASHES_AT_THE_END.format(code=6)) == 6  # it has said why itself


def test_sources_that_were_not_all_judged_are_exit_5_and_what_was_found_is_delivered(
    supervise: Callable[..., int], tmp_path: Path
) -> None:
    (tmp_path / "not_all_judged.py").write_text(FRAME + f"; raise SystemExit({NOT_ALL_JUDGED})")
    program = DIES_ONCE.format(mark=str(tmp_path / "mark"), done=str(tmp_path / "done"))
    (tmp_path / "mark").touch()
    with pytest.raises(SourceError, match="not everything was judged") as caught:
        supervise(program, "not_all_judged")
    assert caught.value.exit_code == 5
    assert (tmp_path / "done").exists(), "the publisher was given its time"


class NeverEnds:
    """Child of a supervisor that never ends by itself, on a clock of the test."""

    def __init__(self, clock: list[float]) -> None:
        self.clock = clock

    def terminate(self) -> None:
        pass

    def wait(self, timeout_s: float) -> bool:
        self.clock[0] += timeout_s
        return False

    def stop(self, timeout_s: float) -> None:
        self.clock[0] += timeout_s + child_supervisor.KILL_WAIT_S


@pytest.mark.parametrize("drain_s", [0.0, 0.1, 5.0])
def test_the_limits_of_a_stop_add_up_to_the_limit_of_all(
    drain_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: clock[0])
    stopping = supervisor.Supervisor.__new__(supervisor.Supervisor)
    settings = Settings(device="cart", state_dir=str(tmp_path), drain_timeout_s=drain_s)
    stopping._job = DaemonJob(settings=settings, run_id="run")
    stopping._viewer = Viewer(stopping._job)
    stopping._frame = stopping._publisher = NeverEnds(clock)  # type: ignore[assignment]
    stopping.stop_quickly()
    assert clock[0] - 100.0 <= supervisor.STOP_LIMIT_S + 1e-9
