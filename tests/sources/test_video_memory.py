"""Estimate of the memory that decoding a video takes, and clips that are refused by it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import cv2
import pytest

from edge.contracts.errors import SourceError
from edge.sources.clip_decoder import open_capture
from edge.sources.video_memory import (
    affordable_threads,
    max_references,
    pixel_bytes,
    told_references,
    video_memory,
)

if TYPE_CHECKING:
    from pathlib import Path

HD, UHD, LARGEST = 1920 * 1080, 3840 * 2160, 4096 * 3072


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"I420", 1.5),
        (b"444P", 3),
        (b"Y3\x0b\x0a", 3),
        (b"\x0a\x0b3Y", 3),
        (b"Y3\x0a\x0a", 4),
        (b"G3\x00\x10", 6),
        (b"G4\x00\x10", 8),
        (b"Y4\x0b\x08", 2.5),
        (b"Y1\x00\x0a", 2),
        (b"Y2\x00\x10", 4),
        (b"????", 8),
        (b"\0\0\0\0", 8),
    ],
)
def test_bytes_a_pixel(code: bytes, expected: float) -> None:
    assert pixel_bytes(code) == expected


@pytest.mark.parametrize(
    ("pixels", "pixel", "codec", "references"),
    [
        (HD, 1.5, "h264", 16),
        (HD, 3, "h264", 16),
        (HD, 6, "hevc", 7),
        (HD, 8, "ffv1", 0),
        (HD, 8, "????", 2),
        (HD, 3, "av01", 9),
        (UHD, 1.5, "av01", 9),
        (UHD, 1.5, "vp90", 9),
        (LARGEST, 1.5, "mpg2", 2),
        (UHD, 1.5, "h264", 9),
        (UHD, 1.5, "hevc", 7),
        (UHD, 2, "mjpg", 0),
        (LARGEST, 1.5, "mjpg", 0),
    ],
)
def test_usual_clips_are_read(pixels: int, pixel: float, codec: str, references: int) -> None:
    assert affordable_threads(pixels, pixel, codec, references, 16) >= 1


@pytest.mark.parametrize(
    ("pixels", "pixel", "codec", "references"),
    [(LARGEST, 3, "h264", 16), (LARGEST, 6, "ffv1", 0), (UHD, 1.5, "h264", 16), (UHD, 8, "????", 2)],
)
def test_what_takes_more_than_the_limit_is_refused(pixels: int, pixel: float, codec: str, references: int) -> None:
    assert affordable_threads(pixels, pixel, codec, references, 16) == 0


def test_threads_take_memory_too() -> None:
    assert video_memory(UHD, 1.5, "h264", 3, 16) > video_memory(UHD, 1.5, "h264", 3, 2)
    assert 1 <= affordable_threads(UHD, 1.5, "h264", 3, 16) < 16


def test_parameter_sets_that_are_not_there_or_broken_tell_the_most() -> None:
    assert told_references("h264", b"") == 16
    assert told_references("hevc", b"\0\0\1\x42\1\1") == 16
    assert told_references("h264", b"\0\0\1\x67\x64") == 16
    assert max_references("ffv1") == 0


def encode(path: Path, *options: str) -> Path:
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not on PATH")
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=gray:s=320x240:r=10", "-frames:v", "3"]
    done = subprocess.run([*command, *options, path], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this ffmpeg cannot encode it: {done.stderr[-200:]}")
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("-c:v", "libx264", "-refs", "16"), 16),
        (("-c:v", "libx264", "-refs", "2", "-bf", "0"), 2),
        (("-c:v", "libx265", "-x265-params", "ref=5:bframes=0:log-level=error"), 6),
    ],
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_reference_frames_told_by_a_real_clip(
    options: tuple[str, ...], expected: int, name: str, tmp_path: Path
) -> None:
    clip = encode(tmp_path / name, *options)
    packets = cv2.VideoCapture(os.fspath(clip), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    packet = packets.read()[1].tobytes()
    packets.release()
    assert told_references("hevc" if "libx265" in options else "h264", packet) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("a.mp4", ("-c:v", "libx264", "-preset", "ultrafast", "-refs", "16", "-pix_fmt", "yuv444p"), "16 reference"),
        ("a.mkv", ("-c:v", "ffv1", "-pix_fmt", "gbrp16le"), "6 bytes a pixel"),
    ],
)
def test_a_clip_that_would_take_too_much_is_refused_by_name(
    name: str, options: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    clip = encode(tmp_path / name, *options, "-vf", "scale=4096:3072")
    with pytest.raises(SourceError, match=told) as caught:
        open_capture(clip)
    assert caught.value.reason == "too_large"


@pytest.mark.slow
@pytest.mark.parametrize("options", [("-c:v", "libx264", "-preset", "fast"), ("-c:v", "mjpeg")])
def test_an_8_bit_clip_of_3840_by_2160_is_read(options: tuple[str, ...], tmp_path: Path) -> None:
    clip = encode(tmp_path / "a.mp4", *options, "-vf", "scale=3840:2160", "-pix_fmt", "yuvj420p")
    capture = open_capture(clip, 4)
    assert capture.read()[0]
    capture.release()
