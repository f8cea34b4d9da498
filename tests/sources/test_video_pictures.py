"""Frames that OpenCV says it has, and has not: interlaced, damaged, of another size. And frames to be hidden."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from video_clips import jpegs, mpeg_2, number_of, picture, read_all, show_from_to, source, write

from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame
from edge.sources import clip_decoder, clip_parts, interlaced_probe, packet_watch
from edge.sources.ffmpeg_log import ffmpeg_log
from edge.sources.interlaced_probe import probe_interlaced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.frames import SourceEvent

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")


def ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def greys(frames: Sequence[Frame]) -> list[int]:
    return [round(float(frame.pixels.mean())) for frame in frames]


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- interlaced


def test_interlaced_frames_are_pictures_or_refused_one_by_one(tmp_path: Path) -> None:
    """OpenCV 4.14 and 5.0 return True for the frames 1 and 2, and frame 0 once more."""
    frames, events = read_all(put(tmp_path / "a.mpg", mpeg_2(200, 64, 64, 200, interlaced={1, 2})))
    if probe_interlaced() == "converted":
        assert (greys(frames), events) == ([200, 64, 64, 200], [])
        return
    assert greys(frames) == [200, 200]
    assert [frame.origin.frame_index for frame in frames] == [0, 3]
    assert [event.reason.value for event in events] == ["decode_error"] * 2
    assert all("interlaced" in event.detail and "yadif" in event.detail for event in events)


def test_a_clip_all_interlaced_gives_nothing_of_what_lay_in_memory(tmp_path: Path) -> None:
    frames, events = read_all(put(tmp_path / "a.mpg", mpeg_2(200, 64, 200, interlaced={0, 1, 2})))
    assert greys(frames) in ([], [200, 64, 200])
    assert len(frames) + len(events) == 3


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mpg", "-c:v mpeg2video -flags +ildct+ilme"),
        ("bottom.ts", "-c:v mpeg2video -flags +ildct+ilme -top 0"),
        ("a.mp4", "-c:v libx264 -x264opts tff=1 -pix_fmt yuv420p"),
        ("a.mkv", "-c:v libx264 -x264opts bff=1 -pix_fmt yuv420p"),
        ("a.mov", "-c:v prores_ks -flags +ildct"),
        ("a.avi", "-c:v dvvideo -s 720x576 -r 25 -pix_fmt yuv420p"),
    ],
)
def test_interlaced_codecs(name: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / name
    ffmpeg("-f", "lavfi", "-i", "color=c=0xC8C8C8:s=240x256:r=25:d=0.2", *codec.split(), str(path))
    frames, events = read_all(path)
    assert len(frames) + len(events) == 5
    assert all(abs(grey - 200) < 5 for grey in greys(frames))
    assert bool(events) == (probe_interlaced() == "refused")


def test_an_opencv_that_does_not_tell_gives_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.mpg", mpeg_2(200))
    monkeypatch.setattr(interlaced_probe, "probe_interlaced", lambda: "blind")
    with pytest.raises(SourceError, match="does not tell"):
        source(path).open()


def test_ffmpeg_used_before_is_noticed(tmp_path: Path) -> None:
    """OpenCV reads its log level once: then nothing is told, whatever is said later."""
    path = put(tmp_path / "a.mpg", mpeg_2(200, 64))
    code = (
        f"import cv2; cv2.VideoCapture({str(path)!r}, cv2.CAP_FFMPEG).read()\n"
        "from edge.sources.interlaced_probe import probe_interlaced; print(probe_interlaced())"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENCV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert done.stdout.split() == ["blind"]


# --- damage


def test_damaged_frames_are_refused_and_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """FFmpeg fills in what it cannot decode, and OpenCV returns True."""
    clip = mpeg_2(*[200] * 4, *[64] * 30, damaged={2})
    frames, events = read_all(put(tmp_path / "a.mpg", clip))
    assert all("damaged" in event.detail for event in events)
    given = [frame.origin.frame_index for frame in frames]
    assert len(given) + len(events) == 34
    assert given[0] == 0
    assert 2 not in given
    assert given[-20:] == list(range(14, 34)), "intra frames are well again, once no damaged one can be among them"
    assert capfd.readouterr() == ("", "")


def test_no_frame_predicted_from_a_damaged_one_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mpg", frames=200, code="MPG1")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 40):
        data[at] ^= 0x55
    frames, events = read_all(put(path, bytes(data)))
    assert events
    assert 100 < len(frames) < 200
    numbers = [number_of(frame.pixels) for frame in frames]
    assert numbers == sorted(set(numbers))
    for number, frame in zip(numbers, frames, strict=True):
        assert np.abs(frame.pixels.astype(int) - picture(number)).mean() < 4, "as well coded as all others"


def test_a_still_picture_is_no_failure(tmp_path: Path) -> None:
    """A frozen image is the same frame again and again; it is told from a failure by FFmpeg's log."""
    frames, events = read_all(put(tmp_path / "a.mpg", mpeg_2(*[200] * 12)))
    assert (greys(frames), events) == ([200] * 12, [])


