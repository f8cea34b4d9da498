"""Frame capture: streams in turn, lost sources, frozen pictures, pause and resume."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
from brokers import wait_until
from native_panic import PanicError

from edge.config.settings import StreamSettings
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.pipeline.capture import FILE_QUEUE, FrameCapture
from edge.pipeline.liveness import LivenessMonitor
from edge.pipeline.stream_metadata import add_stream_metadata

END = SourceEvent("ended", Reason.STREAM_ENDED)


class ListSource:
    """Gives what it is told, and counts how much was taken."""

    def __init__(self, items, live=False, fails=()):
        self.live, self.items, self.fails = live, list(items), list(fails)
        self.read_count = self.opened = self.closed = 0

    def open(self):
        self.opened += 1
        if self.fails and (error := self.fails.pop(0)):
            raise error

    def read(self, timeout_s):
        if not self.items:
            time.sleep(0.01)
            return None
        self.read_count += 1
        return self.items.pop(0)

    def close(self):
        self.closed += 1


def drain(capture):
    taken = []
    while not capture.exhausted:
        if (arrival := capture.next(1.0)) is not None:
            taken.append(arrival)
    capture.close()
    return taken


def test_a_file_source_loses_nothing_and_keeps_its_order(make):
    frames = [make.frame(i) for i in range(50)]
    taken = drain(FrameCapture({"s": ListSource([*frames, END])}))
    assert [item for _, item in taken] == [*frames, END]


def test_a_file_source_is_held_back_while_the_loop_is_busy(make):
    source = ListSource([make.frame(i) for i in range(50)])
    capture = FrameCapture({"s": source})
    deadline = time.monotonic() + 5
    while source.read_count < FILE_QUEUE + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert source.read_count == FILE_QUEUE + 1  # one more is in the reader's hand
    capture.close()


def test_of_a_live_source_the_newest_frame_is_kept_and_the_others_are_counted(make):
    frames = [make.frame(i) for i in range(20)]
    source = ListSource([*frames, END], live=True)
    capture = FrameCapture({"s": source})
    deadline = time.monotonic() + 5
    while source.read_count < 21 and time.monotonic() < deadline:
        time.sleep(0.01)
    taken = drain(capture)
    assert [item for _, item in taken] == [frames[-1], END]
    assert capture.dropped == {"s": 19}


def test_a_live_stream_with_damaged_pictures_between_keeps_the_newest_frame_only(make):
    """Where each second picture is damaged and the loop is slower, sound ones must not pile up and grow old."""
    skipped = [SourceEvent("skipped", Reason.DECODE_ERROR, str(i)) for i in range(10)]
    frames = [make.frame(i) for i in range(10)]
    between = [item for pair in zip(frames, skipped, strict=True) for item in pair]
    source = ListSource([*between, END], live=True)
    capture = FrameCapture({"s": source})
    wait_until(lambda: source.read_count >= 21)
    taken = [item for _, item in drain(capture)]
    assert [item for item in taken if isinstance(item, Frame)] == [frames[-1]]
    assert [item for item in taken if isinstance(item, SourceEvent)] == [*skipped, END]
    assert capture.dropped == {"s": 9}


def test_streams_take_turns(make):
    a = ListSource([*(make.frame(i, "a") for i in range(10)), END])
    b = ListSource([*(make.frame(i, "b") for i in range(10)), END])
    taken = drain(FrameCapture({"a": a, "b": b}))
    assert sum(isinstance(item, Frame) for _, item in taken) == 20
    names = [name for name, _ in taken[4:12]]
    assert set(names) == {"a", "b"}


def test_a_lost_source_is_opened_again_and_goes_on(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    source = ListSource([make.frame(0), lost, make.frame(1), END])
    kinds = [getattr(item, "kind", "frame") for _, item in drain(FrameCapture({"s": source}))]
    assert kinds == ["frame", "lost", "frame", "ended"]
    assert source.opened == 2


def test_a_source_that_raises_is_said_to_be_lost_never_silent(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))

    class Broken(ListSource):
        def read(self, timeout_s):
            if self.read_count == 1:
                self.read_count += 1
                raise RuntimeError("bug")
            return super().read(timeout_s)

    items = [item for _, item in drain(FrameCapture({"s": Broken([make.frame(0), END])}))]
    assert [getattr(item, "reason", None) for item in items] == [None, Reason.SOURCE_LOST, Reason.STREAM_ENDED]


def test_a_source_that_cannot_be_opened_again_is_tried_until_it_can(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    source = ListSource([make.frame(0), lost, lost, make.frame(1), END], fails=[None, OSError("no such device")])
    kinds = [getattr(item, "kind", "frame") for _, item in drain(FrameCapture({"s": source}))]
    assert kinds == ["frame", "lost", "lost", "frame", "ended"]
    assert source.opened == 3


def test_if_one_cannot_be_opened_none_stays_open(make):
    good, bad = ListSource([]), ListSource([], fails=[SourceError("gone")])
    with pytest.raises(SourceError, match="gone"):
        FrameCapture({"good": good, "bad": bad})
    assert good.closed == 1
    assert not any(t.name.startswith("capture-") for t in threading.enumerate())


def test_close_ends_a_reader_that_waits_for_a_place(make):
    capture = FrameCapture({"s": ListSource([make.frame(i) for i in range(50)])})
    capture.close()
    assert not any(t.name == "capture-s" for t in threading.enumerate())


def at(frame, seconds, seq=0):
    return replace(frame, captured_ns=int(seconds * 1e9), seq=seq)


def liveness(**settings):
    return LivenessMonitor(StreamSettings(name="s", source="camera://0", **settings))


def test_a_picture_that_never_changes_is_frozen_and_said_once_until_it_changes(make):
    still, other = make.frame(0), make.frame(1)
    monitor = liveness(frozen_after_s=2.0)
    given = [monitor.check(at(still, t, t)) for t in range(5)]
    assert [isinstance(item, Frame) for item in given] == [True, True, False, False, False]
    assert (given[2].kind, given[2].reason) == ("skipped", Reason.FROZEN)
    assert given[3:] == [None, None]
    moved = at(other, 5)
    assert monitor.check(moved) is moved
    assert isinstance(monitor.check(at(other, 6)), Frame)
    assert monitor.check(at(other, 7)).reason is Reason.FROZEN


def test_after_a_loss_the_same_picture_is_new_again(make):
    monitor = liveness(frozen_after_s=2.0)
    monitor.check(at(make.frame(0), 0))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    assert monitor.check(lost) is lost
    assert isinstance(monitor.check(at(make.frame(0), 9)), Frame)


def test_frozen_can_be_switched_off_and_is_not_asked_of_files(make):
    still = make.frame(0)
    assert all(isinstance(liveness(frozen_after_s=0).check(at(still, t)), Frame) for t in (0, 100))
    taken = drain(FrameCapture({"s": ListSource([at(still, 60 * t) for t in range(4)] + [END])}))
    assert len(taken) == 5


def test_a_live_source_that_says_nothing_is_lost_once_and_a_frame_brings_it_back(make):
    source = ListSource([], live=True)
    capture = FrameCapture({"s": source}, streams=[StreamSettings(name="s", source="camera://0", silent_after_s=0.05)])

    def next_item():
        return wait_until(lambda: capture.next(0.02))[1]

    assert next_item().reason is Reason.SOURCE_LOST
    assert [capture.next(0.05) for _ in range(3)] == [None] * 3
    source.items.append(make.frame(0))
    assert isinstance(next_item(), Frame)
    assert next_item().reason is Reason.SOURCE_LOST
    capture.close()


def test_a_source_that_does_not_come_back_from_a_read_is_said_to_be_lost_and_stuck(make):
    held = threading.Event()

    class Stuck(ListSource):
        def read(self, timeout_s):
            held.wait(20)
            return super().read(timeout_s)

    capture = FrameCapture(
        {"s": Stuck([], live=True)}, streams=[StreamSettings(name="s", source="camera://0", silent_after_s=0.05)]
    )
    assert wait_until(lambda: capture.next(0.02))[1].reason is Reason.SOURCE_LOST
    assert capture.stuck() == []
    assert wait_until(lambda: capture.stuck(0.1)) == ["s"]
    held.set()
    wait_until(lambda: not capture.stuck(0.1))
    capture.close()


def test_a_paused_live_source_is_closed_gives_nothing_and_is_opened_again(make):
    source = ListSource([make.frame(0)], live=True)
    capture = FrameCapture({"s": source}, streams=[StreamSettings(name="s", source="x", silent_after_s=0.2)])
    assert capture.next(2.0) is not None
    assert capture.pause("s")
    wait_until(lambda: source.closed)
    source.items.append(make.frame(1))
    assert capture.next(0.5) is None  # no frame, and no word of silence: it was asked for
    assert not capture.exhausted
    assert capture.resume("s")
    assert capture.next(2.0) is not None
    assert source.opened == 2
    capture.close()


def test_a_live_source_that_cannot_be_opened_again_is_tried_until_it_can(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.BACKOFF_S", (0.01,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    source = ListSource([make.frame(0)], live=True, fails=[None, SourceError("gone", hint="")])
    capture = FrameCapture({"s": source})
    capture.next(2.0)
    capture.pause("s")
    wait_until(lambda: source.closed)
    source.items += [lost, make.frame(1)]
    capture.resume("s")
    assert capture.next(2.0) == ("s", lost)
    _, frame = wait_until(lambda: capture.next(1.0))
    assert frame.seq == 1
    capture.close()


def test_a_paused_file_stays_where_it_is_and_does_not_make_the_loop_spin(make):
    source = ListSource([*(make.frame(i) for i in range(3)), END])
    capture = FrameCapture({"s": source})
    assert capture.next(2.0)[1].seq == 0
    assert capture.pause("s")
    wait_until(lambda: not capture._running or source.read_count == 4)
    began = time.monotonic()
    assert capture.next(0.2) is None
    assert time.monotonic() - began >= 0.2
    assert not capture.exhausted
    assert capture.resume("s")
    assert [item if item is END else item.seq for _, item in drain(capture)] == [1, 2, END]
    assert not capture.pause("s")
    assert not capture.resume("s")


def test_a_native_panic_in_a_source_is_lost_and_told_at_the_end(make):
    class Panics(ListSource):
        def read(self, timeout_s):
            if self.read_count == 1 and self.items:
                self.read_count += 1
                raise PanicError("index out of range")
            return super().read(timeout_s)

    capture = FrameCapture({"s": Panics([make.frame(0), make.frame(1), END])})
    items = [item for _, item in drain(capture)]
    assert [getattr(item, "reason", None) for item in items] == [None, Reason.SOURCE_LOST, None, Reason.STREAM_ENDED]
    assert capture.lost == ["s"]


def test_a_file_source_that_always_fails_is_given_up_and_not_begun_anew():
    class Broken(ListSource):
        def read(self, timeout_s):
            raise PanicError("again")

    source = Broken([])
    capture = FrameCapture({"s": source})
    items = [item for _, item in drain(capture)]
    assert {item.kind for item in items} == {"lost"}
    assert len(items) < 10
    assert source.opened == 1
    assert set(capture.lost) == {"s"}


def test_a_reading_thread_that_dies_is_lost_with_a_reason(make, monkeypatch):
    def dies(self, name, source, item):
        raise PanicError("a bug of ours")

    monkeypatch.setattr(FrameCapture, "_put", dies)
    capture = FrameCapture({"s": ListSource([make.frame(0), END])})
    ((name, item),) = drain(capture)
    assert (name, item.kind, item.reason) == ("s", "lost", Reason.SOURCE_LOST)
    assert capture.lost == ["s"]


def test_a_frame_that_cannot_be_taken_over_costs_that_frame(make):
    def adjust(frame):
        if frame.seq == 1:
            raise ValueError("a bug of ours")
        return frame

    items = [item for _, item in drain(FrameCapture({"s": ListSource([*map(make.frame, range(3)), END])}, adjust))]
    assert [getattr(item, "reason", None) for item in items] == [None, Reason.FAILED, None, Reason.STREAM_ENDED]


def test_large_frames_are_decoded_ahead_one_at_a_time(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.capture.LARGE_BYTES", 1)
    source = ListSource([*map(make.frame, range(5)), END])
    capture = FrameCapture({"s": source})
    wait_until(lambda: source.read_count == 1, 5)
    time.sleep(0.1)
    assert source.read_count == 1
    assert len(drain(capture)) == 6


def test_a_clock_in_a_corner_that_is_cropped_away_does_not_hide_a_frozen_picture(make):
    stream = StreamSettings(name="s", source="camera://0", crop=(0, 8, 8, 8), frozen_after_s=2.0, silent_after_s=0.0)
    frames = []
    for second in range(4):
        pixels = make.frame(0).pixels.copy()
        pixels[0, 0] = second  # a scanner's clock goes on while its picture stands
        frames.append(at(replace(make.frame(0), stream="s", pixels=pixels), second, second))
    source = ListSource([*frames, END], live=True)
    capture = FrameCapture({"s": source}, add_stream_metadata([stream]), [stream])
    assert next(item.reason for _, item in drain(capture) if isinstance(item, SourceEvent)) is Reason.FROZEN


def test_a_crop_that_does_not_fit_is_told_for_each_frame_and_logs_no_traceback(make, caplog):
    stream = StreamSettings(name="s", source="camera://0", crop=(0, 0, 5000, 8))
    source = ListSource([replace(make.frame(i), stream="s") for i in range(2)] + [END])
    items = [item for _, item in drain(FrameCapture({"s": source}, add_stream_metadata([stream]), [stream]))]
    assert [(item.kind, item.reason) for item in items[:2]] == [("skipped", Reason.DECODE_ERROR)] * 2
    assert "crop" in items[0].detail
    assert not caplog.records
