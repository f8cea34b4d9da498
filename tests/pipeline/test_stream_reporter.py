"""One stream's reports: its losses in the log, and the ends of its tracks where frames are skipped or none come."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import msgspec
import pytest

from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import MemoryFrameLink
from edge.config.settings import RuntimeSettings, Settings, StreamSettings
from edge.contracts.coverage import Coverage
from edge.contracts.finding import Finding, ModelRef, RuntimeRef
from edge.contracts.frames import SourceEvent
from edge.contracts.results import Reason
from edge.models.scripted_manifest import scripted_manifest
from edge.pipeline.coverage import SILENCE_NS
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.stream_reporter import StreamReporter


@pytest.mark.parametrize(
    ("kind", "words", "told"),
    [
        ("lost", "it refuses the connection", [1, 2, 4, 8, 16]),
        ("lost", "header of version {0}: this is no OpenIGTLink", [1, 2, 4, 8, 16]),
        ("lost", "its pictures come {0}.5 s late", [1, 2, 4, 8, 16]),
        ("skipped", "frame {0} cannot be decoded", list(range(1, 17))),
    ],
)
def test_the_same_loss_is_told_ever_more_seldom_whatever_its_numbers(kind, words, told, caplog):
    reporter = StreamReporter(StreamSettings(name="cart", source=""), Settings(), MagicMock(), MagicMock())
    lines = []
    for number in range(1, 17):
        caplog.clear()
        reporter.event(SourceEvent(kind, Reason.SOURCE_LOST, words.format(number)))
        lines += [number] * len(caplog.records)
    assert lines == told
    caplog.clear()
    reporter.event(SourceEvent(kind, Reason.SOURCE_LOST, "something else"))
    assert len(caplog.records) == 1


SECOND = 1_000_000_000
RUNTIME = RuntimeRef(name="scripted", delegate=None)


def reporter_of(frame_link, uri="tflite://"):
    stream = StreamSettings(name="s", source="replay://x")
    model = ModelRef(name="m", version="1", sha256="00")
    messages = Messages(EnvelopeMaker("device", "run").fields, Provenance(scripted_manifest(), model, False))
    return StreamReporter(stream, Settings(streams=[stream], runtime=RuntimeSettings(uri=uri)), messages, frame_link)


def show(stream, make, seqs, *, path=None, clip=0, rate=10):
    for seq in seqs:
        captured_ns = time.monotonic_ns() if path else seq * SECOND // rate
        frame = make.frame(seq, clip=clip, captured_ns=captured_ns)
        frame = replace(frame, media_ns=seq * SECOND // rate if path else None)
        frame = replace(frame, origin=replace(frame.origin, path=path, frame_index=seq))
        stream.result(frame, msgspec.structs.replace(make.finding(seq, captured_ns=captured_ns), runtime=RUNTIME))


def told(frame_link):
    return [(m.lifecycle, m.end_reason) for _, m in frame_link.stored if isinstance(m, Finding)]


def skipped(reason=Reason.DECODE_ERROR):
    return SourceEvent("skipped", reason, "damaged")


def test_a_lesion_is_told_though_a_frame_of_its_clip_is_damaged_now_and_then(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    for first in range(0, 40, 4):
        show(stream, make, range(first, first + 3))
        stream.event(skipped())
    stream.event(SourceEvent("ended", Reason.STREAM_ENDED))
    assert told(frame_link) == [("new", None), ("end", "stream_ended")]


def test_a_short_clip_that_is_cut_off_is_judged_by_what_there_was(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    show(stream, make, range(8), path="a.dcm")
    stream.event(skipped())
    show(stream, make, range(8), path="b.dcm", clip=1)
    stream.event(SourceEvent("ended", Reason.STREAM_ENDED))
    assert told(frame_link) == [("new", None), ("end", "clip_changed"), ("new", None), ("end", "stream_ended")]


def test_a_scan_that_froze_ends_its_lesion_for_no_frame_of_it_comes_any_more(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    show(stream, make, range(20))
    stream.event(skipped(Reason.FROZEN))
    assert told(frame_link) == [("new", None), ("end", "not_judged")]


def test_a_stream_that_is_silent_after_a_damaged_frame_ends_its_lesion(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    show(stream, make, range(20))
    stream.event(skipped())
    stream.check_silence(time.monotonic_ns())
    assert told(frame_link) == [("new", None)]
    stream.check_silence(time.monotonic_ns() + SILENCE_NS)
    stream.check_silence(time.monotonic_ns() + 2 * SILENCE_NS)
    assert told(frame_link) == [("new", None), ("end", "not_judged")]


def test_an_exam_begun_while_a_frame_is_skipped_ends_the_lesions_of_the_last(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    show(stream, make, range(20))
    before = stream.exam_id
    stream.begin_exam(time.monotonic_ns())
    stream.event(skipped())
    assert told(frame_link) == [("new", None), ("end", "not_judged")]
    assert {m.exam_id for _, m in frame_link.stored if isinstance(m, Finding)} == {before} != {stream.exam_id}


def test_frames_of_a_file_that_are_old_once_a_slow_runtime_has_judged_them_are_no_silence(make, monkeypatch):
    """A frame is decoded some frames ahead: where each takes 2 s to judge, it is 8 s old by then."""
    now_ns = 0
    monkeypatch.setattr("edge.pipeline.stream_reporter.time", SimpleNamespace(monotonic_ns=lambda: now_ns))
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    for seq in range(20):
        now_ns = 100 * SECOND + seq * 2 * SECOND
        frame = replace(make.frame(seq, captured_ns=now_ns - 8 * SECOND), media_ns=seq * SECOND // 10)
        frame = replace(frame, origin=replace(frame.origin, path="a.mp4", frame_index=seq))
        stream.result(frame, msgspec.structs.replace(make.finding(seq, captured_ns=frame.captured_ns), runtime=RUNTIME))
        stream.check_silence(now_ns)
    assert [kind for kind, _ in told(frame_link) if kind != "update"] == ["new"]
    assert Reason.NO_FRAMES not in [m.reason for _, m in frame_link.stored if isinstance(m, Coverage)]


def test_a_silence_ends_no_lesion_of_a_file_which_takes_as_long_as_it_needs(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link)
    show(stream, make, range(8), path="a.mp4")
    stream.check_silence(time.monotonic_ns() + SILENCE_NS)
    assert Reason.NO_FRAMES in [m.reason for _, m in frame_link.stored if isinstance(m, Coverage)]
    stream.event(SourceEvent("ended", Reason.STREAM_ENDED))
    assert told(frame_link) == [("new", None), ("end", "stream_ended")]


def test_no_update_or_end_is_told_of_a_lesion_whose_new_found_no_room(make):
    frame_link = MemoryFrameLink()
    stream = reporter_of(frame_link, "scripted://")
    show(stream, make, range(2))
    frame_link.full = True
    show(stream, make, [2], clip=1)  # the end of one is lost, and so is what begins with the same frame
    frame_link.full = False
    assert stream.reports()
    show(stream, make, [3], clip=1)
    stream.event(SourceEvent("ended", Reason.STREAM_ENDED))
    assert told(frame_link) == [("new", None), ("new", None), ("end", "stream_ended")]


def test_the_best_frames_of_a_stream_are_few_and_take_little_memory(make, monkeypatch):
    stream = reporter_of(MemoryFrameLink(), "scripted://")
    lesions = [make.lesion(40 * k) for k in range(12)]
    for seq in range(12):  # each frame shows one lesion better than any other frame does
        shown = [msgspec.structs.replace(one, score=0.9 if k == seq else 0.7) for k, one in enumerate(lesions)]
        stream.result(make.frame(seq), msgspec.structs.replace(make.finding(seq, *shown), runtime=RUNTIME))
    kept = [seq for seq in range(12) if stream.best_frame(seq) is not None]
    assert kept == list(range(4, 12))
    monkeypatch.setattr("edge.pipeline.stream_reporter.MAX_BEST_BYTES", 2 * make.frame(0).pixels.nbytes)
    stream.result(make.frame(12), msgspec.structs.replace(make.finding(12, *lesions[:1]), runtime=RUNTIME))
    assert [seq for seq in range(13) if stream.best_frame(seq) is not None] == [10, 11]
