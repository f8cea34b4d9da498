"""Processes that cannot be killed (state D): the daemon goes on, says so, piles none up, and ends when asked."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest
from brokers import wait_until
from faults.loaded_daemon import FRAME
from faults.stuck_driver import state_of

from edge.config.settings import Settings
from edge.daemon.job import DaemonJob
from edge.daemon.supervisor import child_supervisor, supervisor
from edge.daemon.supervisor.child_supervisor import ChildSupervisor
from edge.daemon.supervisor.supervisor import Supervisor
from edge.process.reaper import MOST_LEFT_BEHIND, reaper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from faults.stuck_driver import StuckDriver

HANG_S = 15.0
"""Upper limit of what must not hang."""
CONFIG = """
site = "lab"
device = "cart"
state_dir = "{folder}/state"
watchdog_s = {watchdog_s}
[[streams]]
name = "cart"
source = "phantom://?seed=1&fps=20&pace=realtime"
[[sinks]]
uri = "jsonl://{folder}/out.jsonl"
[runtime]
{runtime}
"""
READS = """
import json, sys
from edge.process.child import inherit
from edge.process.heartbeat import send_heartbeat
given = inherit()
send_heartbeat(given.fds[1])
open({driver!r}, "rb", buffering=0).read(1)
"""
STOPS_WHEN_ASKED = """
import signal, sys, time
from pathlib import Path
from edge.process.child import inherit
from edge.process.heartbeat import WATCHDOG_SIGNAL, send_heartbeat
given = inherit()
def stop(*_):
    Path({mark!r}).touch()
    sys.exit(0)
