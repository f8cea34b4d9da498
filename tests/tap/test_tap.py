"""The tap: what reaches the viewer's memory, what never does, and that nothing of it reaches the loop."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.contracts.feedback import Answer
from edge.contracts.frame_result import Result
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.region import Region
from edge.contracts.results import Lesion, Reason, Status
from edge.tap.channel import ChannelFds, ViewerChannel
from edge.tap.messages import OrderResult, TapEvent, ViewerOrder
from edge.tap.reader import TapReader
from edge.tap.writer import FrameTap

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTLINE = ((20, 10), (60, 10), (75, 50), (5, 50))
INSIDE = Region(box=(5, 10, 71, 41), outline=OUTLINE, shape="trapezoid")


class Ends:
    """Both ends of a channel, in one process."""

    def __init__(self, streams: tuple[str, ...] = ("cart",)) -> None:
        self.streams = streams
        self.channel = ViewerChannel(len(streams))
        self.open: list[FrameTap | TapReader] = []
        self.fds: list[int] = []
        self.tap, self.reader = self.writer(), self.another_reader()

    def writer(self) -> FrameTap:
        made = FrameTap(self._own(self.channel.frame_fds()), self.streams)
        self.open.append(made)
        return made

    def another_reader(self) -> TapReader:
        made = TapReader(self._own(self.channel.viewer_fds()), self.streams)
        self.open.append(made)
        return made

    def _own(self, fds: list[int]) -> ChannelFds:
        own = [os.dup(fd) for fd in fds]
        self.fds += own[1:]
        return ChannelFds.from_list(own)

    def close(self) -> None:
        for each in self.open:
            each._socket.close()
        for fd in self.fds:
            os.close(fd)
        self.channel.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def frame(seq: int, pixels: np.ndarray, regions: tuple[Region, ...] = (INSIDE,), stream: str = "cart") -> Frame:
    return Frame(stream, seq, seq * 33_000_000 + 1, None, pixels, regions)


def result(seq: int, lesions: tuple[Lesion, ...] = (), stream: str = "cart") -> Result:
    status = Status.FINDING if lesions else Status.CLEAR
    return Result(
        stream=stream, frame_seq=seq, captured_ns=seq * 33_000_000 + 1, status=status, malignancy=0.5,
        suspicious=True if lesions else None, lesions=lesions,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3)])
def test_outside_of_the_outline_is_black_before_a_pixel_is_shared(ends: Ends, shape: tuple[int, ...]) -> None:
    for seq in range(6):  # all slots, and each twice
        level = 100 + seq
        ends.tap.offer(frame(seq, np.full(shape, level, np.uint8)), result(seq), "exam", ())
        (taken,) = ends.reader.newest()
        assert taken.pixels is not None
        assert taken.note.box == (5, 10, 71, 41)
        assert set(np.unique(taken.pixels)) == {0, level}
        assert taken.pixels.shape[:2] == (41, 71)
        assert (taken.pixels[0, :10] == 0).all()
        assert (taken.pixels[20, 30:40] == level).all()
        memory = ends.tap._streams["cart"]._memory
        assert sum(int((slot == level).sum()) for slot in memory.pixels) == int((taken.pixels == level).sum())


def test_another_outline_leaves_nothing_of_the_old_place(ends: Ends) -> None:
    white = np.full((60, 80), 255, np.uint8)
    smaller = Region(box=(30, 20, 11, 11), outline=((30, 20), (40, 20), (40, 30), (30, 30)), shape="linear")
    for seq in range(4):
        ends.tap.offer(frame(seq, white), result(seq), "exam", ())
    ends.tap.offer(frame(4, white, (smaller,)), result(4), "exam", ())
    (taken,) = ends.reader.newest()
    assert taken.note.box == (30, 20, 11, 11)
    assert taken.pixels is not None
    assert taken.pixels.shape == (11, 11)


@pytest.mark.parametrize("regions", [(), (Region(box=(0, 0, 80, 60), mm_x=0.1, mm_y=0.1, source="dicom"),)])
def test_without_an_outline_only_the_words_go(ends: Ends, regions: tuple[Region, ...]) -> None:
    ends.tap.offer(frame(1, np.full((60, 80), 255, np.uint8), regions), result(1), "exam", ())
    (taken,) = ends.reader.newest()
    assert taken.pixels is None
    assert taken.note.box is None
    assert taken.note.status is Status.CLEAR
    assert not any(slot.any() for slot in (each[:10_000] for each in ends.tap._streams["cart"]._memory.pixels))


def test_a_picture_too_large_for_the_memory_is_shown_smaller(ends: Ends) -> None:
    height, width = 4320, 7680
    outline = ((0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1))
    whole = Region(box=(0, 0, width, height), outline=outline, shape="linear")
    ends.tap.offer(frame(1, np.full((height, width, 3), 7, np.uint8), (whole,)), result(1), "exam", ())
    (taken,) = ends.reader.newest()
    assert taken.note.step == 2
    assert taken.pixels is not None
    assert taken.pixels.shape == (height // 2, width // 2, 3)


def test_an_exam_that_ends_is_wiped_and_what_was_captured_before_is_left_out(ends: Ends) -> None:
    white = np.full((60, 80), 255, np.uint8)
    for seq in range(5):
        ends.tap.offer(frame(seq, white), result(seq), "exam", ())
    ends.tap.begin_exam("cart", "next", at_ns=10 * 33_000_000)
    memory = ends.tap._streams["cart"]._memory
    assert not any(slot[:10_000].any() for slot in memory.pixels)
    assert not any(note.any() for note in memory.notes)
    assert ends.another_reader().newest() == []  # a viewer that is started now finds nothing
    ends.tap.offer(frame(9, white), result(9), "exam", ())
    assert ends.reader.newest() == []
    ends.tap.offer(frame(11, white), result(11), "next", ())
    assert [each.note.exam_id for each in ends.reader.newest()] == ["next"]
    assert any(isinstance(each, TapEvent) and each.kind == "exam" for each in ends.reader.messages())


def test_an_exam_that_changes_by_itself_wipes_the_other_slots(ends: Ends) -> None:
    white = np.full((60, 80), 255, np.uint8)
    for seq in range(5):
        ends.tap.offer(frame(seq, white), result(seq), "exam", ())
    ends.tap.offer(frame(6, np.full((60, 80), 9, np.uint8)), result(6), "by-idle-time", ())
    memory = ends.tap._streams["cart"]._memory
    assert not any((slot[:10_000] == 255).any() for slot in memory.pixels)


def test_a_writer_that_died_while_it_wrote_is_followed_by_one_that_is_read(ends: Ends) -> None:
    ends.tap.offer(frame(1, np.full((60, 80), 1, np.uint8)), result(1), "exam", ())
    for fields in ends.tap._streams["cart"]._memory.fields:
        fields[0] += 1  # as left by a SIGKILL in the midst of it
    assert ends.reader.newest() == []
    successor = ends.writer()
    for seq in (2, 3, 4, 5):
        successor.offer(frame(seq, np.full((60, 80), seq, np.uint8)), result(seq), "exam", ())
        (taken,) = ends.reader.newest()
        assert taken.note.seq == seq


def test_a_frame_is_never_of_two(ends: Ends) -> None:
    done = threading.Event()

    def write() -> None:
        seq = 0
        while not done.is_set():
            ends.tap.offer(frame(seq, np.full((60, 80), seq % 250 + 1, np.uint8)), result(seq), "exam", ())
            seq += 1

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    seen, until = 0, time.monotonic() + 60
    while seen < 200 and time.monotonic() < until:
        for taken in ends.reader.newest():
            assert taken.pixels is not None
            assert set(np.unique(taken.pixels)) == {0, taken.note.seq % 250 + 1}
            seen += 1
    done.set()
    writing.join()
    assert seen >= 200


def test_what_goes_wrong_with_the_tap_never_reaches_the_loop(ends: Ends) -> None:
    many = tuple(Lesion(box=(1, 1, 5, 5), outline=[(1.5, 2.5)] * 3000, centre=(2.0, 2.0), score=0.9) for _ in range(20))
    ends.tap.offer(frame(1, np.zeros((60, 80), np.uint8)), result(1, many), "exam", ())  # more than a note holds
    ends.tap.offer(frame(2, np.zeros((60, 80), np.uint8), stream="unknown"), result(2, stream="unknown"), "exam", ())
    ends.reader._socket.close()
    for _ in range(3000):  # nobody listens, and the socket is full
        ends.tap.event("cart", SourceEvent("lost", Reason.SOURCE_LOST), "exam")
    ends.tap.offer(frame(3, np.full((60, 80), 3, np.uint8)), result(3), "exam", ())


def test_orders_and_answers_cross_the_channel(ends: Ends) -> None:
    answer = Answer(exam_id="e", finding_id="f", frame_seq=3, agrees=False)
    order = ViewerOrder(id="1", name="feedback", streams=["cart"], at_ns=1, until_ns=2, answer=answer)
    assert ends.reader.order(order)
    assert ends.tap.orders() == [order]
    ends.tap.answer(OrderResult(id="1", error="not_kept"))
    assert ends.reader.messages() == [OrderResult(id="1", error="not_kept")]
    ends.tap.turn()
    assert ends.reader.alive_ns() > 0
