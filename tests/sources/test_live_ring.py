"""The ring between a live source's child and its parent: newest frames, whole, and nothing believed without a check."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from edge.contracts.errors import SourceError
from edge.contracts.region import Region
from edge.sources.live.reader import LiveFrame
from edge.sources.live.ring import RingReader, RingWriter, make_ring_memory


@pytest.fixture
def ring() -> tuple[RingWriter, RingReader]:
    fd = make_ring_memory(1 << 16)
    try:
        return RingWriter(fd), RingReader(fd)
    finally:
        os.close(fd)


def grey(level: int, shape: tuple[int, ...] = (100, 200)) -> np.ndarray:
    return np.full(shape, level, np.uint8)


def test_frames_come_as_they_were_written(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    assert reader.newest(0) is None
    region = Region(box=(1, 2, 30, 40), mm_x=0.1, mm_y=0.2, source="igtl")
    for number, frame in enumerate(
        [
            LiveFrame(grey(1), 5, None),
            LiveFrame(grey(2, (50, 60, 3)), 6, 7, (region,)),
            LiveFrame(np.asfortranarray(grey(3)), 8),
            LiveFrame(grey(4, (200, 400))[::2, ::2], 9),
        ]
    ):
        writer.write(frame)
        taken = reader.newest(number)
        assert taken is not None
        assert taken.number == number
        np.testing.assert_array_equal(taken.frame.pixels, frame.pixels)
        assert (taken.frame.captured_ns, taken.frame.media_ns) == (frame.captured_ns, frame.media_ns)
        assert taken.frame.regions == frame.regions
    assert reader.newest(4) is None


def test_only_the_newest_is_given(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    for level in range(10):
        writer.write(LiveFrame(grey(level), level))
    taken = reader.newest(0)
    assert taken is not None
    assert taken.number == 9
    assert taken.frame.pixels[0, 0] == 9


@pytest.mark.slow
def test_a_copy_is_never_of_two_frames(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    done = threading.Event()

    def write() -> None:
        level = 0
        while not done.is_set():
            writer.write(LiveFrame(grey(level % 251), level))
            level += 1

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    taken, seen = 0, 0
    while seen < 300:
        found = reader.newest(taken)
        if found is not None:
            assert len(np.unique(found.frame.pixels)) == 1
            assert found.frame.pixels[0, 0] == found.number % 251
            taken, seen = found.number + 1, seen + 1
    done.set()
    writing.join()


@pytest.mark.parametrize(("place", "value"), [(5, 1 << 40), (5, 0), (6, -1), (7, 4), (7, -3)])
def test_what_makes_no_sense_is_refused(ring: tuple[RingWriter, RingReader], place: int, value: int) -> None:
    """A child that a hostile stream has taken over must not reach further than its own frames."""
    writer, reader = ring
    writer.write(LiveFrame(grey(1), 5))
    writer._memory.fields[0][place] = value
    with pytest.raises(SourceError, match="shape"):
        reader.newest(0)


def test_regions_that_cannot_be_read_are_refused(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    writer.write(LiveFrame(grey(1), 5, None, (Region(box=(0, 0, 1, 1)),)))
    writer._memory.notes[0][:4] = 0
    with pytest.raises(SourceError, match="regions"):
        reader.newest(0)


def test_memory_that_may_shrink_is_refused() -> None:
    fd = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 1 << 16)
    with pytest.raises(SourceError, match="memory"):
        RingReader(fd)
    os.close(fd)


def test_frames_left_out_before_one_that_was_overwritten_are_counted_too(ring: tuple[RingWriter, RingReader]) -> None:
    writer, reader = ring
    for level, left_out in ((1, 2), (2, 0), (3, 4)):
        writer.write(LiveFrame(grey(level), level, left_out=left_out))
    taken = reader.newest(0)
    assert taken is not None
    assert (taken.number, taken.frame.left_out) == (2, 6)
    fd = make_ring_memory(1 << 17)  # a larger one goes on counting
    try:
        larger, its_reader = RingWriter(fd, writer.written, writer.left_out), RingReader(fd)
    finally:
        os.close(fd)
    larger.write(LiveFrame(grey(4), 4, left_out=1))
    taken = its_reader.newest(3)
    assert taken is not None
    assert (taken.number, taken.frame.left_out) == (3, 7)