def test_two_clips_at_once_keep_their_damage_to_themselves(tmp_path: Path) -> None:
    sound = put(tmp_path / "sound.mpg", mpeg_2(*[64] * 200))
    broken = put(tmp_path / "broken.mpg", mpeg_2(*[200] * 200, damaged=set(range(0, 200, 3))))
    opened = [source(sound), source(broken)]
    for each in opened:
        each.open()
    got: list[list[Frame | SourceEvent | None]] = [[], []]

    def drain(index: int) -> None:
        while (item := opened[index].read(1.0)) is not None:
            if not isinstance(item, Frame) and item.kind == "ended":
                return
            got[index].append(item)

    threads = [threading.Thread(target=drain, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60.0)
    for each in opened:
        each.close()
    assert [isinstance(item, Frame) for item in got[0]] == [True] * 200
    assert not any(isinstance(item, Frame) for item in got[1][1:])


def test_a_decoder_that_hangs_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_decoder, "PATIENCE_S", 0.01)
    entered, leave = threading.Event(), threading.Event()

    def hang() -> None:
        with clip_decoder._turns.take():
            entered.set()
            leave.wait(60.0)

    thread = threading.Thread(target=hang)
    thread.start()
    assert entered.wait(10.0)
    frames, events = read_all(put(tmp_path / "a.mpg", mpeg_2(*[200] * 5)))
    leave.set()
    thread.join(10.0)
    assert (greys(frames), events) == ([200] * 5, [])


def test_read_lines_of_the_log_do_not_stay_in_memory() -> None:
    """Written as FFmpeg's are, whose own are too few."""
    log = ffmpeg_log()
    assert log.installed
    log.update()
    before = log._read
    printf = ctypes.CDLL(None).printf
    for _ in range(3000):
        printf(b"[OPENCV:FFMPEG:32] %s\n", b"x" * 1000)
    log.update()
    assert log._read - before > 3_000_000
    assert log._freed == log._read


# --- changes of format


def test_a_change_of_size_is_a_new_clip_in_its_own_size(tmp_path: Path) -> None:
    sizes = [(64, 48)] * 5 + [(96, 32)] * 4 + [(64, 48)] * 3
    frames, events = read_all(put(tmp_path / "a.avi", jpegs(*sizes)))
    assert events == []
    assert [frame.pixels.shape[:2] for frame in frames] == [(height, width) for width, height in sizes]
    assert [frame.origin.clip for frame in frames] == [0] * 5 + [1] * 4 + [2] * 3
    assert [frame.origin.frame_index for frame in frames] == list(range(12))
    assert [frame.media_ns for frame in frames if frame.origin.clip == 1] == [0, 40_000_000, 80_000_000, 120_000_000]
    assert all(abs(grey - 90) <= 2 for grey in greys(frames))


def test_frames_before_a_late_change_are_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packet_watch, "AHEAD", 8)
    frames, events = read_all(put(tmp_path / "a.avi", jpegs(*[(64, 48)] * 40, *[(48, 64)] * 20)))
    assert events == []
    assert [frame.origin.frame_index for frame in frames] == list(range(60))
    assert [frame.pixels.shape[0] for frame in frames] == [48] * 40 + [64] * 20
    times = [frame.media_ns or 0 for frame in frames[:40]]
    assert times == sorted(set(times))


def test_a_change_of_chroma_sampling_is_a_new_clip(tmp_path: Path) -> None:
    """OpenCV 4.11 to 5.0 convert such frames with the first one's layout, and read beyond their end."""
    red = np.zeros((48, 64, 3), np.uint8)
    red[..., 2] = 220
    stream = b"".join(
        cv2.imencode(".jpg", red, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling])[1].tobytes()
        for sampling in [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422] * 4 + [cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420] * 4
    )
    frames, events = read_all(put(tmp_path / "a.avi", stream))
    assert events == []
    assert [frame.origin.clip for frame in frames] == [0] * 4 + [1] * 4
    for frame in frames:
        assert np.abs(frame.pixels.mean(axis=(0, 1)) - [220, 0, 0]).max() < 4


