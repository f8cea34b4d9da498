from __future__ import annotations

import threading
import time

import pytest

from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.pipeline.intake import FILE_QUEUE, Intake

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


def drain(intake):
    taken = []
    while not intake.exhausted:
        if (arrival := intake.next(1.0)) is not None:
            taken.append(arrival)
    intake.close()
    return taken


def test_a_file_source_loses_nothing_and_keeps_its_order(make):
    frames = [make.frame(i) for i in range(50)]
    taken = drain(Intake({"s": ListSource([*frames, END])}))
    assert [item for _, item in taken] == [*frames, END]


def test_a_file_source_is_held_back_while_the_loop_is_busy(make):
    source = ListSource([make.frame(i) for i in range(50)])
    intake = Intake({"s": source})
    deadline = time.monotonic() + 5
    while source.read_count < FILE_QUEUE + 1 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert source.read_count == FILE_QUEUE + 1  # one more is in the reader's hand
    intake.close()


def test_of_a_live_source_the_newest_frame_is_kept_and_the_others_are_counted(make):
    frames = [make.frame(i) for i in range(20)]
    source = ListSource([*frames, END], live=True)
    intake = Intake({"s": source})
    deadline = time.monotonic() + 5
    while source.read_count < 21 and time.monotonic() < deadline:
        time.sleep(0.01)
    taken = drain(intake)
    assert [item for _, item in taken] == [frames[-1], END]
    assert intake.dropped == {"s": 19}


def test_streams_take_turns(make):
    a = ListSource([*(make.frame(i, "a") for i in range(10)), END])
    b = ListSource([*(make.frame(i, "b") for i in range(10)), END])
    taken = drain(Intake({"a": a, "b": b}))
    assert sum(isinstance(item, Frame) for _, item in taken) == 20
    names = [name for name, _ in taken[4:12]]
    assert set(names) == {"a", "b"}


def test_a_lost_source_is_opened_again_and_goes_on(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.intake.BACKOFF_S", (0.01,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    source = ListSource([make.frame(0), lost, make.frame(1), END])
    kinds = [getattr(item, "kind", "frame") for _, item in drain(Intake({"s": source}))]
    assert kinds == ["frame", "lost", "frame", "ended"]
    assert source.opened == 2


def test_a_source_that_raises_is_said_to_be_lost_never_silent(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.intake.BACKOFF_S", (0.01,))

    class Broken(ListSource):
        def read(self, timeout_s):
            if self.read_count == 1:
                self.read_count += 1
                raise RuntimeError("bug")
            return super().read(timeout_s)

    items = [item for _, item in drain(Intake({"s": Broken([make.frame(0), END])}))]
    assert [getattr(item, "reason", None) for item in items] == [None, Reason.SOURCE_LOST, Reason.STREAM_ENDED]


def test_a_source_that_cannot_be_opened_again_is_tried_until_it_can(make, monkeypatch):
    monkeypatch.setattr("edge.pipeline.intake.BACKOFF_S", (0.01,))
    lost = SourceEvent("lost", Reason.SOURCE_LOST)
    source = ListSource([make.frame(0), lost, lost, make.frame(1), END], fails=[None, OSError("no such device")])
    kinds = [getattr(item, "kind", "frame") for _, item in drain(Intake({"s": source}))]
    assert kinds == ["frame", "lost", "lost", "frame", "ended"]
    assert source.opened == 3


def test_if_one_cannot_be_opened_none_stays_open(make):
    good, bad = ListSource([]), ListSource([], fails=[SourceError("gone")])
    with pytest.raises(SourceError, match="gone"):
        Intake({"good": good, "bad": bad})
    assert good.closed == 1
    assert not any(t.name.startswith("capture-") for t in threading.enumerate())


def test_close_ends_a_reader_that_waits_for_a_place(make):
    intake = Intake({"s": ListSource([make.frame(i) for i in range(50)])})
    intake.close()
    assert not any(t.name == "capture-s" for t in threading.enumerate())
