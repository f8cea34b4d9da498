"""The phantom as a source: its frames, their times, when it ends, and parameters that make no phantom."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.ports import Source
from edge.contracts.results import Reason
from edge.phantom.scene import PhantomScene, PhantomSpec
from edge.sources.phantom import PhantomSource


def source(query: str) -> PhantomSource:
    text = f"phantom://?width=160&height=120&{query}"
    return PhantomSource(parse_uri(text), StreamSettings(name="cart-1", source=text))


def test_a_phantom_of_some_frames_gives_them_and_ends() -> None:
    phantom = source("seed=3&frames=5&fps=20")
    assert isinstance(phantom, Source)
    assert not phantom.live
    phantom.open()
    frames = [phantom.read(1.0) for _ in range(5)]
    assert all(isinstance(frame, Frame) for frame in frames)
    assert [frame.seq for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.media_ns for frame in frames] == [0, 50_000_000, 100_000_000, 150_000_000, 200_000_000]
    assert {frame.stream for frame in frames} == {"cart-1"}
    first = frames[0]
    assert first.origin.body_part == "BREAST"
    assert "phantom" in first.origin.equipment.model
    (region,) = first.regions
    assert region.calibrated
    assert region.source == "phantom"
    expected = PhantomScene(PhantomSpec(seed=3, width=160, height=120))
    np.testing.assert_array_equal(frames[4].pixels, expected.pixels(4))
    for _ in range(2):
        event = phantom.read(1.0)
        assert isinstance(event, SourceEvent)
        assert (event.kind, event.reason) == ("ended", Reason.STREAM_ENDED)
    phantom.close()
    phantom.close()


def test_an_endless_phantom_is_live_and_keeps_time() -> None:
    phantom = source("fps=50")
    assert phantom.live
    phantom.open()
    first = phantom.read(1.0)
    frames = [phantom.read(1.0) for _ in range(4)]
    phantom.close()
    assert [frame.seq for frame in frames] == [1, 2, 3, 4]
    assert first.media_ns is None
    for frame in frames:  # never before it is due
        due = first.captured_ns + (frame.origin.frame_index - first.origin.frame_index) * 20_000_000
        assert frame.captured_ns >= due - 20_000_000


def test_a_live_phantom_that_was_not_looked_at_moves_on() -> None:
    phantom = source("fps=200")
    phantom.open()
    phantom.read(1.0)
    time.sleep(0.1)
    late = phantom.read(1.0)
    phantom.close()
    assert late.seq == 1
    assert late.origin.frame_index >= 10


def test_a_paced_phantom_that_ends_loses_no_frame() -> None:
    phantom = source("fps=500&frames=20&pace=realtime")
    assert not phantom.live
    phantom.open()
    time.sleep(0.1)
    seen = [phantom.read(1.0).origin.frame_index for _ in range(20)]
    assert seen == list(range(20))


def test_nothing_is_due_within_the_time_out() -> None:
    phantom = source("fps=0.01")
    phantom.open()
    assert isinstance(phantom.read(1.0), Frame)
    assert phantom.read(0.01) is None
    assert phantom.read(0.0) is None
    phantom.close()


def test_a_close_wakes_a_read_that_waits() -> None:
    phantom = source("fps=0.001")
    phantom.open()
    phantom.read(1.0)
    got: list[object] = []
    reader = threading.Thread(target=lambda: got.append(phantom.read(60.0)))
    reader.start()
    time.sleep(0.05)
    phantom.close()
    reader.join(timeout=10.0)
    assert not reader.is_alive()
    assert got == [None]


def test_pace_and_frames_decide_what_is_live() -> None:
    assert not source("pace=max").live
    assert source("pace=realtime").live
    assert not source("pace=realtime&frames=3").live


def test_the_body_part_is_said_as_dicom_does() -> None:
    for query, said in (("body_part=heart", "HEART"), ("body_part=", None)):
        phantom = source(f"frames=1&{query}")
        phantom.open()
        assert phantom.read(1.0).origin.body_part == said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("seed=x", "seed='x'"),
        ("seed=-3", "seed of 0 or more"),
        ("lesions=99", "0 to 6 lesions"),
        ("geometry=cube", "linear or sector"),
        ("width=4", "width of 96"),
        ("frames=-1", "frames='-1'"),
        ("fps=0", "fps='0'"),
        ("fps=nan", "fps='nan'"),
        ("pace=slow", "pace='slow'"),
        ("colour=red", "'colour'"),
    ],
)
def test_parameters_that_make_no_phantom_are_refused(query: str, said: str) -> None:
    text = f"phantom://?{query}"
    with pytest.raises(UsageError, match=said) as caught:
        PhantomSource(parse_uri(text), StreamSettings(name="cart-1", source=text))
    assert caught.value.hint


def test_a_forgotten_question_mark_is_noticed() -> None:
    with pytest.raises(UsageError, match="seed=1") as caught:
        PhantomSource(parse_uri("phantom://seed=1"), StreamSettings(name="cart-1", source="phantom://seed=1"))
    assert "phantom://?seed=1" in caught.value.hint