signal.signal(WATCHDOG_SIGNAL, stop)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {{WATCHDOG_SIGNAL}})
send_heartbeat(given.fds[1])
time.sleep(600)
"""
SLEEPS = "import time; from edge.process.child import inherit; inherit(); time.sleep(600)"


class Daemon:
    """A running ``edge-cli run`` with a JSON Lines sink."""

    def __init__(self, folder: Path, runtime: str, watchdog_s: float = 10.0) -> None:
        self.out, self.log = folder / "out.jsonl", folder / "log"
        config = folder / "edge.toml"
        config.write_text(CONFIG.format(folder=folder, runtime=runtime, watchdog_s=watchdog_s))
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "edge.cli.main", "run", "--config", str(config)]
            self.process = subprocess.Popen(command, stderr=log, cwd=folder)

    def payloads(self, topic: str) -> list[dict[str, Any]]:
        lines = self.out.read_text().splitlines() if self.out.exists() else []
        messages = [json.loads(line) for line in lines if line.endswith("}")]
        return [one["payload"] for one in messages if topic in one["topic"]]

    def reasons(self) -> set[str]:
        """The reasons of the newest state; none: no state has come yet."""
        states = self.payloads("/state")
        return {*states[-1]["reasons"]} if states else set()

    def fallback(self) -> list[bool]:
        """Of each finding, whether a fall-back has computed it."""
        return [finding["runtime"]["fallback"] for finding in self.payloads("/findings/") if finding["runtime"]]

    def longest_gap_s(self) -> float:
        times = [finding["mono_ns"] for finding in self.payloads("/findings/")]
        return max((b - a for a, b in itertools.pairwise(times)), default=0) / 1e9

    def child(self, module: str, other_than: int = 0) -> int:
        def found() -> int:
            for one in psutil.Process(self.process.pid).children(recursive=True):
                if one.pid != other_than and one.status() != psutil.STATUS_ZOMBIE and module in one.cmdline():
                    return one.pid
            return 0

        return wait_until(found, 30)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(HANG_S)


@pytest.fixture
def started() -> Iterator[list[Daemon]]:
    daemons: list[Daemon] = []
    yield daemons
    for one in daemons:
        one.process.kill()
        one.process.wait()


@pytest.mark.slow
def test_the_fall_back_goes_on_and_a_new_frame_process_begins_with_it(
    stuck_driver: StuckDriver, tmp_path: Path, started: list[Daemon]
) -> None:
    uri = f"scripted://?distinct=1&read_at=20&read={stuck_driver.path}"
    run = Daemon(tmp_path, f'uri = "{uri}"\nfallback = ["scripted://?distinct=1"]\nprobe_s = 600.0')
    started.append(run)
    wait_until(lambda: run.fallback().count(True) > 5, 60)
    assert run.longest_gap_s() < HANG_S
    wait_until(lambda: {"runtime_fallback", "process_unkillable"} <= run.reasons(), 30)
    assert "cannot be killed: state D" in run.log.read_text()
    stuck_driver.wait_for_reader()

    before, frame = len(run.fallback()), run.child(FRAME)
    os.kill(frame, signal.SIGKILL)
    run.child(FRAME, other_than=frame)
    wait_until(lambda: len(run.fallback()) > before + 5, 60)
    assert all(run.fallback()[before:])
    assert not stuck_driver.wait_for_reader(0.0)  # nobody has tried it again
    wait_until(lambda: "process_unkillable" in run.reasons(), 60)  # the new process says it, too
    assert run.terminate() == 0


@pytest.mark.slow
def test_a_frame_process_that_cannot_be_killed_is_replaced_and_the_daemon_ends_when_asked(
    stuck_driver: StuckDriver, tmp_path: Path, started: list[Daemon]
) -> None:
    uri = f"scripted://?distinct=1&read_at=20&read={stuck_driver.path}"
    run = Daemon(tmp_path, f'uri = "{uri}"\nisolated = false', watchdog_s=1.5)
    started.append(run)
    first = run.child(FRAME)
    assert stuck_driver.wait_for_reader(60)
    run.child(FRAME, other_than=first)
    before = len(run.payloads("/findings/"))
    wait_until(lambda: len(run.payloads("/findings/")) > before, 60)
    assert state_of(first) == "D"
    wait_until(lambda: "process_unkillable" in run.reasons(), 30)
    assert run.terminate() == 0


@pytest.mark.slow
def test_a_runtime_in_the_frame_process_that_makes_it_unkillable_is_fallen_back_from(
    stuck_driver: StuckDriver, tmp_path: Path, started: list[Daemon]
) -> None:
    uri = f"scripted://?distinct=1&read_at=20&read={stuck_driver.path}"
    fallback = 'fallback = ["scripted://?distinct=1"]'
    run = Daemon(tmp_path, f'uri = "{uri}"\nisolated = false\n{fallback}', watchdog_s=1.5)
    started.append(run)
    wait_until(lambda: run.fallback().count(True) > 5, 60)
    both = {"runtime_fallback", "process_unkillable"}
    wait_until(lambda: both <= run.reasons(), 60)
    findings, states = len(run.payloads("/findings/")), len(run.payloads("/state"))
    wait_until(lambda: len(run.payloads("/findings/")) > findings + 20, 60)
    assert all(both <= {*one["reasons"]} for one in run.payloads("/state")[states - 1 :])
    assert run.terminate() == 0


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck_driver: StuckDriver) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    (tmp_path / "stuck_child.py").write_text(READS.format(driver=str(stuck_driver.path)))
    (tmp_path / "good_child.py").write_text(SLEEPS)
    monkeypatch.setattr(child_supervisor, "BACKOFF_S", (0.0,))
    monkeypatch.setattr(child_supervisor, "TERMINATE_S", 0.0)
    monkeypatch.setattr(child_supervisor, "DYING_S", 0.1)


def test_check_never_waits_and_the_number_of_those_left_behind_is_bounded(
    fakes: None, stuck_driver: StuckDriver, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = ChildSupervisor("stuck_child", b"", theirs.fileno(), watchdog_s=0.0)
    longest = 0.0

    def check() -> bool:
        nonlocal longest
        if stuck_driver.wait_for_reader(0.0):
            kept.poll_heartbeat()
        began = time.monotonic()
        kept.check()
        longest = max(longest, time.monotonic() - began)
        return "no other is started" in caplog.text

    wait_until(check, 30)
    assert longest < 5.0
    assert len(reaper.left_behind("stuck_child")) == MOST_LEFT_BEHIND
    assert kept.child is None
    stuck_driver.release()
    wait_until(lambda: reaper.left_behind("stuck_child") == [])
    wait_until(lambda: kept.check() or kept.child is not None, 30)
    kept.stop(0.0)
    kept.close()
    ours.close()
    theirs.close()


def test_a_silent_child_is_asked_to_stop_before_it_is_killed_and_that_is_no_end_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(child_supervisor, "TERMINATE_S", HANG_S)
    (tmp_path / "child_that_stops.py").write_text(STOPS_WHEN_ASKED.format(mark=str(mark)))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kept = ChildSupervisor("child_that_stops", b"", theirs.fileno(), watchdog_s=0.1)
    wait_until(kept.poll_heartbeat, 30)
    wait_until(lambda: kept.check() is not None or kept.failures, 30)
    assert mark.exists()
    assert kept.failures == 1  # it ended with exit code 0, and is started again all the same
    wait_until(lambda: kept.check() is not None or kept.child is not None, 30)
    kept.stop(0.0)
    kept.close()
    ours.close()
    theirs.close()


def test_the_supervisor_stops_in_its_time_with_two_children_that_cannot_be_killed(
    fakes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stuck_driver: StuckDriver
) -> None:
    monkeypatch.setattr(supervisor, "FRAME", "stuck_child")
    monkeypatch.setattr(supervisor, "PUBLISHER", "stuck_child")
    settings = Settings(device="cart", state_dir=str(tmp_path), drain_timeout_s=300.0)
    both = Supervisor(DaemonJob(settings=settings, run_id="run"))
    try:
        waiting = [stuck_driver.wait_for_reader() for _ in range(2)]
        began = time.monotonic()
        both.stop_quickly()
        took_s = time.monotonic() - began
    finally:
        both.close()
    assert waiting == [True, True]
    assert took_s < supervisor.STOP_LIMIT_S + 1.0
    assert len(reaper.left_behind("stuck_child")) == 2
    job = msgspec.json.decode(both._frame.payload, type=DaemonJob)
    assert {one.name for one in job.left_behind} == {"stuck_child"}
