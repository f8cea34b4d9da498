"""Clips from which coded frames are missing: nothing predicted from them is given, and of sound clips everything."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest
from video_clips import read_all, write

from edge.sources.clip_parts import open_packets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.contracts.frames import Frame

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on PATH")
FRAMES = 50
PICTURE = f"testsrc2=size=160x128:rate=25:duration={FRAMES / 25}"
OPEN = "libx264 -x264opts open-gop=1:keyint=12 -pix_fmt yuv420p"
CLIPS = [
    ("a.mp4", "libx264 -bf 0 -pix_fmt yuv420p"),
    ("a.mkv", "libx264 -pix_fmt yuv420p"),
    ("a.avi", "libx264 -pix_fmt yuv420p"),
    ("a.ts", OPEN),
    ("a.mp4", OPEN),
    ("a.mp4", "libx265 -x265-params log-level=none -pix_fmt yuv420p"),
    ("a.mpg", "mpeg2video -bf 0"),
    ("a.ts", "mpeg2video -bf 2"),
    ("a.mpg", "mpeg1video -bf 2"),
    ("a.avi", "mpeg4"),
    ("a.mp4", "mpeg4 -bf 2"),
    ("a.webm", "libvpx -deadline realtime"),
    ("a.webm", "libvpx-vp9 -deadline realtime -cpu-used 8"),
    ("a.wmv", "wmv2"),
    ("a.mkv", "ffv1 -g 12"),
]
VARIABLE = {
    "every other, and more": r"select=not(mod(n\,3))+lt(random(1)\,0.4)",
    "jitter": "setpts=(N+0.3*random(1))/25/TB",
    "slower from the middle on": r"setpts=N*(1+0.5*gte(N\,25))/25/TB",
    "a pause of two seconds": r"setpts=(N+50*gte(N\,20))/25/TB",
}


def ffmpeg(*arguments: str) -> None:
    done = subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], capture_output=True, text=True, check=False)
    if "Unknown encoder" in done.stderr:
        pytest.skip(done.stderr.splitlines()[0])
    done.check_returncode()


def digests(frames: Sequence[Frame]) -> list[bytes]:
    return [hashlib.md5(frame.pixels.tobytes(), usedforsecurity=False).digest() for frame in frames]


@cache
def sound_clip(folder: Path, name: str, codec: str) -> tuple[Path, tuple[bytes, ...]]:
    """A clip, and the digests of its frames."""
    path = folder / f"{abs(hash(codec))}-{name}"
    ffmpeg("-f", "lavfi", "-i", PICTURE, "-c:v", *codec.split(), str(path))
    frames, events = read_all(path)
    assert (len(frames), events) == (FRAMES, [])
    return path, tuple(digests(frames))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), CLIPS)
@pytest.mark.parametrize("lost", ["eq(n,20)", "eq(n,33)", "between(n,10,12)", "between(n,22,26)", "eq(n,5)+eq(n,40)"])
def test_nothing_predicted_from_a_missing_frame_is_given(
    name: str, codec: str, lost: str, folder: Path, tmp_path: Path
) -> None:
    whole, known = sound_clip(folder, name, codec)
    path = tmp_path / name
    lost = lost.replace(",", r"\,")
    ffmpeg("-i", str(whole), "-c", "copy", "-bsf:v", f"noise=drop={lost}", str(path))
    frames, events = read_all(path)
    assert not set(digests(frames)) - set(known)
    assert frames, "those before the hole"
    assert len(frames) + len(events) <= FRAMES + 2
    assert {event.reason.value for event in events} <= {"decode_error"}


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [clip for clip in CLIPS if "x264" in clip[1] and clip[0] != "a.ts"])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_a_hole_of_zeros_in_a_slice_is_damage(name: str, codec: str, part: float, folder: Path, tmp_path: Path) -> None:
    """FFmpeg takes the zeros for the end of the slice, and often goes on without a word."""
    whole, known = sound_clip(folder, name, codec)
    data = bytearray(whole.read_bytes())
    at = round(len(data) * part)
    data[at : at + 200] = bytes(200)
    path = tmp_path / name
    path.write_bytes(data)
    frames, events = read_all(path)
    assert not set(digests(frames)) - set(known)
    assert frames
    assert events


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize("rate", VARIABLE)
@pytest.mark.parametrize(("name", "codec"), [clip for clip in CLIPS if clip[0] not in ("a.mpg", "a.ts")])
def test_a_variable_frame_rate_is_no_damage(rate: str, name: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / name
    times = ["-vf", VARIABLE[rate], "-vsync", "vfr"]
    ffmpeg("-f", "lavfi", "-i", PICTURE, *times, "-c:v", *codec.split(), str(path))
    frames, events = read_all(path)
    assert len(frames) > FRAMES // 3
    assert not [event.detail for event in events if "predicted" in event.detail]


@needs_ffmpeg
@pytest.mark.slow
@pytest.mark.parametrize(("name", "codec"), [clip for clip in CLIPS if clip[0] not in ("a.avi", "a.wmv")])
def test_trimmed_and_joined_clips_are_whole(name: str, codec: str, folder: Path, tmp_path: Path) -> None:
    """Without encoding anew: edit lists, open groups, frames left out at the end, numbers that begin again."""
    whole, _ = sound_clip(folder, name, codec)
    for begin in ("0", "0.5", "1.1"):
        path = tmp_path / name
        ffmpeg("-ss", begin, "-i", str(whole), "-t", "0.7", "-c", "copy", str(path))
        frames, events = read_all(path)
        assert frames
        assert not [event.detail for event in events if "predicted" in event.detail]
    (tmp_path / "list").write_text(f"file {whole}\n" * 3)
    ffmpeg("-f", "concat", "-safe", "0", "-i", str(tmp_path / "list"), "-c", "copy", str(tmp_path / name))
    frames, events = read_all(tmp_path / name)
    assert len(frames) >= 3 * FRAMES - 2
    assert not [event.detail for event in events if "predicted" in event.detail]


@pytest.mark.parametrize("lost", [5, 20, 33])
def test_a_stream_without_times(lost: int, tmp_path: Path) -> None:
    """Written with OpenCV, so that this is tried everywhere; coded packets, one behind the other."""
    whole = write(tmp_path / "a.mpg", frames=FRAMES, code="MPG1")
    capture = open_packets(whole)
    packets = []
    while capture.grab():
        packets.append(capture.retrieve()[1].tobytes())
    (tmp_path / "whole.mpg").write_bytes(b"".join(packets))
    frames, events = read_all(tmp_path / "whole.mpg")
    assert (len(frames), events) == (FRAMES, [])
    known = set(digests(frames))
    (tmp_path / "lost.mpg").write_bytes(b"".join(packets[:lost] + packets[lost + 1 :]))
    frames, events = read_all(tmp_path / "lost.mpg")
    assert set(digests(frames)) <= known
    assert any("missing" in event.detail for event in events)
    assert len(frames) + len(events) >= FRAMES - 1
