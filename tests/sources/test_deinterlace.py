"""Interlaced pictures: one field is kept, whatever the number of lines and colours."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest

from edge.sources.live.deinterlace import one_field


@pytest.mark.parametrize("shape", [(480, 640), (481, 640), (480, 640, 3), (1, 4), (2, 3, 3)])
def test_the_lines_of_the_second_field_leave_no_trace(shape):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    other = pixels.copy()
    other[1::2] = rng.integers(0, 256, other[1::2].shape, dtype=np.uint8)
    whole = one_field(pixels)
    assert np.array_equal(whole, one_field(other))
    assert np.array_equal(whole[::2], pixels[::2])
    assert whole.shape == pixels.shape


def test_a_picture_without_movement_stays_nearly_the_same():
    slope = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None], 50, axis=1)
    assert np.abs(one_field(slope).astype(int) - slope)[:-1].max() <= 1


@pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV (extra live)")
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_an_interlaced_network_stream_is_deinterlaced(tmp_path):
    import av

    from edge.sources.live.pyav_reader import _pixels

    woven = np.full((8, 120, 160), 60, np.uint8)
    for number, picture in enumerate(woven):
        picture[::2, 40 + 6 * number : 70 + 6 * number] = 220
        picture[1::2, 43 + 6 * number : 73 + 6 * number] = 220
    clip = tmp_path / "woven.ts"
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", "160x120", "-r", "25", "-i", "pipe:0"]
    coded = ["-c:v", "libx264", "-flags", "+ilme+ildct", "-x264opts", "tff=1", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-nostdin", "-v", "error", *raw, *coded, str(clip)]
    subprocess.run(command, input=woven.tobytes(), check=True, timeout=60)
    with av.open(str(clip)) as container:
        frames = list(container.decode(video=0))
    assert all(frame.interlaced_frame for frame in frames)
    for frame in frames:
        as_sent = frame.to_ndarray(format="gray").astype(int)
        assert np.abs(as_sent[2::2] - as_sent[1:-1:2]).mean() > 2
        kept = _pixels(frame)[:, :, 1].astype(int)
        assert np.abs(kept[2::2] - kept[1:-1:2]).mean() < 1
