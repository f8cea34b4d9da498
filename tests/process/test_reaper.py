"""The reaper: children that cannot be killed are never waited for, counted, and reaped when they go."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from brokers import wait_until
from faults.stuck_driver import state_of

from edge.process import child as child_module
from edge.process.child import Child
from edge.process.reaper import SLOW_S, LeftBehind, Reaper, is_there, reaper, start_ticks
from edge.process.shared_notes import SIZE, SharedNotes

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.stuck_driver import StuckDriver

READS = "open({driver!r}, 'rb', buffering=0).read(1)"
READS_IN_A_THREAD = """
import threading, time
threading.Thread(target=lambda: open({driver!r}, 'rb', buffering=0).read(1)).start()
time.sleep(600)
"""
STARTS_ANOTHER = """
from edge.process.child import Child, inherit
inherit()
other = Child("sleeper", b"")
open({pid!r}, "w").write(str(other.pid))
open({driver!r}, 'rb', buffering=0).read(1)
"""
SLEEPER = "import time; from edge.process.child import inherit; inherit(); time.sleep(600)"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Child]:
    """Starts a child process of a program; ``{driver}`` in it is a file that does not answer."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    (tmp_path / "sleeper.py").write_text(SLEEPER)

    def start(program: str) -> Child:
        (tmp_path / "program.py").write_text(program)
        return Child("program", b"", name="the program")

    return start


@pytest.mark.parametrize("program", [READS, READS_IN_A_THREAD])
def test_a_child_that_cannot_be_killed_is_not_waited_for_and_reaped_when_it_goes(
    start: Callable[[str], Child], stuck_driver: StuckDriver, program: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    child = start(program.format(driver=str(stuck_driver.path)))
    assert stuck_driver.wait_for_reader()
    began = time.monotonic()
    assert not child.kill()
    assert not child.kill()
    assert time.monotonic() - began < 1.0
    wait_until(lambda: state_of(child.pid) == "D")
    assert [one.pid for one in reaper.left_behind("the program")] == [child.pid]
    assert reaper.left_behind("another") == []
    assert reaper.left_behind(for_s=3600.0) == []
    wait_until(lambda: "(process" in caplog.text)
    assert f"(process {child.pid}) cannot be killed: state D" in caplog.text
    assert reaper.left_behind(for_s=SLOW_S)
    stuck_driver.release()
    wait_until(lambda: not Path(f"/proc/{child.pid}").exists())  # not even a zombie
    assert child.poll() == -signal.SIGKILL
    assert reaper.left_behind() == []
    wait_until(lambda: "has ended" in caplog.text)


def test_another_process_of_the_run_counts_it_too(start: Callable[[str], Child], stuck_driver: StuckDriver) -> None:
    child = start(READS.format(driver=str(stuck_driver.path)))
    assert stuck_driver.wait_for_reader()
    child.kill()
    other, known = Reaper(), reaper.left_behind()
    other.remember(known)
    other.remember(known)
    assert other.left_behind() == known
    stuck_driver.release()
    wait_until(lambda: other.left_behind() == [])


def test_children_of_a_process_that_cannot_be_killed_are_killed(
    start: Callable[[str], Child], stuck_driver: StuckDriver, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    child = start(STARTS_ANOTHER.format(driver=str(stuck_driver.path), pid=str(pid)))
    assert stuck_driver.wait_for_reader()
    grandchild = int(pid.read_text())
    assert state_of(grandchild) not in ("", "Z")
    assert not child.kill()
    wait_until(lambda: state_of(grandchild) in ("", "Z"))


def test_a_stopped_child_is_killed(start: Callable[[str], Child]) -> None:
    child = start(SLEEPER)
    os.kill(child.pid, signal.SIGSTOP)
    assert child.kill(20.0)
    assert reaper.left_behind() == []


def test_several_threads_may_kill_one_child(start: Callable[[str], Child], monkeypatch: pytest.MonkeyPatch) -> None:
    child, closed, close = start(SLEEPER), list[int](), os.close

    def note(fd: int) -> None:
        closed.append(fd)
        close(fd)

    monkeypatch.setattr(child_module.os, "close", note)
    threads = [threading.Thread(target=child.kill) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(closed) == 1  # the number may be another file's by the second time
    wait_until(lambda: child.poll() == -signal.SIGKILL)


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    mine = start_ticks(os.getpid())
    assert mine is not None
    assert is_there(LeftBehind(os.getpid(), mine, "me"))
    assert not is_there(LeftBehind(os.getpid(), mine + 1, "me"))
    assert start_ticks(2**22 + 1) is None


def test_a_zombie_has_ended() -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    try:
        wait_until(lambda: state_of(pid) == "Z")
        assert start_ticks(pid) is None
    finally:
        os.waitpid(pid, 0)


def test_notes_are_read_by_who_inherits_them() -> None:
    notes = SharedNotes()
    assert notes.read() == b""
    assert notes.write(b"a longer one")
    assert SharedNotes(notes.fd).read() == b"a longer one"
    assert notes.write(b"short")
    assert notes.read() == b"short"
    assert not notes.write(b"x" * (SIZE + 1))
    assert notes.read() == b"short"
    notes.close()
    notes.close()
    assert not notes.write(b"short")
