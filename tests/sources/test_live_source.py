"""What all live sources share: the child process, its limits, and what becomes of a stream when it dies or hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from live_reading import Reading, event, frames, make, opened, read_until

from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import FrameDropper
from edge.contracts.results import Reason
from edge.process.reaper import reaper, start_ticks
from edge.sources.live.synthetic import SyntheticSource

URI = "synthetic://?fps=100"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("crash", "killed by signal 11"),
        ("hang", "no picture came for 0.8 s"),
        ("lost", "the synthetic stream is lost"),
        ("bug", "its reader failed"),
        ("memory", "more memory to decode than a stream may have"),
        ("huge", "smaller"),
    ],
)
def test_a_fault_of_the_decoder_costs_its_stream_which_comes_back(fault: str, words: str) -> None:
    with opened(SyntheticSource, f"{URI}&fault={fault}&at=5") as source:
        reading = read_until(source, event("lost"))
        assert words in reading.events[-1].detail
        assert reading.events[-1].reason is Reason.SOURCE_LOST
        if fault == "huge":
            return  # its reader goes on with its size: in a new process only
        read_until(source, frames(10), reading)
    assert [frame.seq for frame in reading.frames] == list(range(len(reading.frames)))


def test_a_damaged_frame_costs_that_frame() -> None:
    with opened(SyntheticSource, f"{URI}&fault=damaged&at=3&frames=9") as source:
        reading = read_until(source, event("ended"))
    assert [(one.kind, one.reason) for one in reading.events] == [
        ("skipped", Reason.DECODE_ERROR),
        ("ended", Reason.STREAM_ENDED),
    ]
    assert len(reading.frames) + source.dropped == 8


@pytest.mark.slow
def test_a_stream_of_damaged_frames_only_is_lost() -> None:
    with opened(SyntheticSource, f"{URI}&fault=unsound&at=3") as source:
        pid = source.pid
        reading = read_until(source, event("lost"))
        assert "no sound picture came for 5 s" in reading.events[-1].detail
        assert len(reading.details("skipped")) > 3
        assert source.pid == pid


def test_a_larger_frame_is_taken() -> None:
    with opened(SyntheticSource, f"{URI}&fault=grow&at=3&frames=9") as source:
        reading = read_until(source, event("ended"))
    assert {frame.pixels.shape for frame in reading.frames} >= {(240, 320)}
    assert all(frame.pixels.any() for frame in reading.frames)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGSTOP])
def test_a_child_that_is_killed_or_stopped_is_told_and_replaced(number: signal.Signals) -> None:
    with opened(SyntheticSource, URI) as source:
        reading = read_until(source, frames(3))
        pid = source.pid
        os.kill(pid, number)
        sent = time.monotonic()
        read_until(source, event("lost"), reading, reopen=False)
        assert time.monotonic() - sent < 10
        before = len(reading.frames)
        source.open()
        read_until(source, frames(before + 3), reading)
        assert source.pid != pid
    assert not is_there_still(pid)


def is_there_still(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while (ticks := start_ticks(pid)) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return ticks is not None


def test_the_child_ends_with_its_parent_even_one_that_hangs() -> None:
    code = (
        "from live_reading import make; from edge.sources.live.synthetic import SyntheticSource; import time\n"
        "s = make(SyntheticSource, 'synthetic://?fault=hang&at=1&silence_s=60'); s.open(); print(s.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    paths = os.pathsep.join([os.path.dirname(os.path.dirname(__file__)), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    assert not is_there_still(pid)


def test_a_stream_that_cannot_be_opened_says_why_and_read_repeats_it() -> None:
    source = make(SyntheticSource, f"{URI}&fault=refused")
    with pytest.raises(SourceError, match="is refused") as caught:
        source.open()
    assert caught.value.hint
    item = source.read(0.1)
    assert isinstance(item, SourceEvent)
    assert item.kind == "lost"
    assert "is refused" in item.detail
    source.close()


def test_the_process_stays_while_a_stream_is_opened_again_and_again() -> None:
    source = make(SyntheticSource, f"{URI}&fault=refused")
    pids = set()
    for _ in range(5):
        with pytest.raises(SourceError):
            source.open()
        pids.add(source.pid)
    source.close()
    assert len(pids) == 1


def test_only_the_newest_frame_is_given_and_the_others_are_counted() -> None:
    with opened(SyntheticSource, f"{URI}&frames=20") as source:
        assert isinstance(source, FrameDropper)
        first = source.read(30.0)
        while not isinstance(first, Frame):
            first = source.read(30.0)
        time.sleep(0.3)
        reading = Reading()
        reading.add(first)
        read_until(source, event("ended"), reading)
    numbers = [frame.origin.frame_index for frame in reading.frames]
    assert numbers == sorted(numbers)
    assert len(numbers) + source.dropped == 20
    assert [frame.seq for frame in reading.frames] == list(range(len(numbers)))


@pytest.mark.slow
def test_a_frame_that_became_too_old_is_dropped_and_counted() -> None:
    """Nobody read for a while, and the child stood still: what lies in the ring is not what the probe sees."""
    with opened(SyntheticSource, "synthetic://?fps=20&silence_s=20&frames=60") as source:
        reading = read_until(source, frames(3))
        time.sleep(0.2)
        os.kill(source.pid, signal.SIGSTOP)
        time.sleep(0.4)
        time.sleep(0.4)
        assert source.read(0.0) is None
        assert source.dropped > 0
        os.kill(source.pid, signal.SIGCONT)
        read_until(source, event("ended"), reading)
    ages = [now - frame.captured_ns for frame, now in zip(reading.frames, reading.read_ns, strict=True)]
    assert max(ages) < 1_000_000_000
    assert len(reading.frames) + source.dropped == 60


@pytest.mark.slow
def test_pixels_are_whole_while_the_ring_goes_round() -> None:
    """Frames of one grey level each would show a copy that was torn."""
    with opened(SyntheticSource, "synthetic://?fps=1000&width=1024&height=768") as source:
        reading = read_until(source, frames(100))
    y, x = np.ogrid[:768, :1024]
    for frame in reading.frames:
        expected = (x + y + 16 * frame.origin.frame_index) % 256
        np.testing.assert_array_equal(frame.pixels, expected.astype(np.uint8))
        assert not frame.pixels.flags.writeable


@pytest.mark.slow
def test_a_limit_of_silence_follows_the_rate_of_the_stream() -> None:
    with opened(SyntheticSource, "synthetic://?fps=1.6&frames=5") as source:
        reading = read_until(source, event("ended"))
        assert [one.kind for one in reading.events] == ["ended"]
        assert len(reading.frames) + source.dropped == 5


@pytest.mark.parametrize(
    "query", ["delay_ms=-1", "delay_ms=x", "silence_s=0", "open_timeout_s=nan", "first_frame_s=1e9", "colour=red"]
)
def test_options_that_are_none_are_refused(query: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(SyntheticSource, f"synthetic://?{query}")
    assert caught.value.exit_code == 2


def test_closing_ends_the_child_and_wakes_who_reads() -> None:
    source = make(SyntheticSource, "synthetic://?fps=0.05&first_frame_s=100")
    source.open()
    pid = source.pid
    got: list[object] = []
    reader = threading.Thread(target=lambda: [got.append(source.read(60.0)) for _ in range(3)], daemon=True)
    reader.start()
    time.sleep(0.05)
    source.close()
    reader.join(30)
    assert not reader.is_alive()
    assert not any(isinstance(item, SourceEvent) for item in got)
    assert not is_there_still(pid)


def test_while_three_of_its_processes_cannot_be_killed_no_other_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    left = [object()] * 3
    monkeypatch.setattr(type(reaper), "left_behind", lambda self, name=None, *, for_s=0.0: left)
    source = make(SyntheticSource, URI)
    with pytest.raises(SourceError, match="cannot be killed"):
        source.open()
    source.close()


@pytest.mark.slow
def test_deaths_leave_no_descriptors_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with opened(SyntheticSource, URI) as source:
        for _ in range(5):
            reading = read_until(source, frames(1))
            os.kill(source.pid, signal.SIGKILL)
            read_until(source, event("lost"), reading)
            source.open()
    assert len(set(os.listdir("/proc/self/fd")) - before) == 0
