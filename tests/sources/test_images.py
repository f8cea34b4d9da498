"""Pictures as they were stored: grey and colour, 16 bits, transparency, EXIF orientation, pages of a TIFF."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_files import encode, images_source, only, png, read_all, smooth_rgb

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.frames import Frame
from edge.sources.images import ImagesSource, to_8_bits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    return smooth_rgb()


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_colour_and_grey_come_as_they_are(suffix: str, rgb: Any, tmp_path: Path) -> None:
    path = tmp_path / f"colour{suffix}"
    path.write_bytes(encode(suffix.lower(), rgb[:, :, ::-1]))
    frame = only(path)
    np.testing.assert_array_equal(frame.pixels, rgb)
    assert frame.pixels.flags.c_contiguous
    path.write_bytes(encode(suffix.lower(), rgb[:, :, 0]))
    np.testing.assert_array_equal(only(path).pixels, rgb[:, :, 0])


def test_jpeg(rgb: Any, tmp_path: Path) -> None:
    for image, suffix in ((rgb, ".jpg"), (rgb[:, :, 0], ".jpeg")):
        path = tmp_path / f"picture{suffix}"
        path.write_bytes(encode(".jpg", image if image.ndim == 2 else image[:, :, ::-1]))
        pixels = only(path).pixels
        assert pixels.shape == image.shape
        assert np.abs(pixels.astype(int) - image).mean() < 3


def test_what_a_frame_says_of_itself(rgb: Any, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encode(".png", rgb))
    frames, events = read_all(tmp_path)
    assert events == []
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.origin.clip for frame in frames] == [0, 1, 2], "no lesion is followed from one picture to another"
    assert [frame.origin.path for frame in frames] == [str(tmp_path / f"{number}.png") for number in range(3)]
    assert {(frame.origin.frame_index, frame.media_ns, frame.regions) for frame in frames} == {(0, 0, ())}


def test_a_path_stays_relative(rgb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b?.png").write_bytes(encode(".png", rgb))
    monkeypatch.chdir(tmp_path)
    opened = ImagesSource(parse_uri("images://in/a%20b%3F.png"), StreamSettings(name="x", source="images://in"))
    opened.open()
    frame = opened.read(1.0)
    assert isinstance(frame, Frame)
    assert frame.origin.path == "in/a b?.png"


def test_a_file_is_what_its_bytes_say(rgb: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(".png", rgb[:, :, ::-1]))
    np.testing.assert_array_equal(only(path).pixels, rgb)


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", np.full((1, 1), 7, np.uint8)))
    assert only(path).pixels.tolist() == [[7]]


@pytest.mark.parametrize(("top", "shift"), [(200, 0), (1023, 2), (1024, 4), (4095, 4), (4096, 8), (65535, 8)])
def test_16_bits_lose_those_beyond_what_is_used(top: int, shift: int, tmp_path: Path) -> None:
    values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", values))
    np.testing.assert_array_equal(only(path).pixels, values >> shift)


@given(values=st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_16_bits_keep_their_order(values: list[int]) -> None:
    got = to_8_bits(np.array(values, np.uint16)).tolist()
    assert sorted(got) == [value for _, value in sorted(zip(values, got, strict=True))]


def test_transparency_lies_over_black(rgb: Any, tmp_path: Path) -> None:
    opacity = np.full((60, 80), 255, np.uint8)
    opacity[:30] = 0
    opacity[30:40] = 128
    path = tmp_path / "a.png"
    path.write_bytes(encode(".png", np.dstack([rgb[:, :, ::-1], opacity])))
    pixels = only(path).pixels
    assert not pixels[:30].any()
    np.testing.assert_array_equal(pixels[30:40], (rgb[30:40].astype(int) * 128 + 127) // 255)
    np.testing.assert_array_equal(pixels[40:], rgb[40:])


def test_grey_with_transparency_stays_grey(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(4, bytes([10, 255, 200, 255, 200, 0, 100, 255]), 2, 2))
    assert only(path).pixels.tolist() == [[10, 200], [0, 100]]


def test_a_bmp_of_32_bits_is_not_transparent(rgb: Any, tmp_path: Path) -> None:
    rows = np.dstack([rgb[::-1, :, ::-1], np.zeros((60, 80), np.uint8)]).tobytes()
    head = struct.pack("<LllHHLLllLL", 40, 80, 60, 1, 32, 0, len(rows), 0, 0, 0, 0)
    path = tmp_path / "a.bmp"
    path.write_bytes(b"BM" + struct.pack("<LLL", 54 + len(rows), 0, 54) + head + rows)
    np.testing.assert_array_equal(only(path).pixels, rgb)


def test_a_photographed_screen_is_shown_upright(rgb: Any, tmp_path: Path) -> None:
    """EXIF orientation 6: the camera was turned; viewers turn it back."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHLHHL", 1, 0x0112, 3, 1, 6, 0, 0)
    uniform = encode(".jpg", rgb[:, :, ::-1])
    path = tmp_path / "a.jpg"
    path.write_bytes(uniform[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + uniform[2:])
    pixels = only(path).pixels
    assert pixels.shape == (80, 60, 3)
    assert np.abs(pixels.astype(int) - np.rot90(rgb, -1)).mean() < 3


def test_the_pages_of_a_tiff_are_frames_of_one_clip(rgb: Any, tmp_path: Path) -> None:
    pages = [rgb, rgb[:30], rgb[:, :50]]
    path = tmp_path / "stack.tif"
    assert cv2.imwritemulti(str(path), [page[:, :, ::-1] for page in pages])
    frames, events = read_all(path)
    assert events == []
    for frame, page in zip(frames, pages, strict=True):
        np.testing.assert_array_equal(frame.pixels, page)
    assert [(frame.origin.clip, frame.origin.frame_index, frame.media_ns) for frame in frames] == [
        (0, index, None) for index in range(3)
    ]


def test_opened_anew_it_begins_anew_and_goes_on_counting(rgb: Any, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(encode(".png", rgb))
    opened = images_source(tmp_path)
    one = opened.read(1.0)
    opened.close()
    opened.open()
    two = opened.read(1.0)
    assert isinstance(one, Frame)
    assert isinstance(two, Frame)
    assert [(frame.seq, frame.origin.clip) for frame in (one, two)] == [(0, 0), (1, 1)]


@pytest.mark.data
def test_the_real_pictures(data_dir: Path) -> None:
    frames, events = read_all(data_dir / "busi" / "originals")
    assert events == []
    assert len(frames) == 14
    assert {frame.pixels.ndim for frame in frames} == {3}
    assert all(40 < frame.pixels.mean() < 140 for frame in frames)
