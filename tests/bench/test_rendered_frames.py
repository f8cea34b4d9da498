"""Rendered frames are captured when they are due, whoever is late; what is not read in time is lost and counted."""

from __future__ import annotations

import time

import pytest

from edge.bench.rendered_frames import PICTURES, RenderedFrames
from edge.contracts.frames import Frame, SourceEvent


@pytest.fixture
def feed():
    made = []

    def make(fps: float, frames: int = 0) -> RenderedFrames:
        made.append(RenderedFrames("feed-1", fps, frames))
        made[-1].open()
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_frames_are_rgb_of_vga_and_numbered(feed) -> None:
    one = feed(0)
    frames = [one.read(0.1) for _ in range(PICTURES + 2)]
    assert not one.live
    assert [frame.seq for frame in frames] == list(range(PICTURES + 2))
    assert frames[0].pixels.shape == (480, 640, 3)
    assert frames[PICTURES].pixels is frames[0].pixels
    assert frames[0].regions[0].source == "phantom"


def test_at_a_rate_the_capture_is_the_instant_it_was_due(feed) -> None:
    one = feed(50)
    first, second = one.read(1.0), one.read(1.0)
    assert one.live
    assert second.captured_ns - first.captured_ns == 20_000_000
    assert second.captured_ns <= time.monotonic_ns()


def test_a_late_reader_loses_frames_and_they_are_counted(feed) -> None:
    one = feed(200)
    before = one.read(1.0)
    time.sleep(0.1)
    after = one.read(1.0)
    lost = (after.captured_ns - before.captured_ns) // 5_000_000 - 1
    assert one.skipped == lost >= 15
    assert after.seq == before.seq + 1


def test_it_ends_and_it_wakes_when_closed(feed) -> None:
    one = feed(0, frames=2)
    assert [isinstance(one.read(0.1), Frame) for _ in range(2)] == [True, True]
    assert isinstance(one.read(0.1), SourceEvent)
    slow = feed(0.1)
    assert isinstance(slow.read(1.0), Frame)
    assert slow.read(0.01) is None
    slow.close()
    assert slow.read(10.0) is None
