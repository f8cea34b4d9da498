"""Clips: every frame once, at its time, and what a broken or short file says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video_clips import FRAMES, number_of, read_all, source, write

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame
from edge.images import limits
from edge.sources.video import VideoSource

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("name", "code"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "mp4v"), ("a.mpg", "MPG1")])
def test_every_frame_once_at_its_time(name: str, code: str, tmp_path: Path) -> None:
    frames, events = read_all(write(tmp_path / name, code=code))
    assert events == []
    assert [number_of(frame.pixels) for frame in frames] == list(range(FRAMES))
    assert [frame.origin.frame_index for frame in frames] == list(range(FRAMES))
    assert {(frame.origin.clip, frame.origin.path) for frame in frames} == {(0, str(tmp_path / name))}
    times = [frame.media_ns or 0 for frame in frames]
    assert times[0] == 0
    steps = np.diff(times)
    assert (steps > 0).all()
    assert times[-1] == pytest.approx((FRAMES - 1) * 40e6, rel=0.06)


def test_pixels_are_rgb(tmp_path: Path) -> None:
    (frame, *_), _ = read_all(write(tmp_path / "a.avi"))
    assert frame.pixels.shape == (48, 64, 3)
    assert frame.pixels.dtype == np.uint8
    red, green, blue = frame.pixels[30:44].reshape(-1, 3).mean(axis=0)
    assert red > 180
    assert max(green, blue) < 20


def test_each_clip_of_a_folder_is_a_clip(tmp_path: Path) -> None:
    write(tmp_path / "b10.avi", first=40)
    write(tmp_path / "b2.avi", first=20)
    (tmp_path / "b3.avi").write_bytes(b"no video")
    (tmp_path / "notes.txt").write_text("no clip")
    frames, events = read_all(tmp_path)
    assert [number_of(frame.pixels) for frame in frames] == [*range(20, 40), *range(40, 60)]
    assert [frame.seq for frame in frames] == list(range(40))
    assert sorted({frame.origin.clip for frame in frames}) == [0, 2]
    (event,) = events
    assert (event.kind, event.reason.value, event.path) == ("skipped", "decode_error", str(tmp_path / "b3.avi"))


@pytest.mark.parametrize("data", [b"", b"no video", b"\x00\x00\x00\x18ftypmp42" + bytes(500)])
def test_a_file_that_is_no_video_is_said_when_it_is_opened(
    data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.mp4") as caught:
        source(path).open()
    assert caught.value.exit_code == 5
    assert caught.value.hint
    assert capfd.readouterr() == ("", "")


def test_a_clip_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", frames=60)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    frames, (event,) = read_all(path)
    assert 20 <= len(frames) <= 40
    assert [number_of(frame.pixels) for frame in frames] == list(range(len(frames)))
    assert (event.kind, event.reason.value) == ("skipped", "decode_error")
    assert f"cut short: {len(frames)} of about 6" in event.detail


def test_a_clip_of_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PICTURE_PIXELS", 64 * 48 - 1)
    with pytest.raises(SourceError) as caught:
        source(write(tmp_path / "a.avi")).open()
    assert caught.value.reason == "too_large"


def test_a_name_that_looks_like_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.avi").rename(tmp_path / "http:a %03d.avi")
    monkeypatch.chdir(tmp_path)
    opened = VideoSource(parse_uri("video://http:a %2503d.avi"), StreamSettings(name="x", source="video://"))
    opened.open()
    frame = opened.read(1.0)
    assert isinstance(frame, Frame)
    assert frame.origin.path == "http:a %03d.avi"


@pytest.mark.parametrize("query", ["?pace=fast", "?pace=", "?speed=2"])
def test_wrong_parameters(query: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        source(tmp_path, query)


# --- real time -------------------------------------------------------------------------------------------------------


def test_real_time_is_live_and_gives_frames_when_they_are_due(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", frames=8, fps=50.0)
    assert source(path).live is False
    assert source(path, "?pace=max").live is False
    assert source(path, "?pace=realtime").live is True
    frames, events = read_all(path, "?pace=realtime")
    assert events == []
    assert [number_of(frame.pixels) for frame in frames] == list(range(8)), "every frame, even so"
    for frame in frames:
        early = (frame.media_ns or 0) - (frame.captured_ns - frames[0].captured_ns)
        assert early < 2e6, "no frame comes before its time"


def test_real_time_returns_when_nothing_is_due(tmp_path: Path) -> None:
    opened = source(write(tmp_path / "a.avi", fps=1.0), "?pace=realtime")
    opened.open()
    first = opened.read(1.0)
    assert isinstance(first, Frame)
    assert [opened.read(0.0), opened.read(0.01)] == [None, None]
    opened.close()
    assert opened.read(5.0) is None


def test_closing_wakes_a_read_that_waits(tmp_path: Path) -> None:
    opened = source(write(tmp_path / "a.avi", fps=0.02), "?pace=realtime")
    opened.open()
    assert isinstance(opened.read(1.0), Frame)
    got: list[Any] = []
    reader = threading.Thread(target=lambda: got.append(opened.read(60.0)), daemon=True)
    reader.start()
    time.sleep(0.05)
    opened.close()
    reader.join(timeout=30.0)
    assert got == [None]


# --- garbage and real clips ------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keep=st.floats(0, 1), changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5))
def test_broken_clips_never_raise_out_of_read(keep: float, changes: list[tuple[float, int]], tmp_path: Path) -> None:
    whole = tmp_path / "whole.avi"
    if not whole.exists():
        write(whole, frames=5)
    data = bytearray(whole.read_bytes())
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    folder = tmp_path / "broken"
    folder.mkdir(exist_ok=True)
    (folder / "a.avi").write_bytes(data[: int(keep * len(data))])
    frames, events = read_all(folder)
    assert len(frames) <= 6
    assert frames or events


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count", "last_s"),
    [
        ("Pneu_prospective_file3.mp4", 151, 6.00),
        ("Reg_pat2Image_133824.mpeg", 273, 10.88),
        ("clarius-ocular-short.mp4", 50, 1.96),
    ],
)
def test_real_clips(name: str, count: int, last_s: float, data_dir: Path) -> None:
    """Counted and timed with ffprobe."""
    frames, events = read_all(data_dir / "clips" / name)
    assert events == []
    assert len(frames) == count
    times = [frame.media_ns or 0 for frame in frames]
    assert times == sorted(set(times))
    assert times[-1] / 1e9 == pytest.approx(last_s, abs=0.05)
    assert all(frame.pixels.std() > 5 for frame in frames[::50])


def test_a_clip_with_a_hole_says_so(tmp_path: Path) -> None:
    """A program stream tells its length by its last time: that of one with a hole is right."""
    path = write(tmp_path / "a.mpg", frames=150, code="MPG1")
    data = bytearray(path.read_bytes())
    begin, end = len(data) // 3, len(data) * 2 // 3
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)
    frames, (*damaged, event) = read_all(path)
    assert 60 <= len(frames) <= 130
    assert (event.kind, event.reason.value) == ("skipped", "decode_error")
    assert f"missing in the middle: {len(frames) + len(damaged)} of about 1" in event.detail
    assert all("predicted from a" in each.detail for each in damaged), "from what fell into the hole"


@pytest.mark.parametrize("lost", [1, 500])
def test_a_program_stream_cut_within_a_packet_says_so(lost: int, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mpg", frames=60, code="MPG1")
    path.write_bytes(path.read_bytes()[:-lost])
    frames, (event,) = read_all(path)
    assert len(frames) > 50
    assert event.reason.value == "decode_error"
    assert "cut short" in event.detail