def test_parts_too_large_or_too_many_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_parts, "MAX_PARTS", 2)
    frames, (event,) = read_all(put(tmp_path / "a.avi", jpegs((64, 48), (48, 64), (64, 48), (48, 64))))
    assert len(frames) <= 2
    assert "left out" in event.detail


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec", "split"),
    [
        ("a.ts", "libx264", True),
        ("a.mkv", "libx264", True),
        ("a.mp4", "libx264", True),
        ("a.ts", "mpeg2video", True),
        ("a.mpg", "mpeg1video", True),
        ("a.ts", "libx265", True),
        ("a.webm", "libvpx", False),
        ("a.webm", "libvpx-vp9", False),
    ],
)
def test_clips_of_two_sizes_put_together(name: str, codec: str, split: bool, tmp_path: Path) -> None:
    for size in ("240x256", "320x192"):
        ffmpeg(
            *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration=0.4", "-c:v", codec),
            *("-pix_fmt", "yuv420p", str(tmp_path / f"{size}-{name}")),
        )
    (tmp_path / "list").write_text(f"file 240x256-{name}\nfile 320x192-{name}\n")
    path = tmp_path / "both" / name
    path.parent.mkdir()
    ffmpeg("-f", "concat", "-i", str(tmp_path / "list"), "-c", "copy", str(path))
    frames, events = read_all(path)
    shapes = [frame.pixels.shape[:2] for frame in frames]
    if not split:
        assert set(shapes) <= {(256, 240)}
        (event,) = events
        assert "size of the picture changes" in event.detail
        return
    assert set(shapes) == {(256, 240), (192, 320)}
    assert shapes.count((192, 320)) == 10
    assert shapes.count((256, 240)) + len(events) == 10


# --- what is to be hidden, and what is missing


def test_frames_hidden_by_an_edit_list_are_not_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", frames=40, code="mp4v")
    put(path, show_from_to(path.read_bytes(), 12 / 25, 15 / 25))
    frames, events = read_all(path)
    assert events == []
    assert [number_of(frame.pixels) for frame in frames] == list(range(12, 27))


def test_a_trimmed_clip_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", frames=40, code="mp4v")
    data = show_from_to(path.read_bytes(), 4 / 25, 34 / 25)
    mdat = data.index(b"mdat")
    moov = data.index(b"moov")
    half = bytes(len(data[mdat + 4 + (moov - mdat) // 2 : moov - 4]))
    data = data[: mdat + 4 + (moov - mdat) // 2] + half + data[moov - 4 :]
    frames, events = read_all(put(path, data))
    assert 4 < len(frames) < 30
    assert events
    assert [number_of(frame.pixels) for frame in frames] == [4 + frame.origin.frame_index for frame in frames]


@needs_ffmpeg
def test_frames_lost_before_the_first_key_frame_are_told(tmp_path: Path) -> None:
    whole = tmp_path / "whole.ts"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=size=240x256:rate=25:duration=2", "-c:v", "libx264"),
        *("-x264opts", "keyint=20:min-keyint=20:scenecut=0", "-pix_fmt", "yuv420p", str(whole)),
    )
    data = whole.read_bytes()
    frames, events = read_all(put(tmp_path / "a.ts", data[len(data) // 188 // 10 * 188 :]))
    assert len(frames) == 30
    assert ["before its first key frame" in event.detail for event in events] == [True]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("codec", "shape"),
    [
        ("-c:v libx264 -pix_fmt yuv420p10le", (256, 240)),
        ("-c:v libx264 -pix_fmt yuv422p", (256, 240)),
        ("-c:v libx264 -pix_fmt yuv444p", (256, 240)),
        ("-c:v libx264 -pix_fmt gray", (256, 240)),
        ("-c:v libx264 -pix_fmt yuv420p -vf setsar=2/1", (256, 240)),
        ("-c:v ffv1 -pix_fmt gray16le", (256, 240)),
    ],
)
def test_other_pixel_formats_are_decoded_as_they_are_stored(codec: str, shape: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=c=0x505050:s=240x256:r=25:d=0.2", *codec.split(), str(path))
    frames, events = read_all(path)
    assert events == []
    assert [frame.pixels.shape for frame in frames] == [(*shape, 3)] * 5
    assert all(abs(grey - 80) <= 2 for grey in greys(frames))


@pytest.fixture
def cases_dir() -> Path:
    """The folder of inputs that went wrong once; tests that need it skip, and say so, where it is absent."""
    place = Path(os.environ.get("SONOEDGE_CASES") or Path(__file__).parents[3] / "shared" / "cases")
    if not (place / "vid").is_dir():
        pytest.skip("cases not found: set SONOEDGE_CASES to the folder that holds vid/")
    return place


@pytest.mark.data
@pytest.mark.parametrize(("name", "count"), [("inter.mpg", 12), ("inter264.mp4", 12), ("dv.avi", 2)])
def test_known_interlaced_clips(name: str, count: int, cases_dir: Path) -> None:
    frames, events = read_all(cases_dir / "vid" / name)
    assert len(frames) + len(events) == count
    assert all(frame.pixels.mean() == pytest.approx(58.7, abs=0.3) for frame in frames)


@pytest.mark.data
def test_known_clip_of_two_sizes(cases_dir: Path) -> None:
    frames, events = read_all(cases_dir / "vid" / "resize.ts")
    assert events == []
    assert [frame.pixels.shape[:2] for frame in frames] == [(256, 240)] * 4 + [(192, 320)] * 4
    assert {frame.origin.clip for frame in frames} == {0, 1}


@pytest.mark.data
def test_known_trimmed_clip(cases_dir: Path) -> None:
    frames, events = read_all(cases_dir / "vid" / "editlist.mp4")
    assert (len(frames), events) == (8, [])
