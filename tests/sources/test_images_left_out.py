"""What a picture file holds beside its first picture is told; 16-bit pictures of a clip or folder have one scale."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from image_files import encode, images_source, only, png, read_all, smooth_rgb
from picture_variants import GREY, chunk, deep
from picture_variants import png as any_png

from edge.contracts.frames import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def animation(pictures: int) -> bytes:
    """A PNG with the frames of an animation behind its picture."""
    whole = any_png(8, 0, GREY)
    at = whole.index(b"IDAT") - 4
    control = struct.pack(">LLLLLHHBB", 0, GREY.shape[1], GREY.shape[0], 0, 0, 1, 10, 0, 0)
    head = chunk(b"acTL", struct.pack(">LL", pictures, 0)) + chunk(b"fcTL", control)
    data_end = whole.index(b"IEND") - 4
    content = whole[at + 8 : data_end - 4]
    more = b"".join(
        chunk(b"fcTL", struct.pack(">L", 2 * k - 1) + control[4:]) + chunk(b"fdAT", struct.pack(">L", 2 * k) + content)
        for k in range(1, pictures)
    )
    return whole[:at] + head + whole[at:data_end] + more + whole[data_end:]


@pytest.mark.parametrize("pictures", [2, 3, 9])
def test_the_further_pictures_of_an_animation_are_told(pictures: int, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(animation(pictures))
    (frame,), (event,) = read_all(path)
    np.testing.assert_array_equal(frame.pixels, GREY)
    assert event.kind == "skipped"
    assert event.detail.startswith(f"{pictures - 1} more picture")


def test_an_animation_of_one_picture_is_that_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(animation(1))
    np.testing.assert_array_equal(only(path).pixels, GREY)


def test_the_further_pictures_of_a_jpeg_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encode(".jpg", GREY) * 3)
    (frame,), (event,) = read_all(path)
    assert frame.pixels.shape == GREY.shape
    assert event.detail.startswith("2 more pictures")


@pytest.mark.parametrize("others", [1, 2])
def test_the_companions_of_a_phones_picture_are_a_note(others: int, tmp_path: Path) -> None:
    """Of a multi-picture file (CIPA DC-007) whose first picture was judged nothing that was taken is lost."""
    first = encode(".jpg", GREY)
    index = b"MPF\0MM\0*\0\0\0\x08"
    path = tmp_path / "a.jpg"
    marked = first[:2] + b"\xff\xe2" + struct.pack(">H", len(index) + 2) + index + first[2:]
    path.write_bytes(marked + encode(".jpg", GREY) * others)
    (frame,), events = read_all(path)
    assert events == []
    assert frame.pixels.shape == GREY.shape
    assert frame.origin.notes[0].startswith(f"{others} more picture")
    path.write_bytes(marked)
    assert only(path).origin.notes == ()


def test_pages_that_are_whole_are_read_and_the_others_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), [GREY, GREY // 2, GREY // 4], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    data = path.read_bytes()
    path.write_bytes(data[:-60])  # within the last directory
    frames, events = read_all(path)
    assert 1 <= len(frames) < 3
    np.testing.assert_array_equal(frames[0].pixels, GREY)
    assert events
    assert all(event.kind == "skipped" for event in events)


def test_transparency_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(4, bytes([10, 255, 200, 255, 200, 0, 100, 255]), 2, 2))
    assert "over black" in only(path).origin.notes[0]
    path.write_bytes(png(0, bytes([10, 200, 200, 100]), 2, 2))
    assert only(path).origin.notes == ()


# --- one scale -------------------------------------------------------------------------------------------------------


def base(corner: int) -> NDArray[np.uint16]:
    """A picture of 10 bits, but for one corner."""
    image = GREY.astype(np.uint16) * 4
    image[0, 0] = corner
    return image


CORNERS = [(1023, 1024, 4095), (4095, 0, 1023), (65535, 1, 2), (0, 0, 65535)]


@pytest.mark.parametrize("corners", CORNERS)
def test_one_corner_of_a_file_does_not_change_its_brightness(corners: tuple[int, ...], tmp_path: Path) -> None:
    for number, corner in enumerate(corners):
        (tmp_path / f"{number}.png").write_bytes(encode(".png", base(corner)))
    frames, events = read_all(tmp_path)
    assert events == []
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels[1:], GREY[1:])
        assert frame.origin.notes == ()


@pytest.mark.parametrize("corners", CORNERS)
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_one_corner_of_a_page_does_not_change_its_brightness(
    corners: tuple[int, ...], white_is_zero: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), [base(corner) for corner in corners], [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    if white_is_zero:
        data = path.read_bytes()
        path.write_bytes(data.replace(struct.pack("<HHLL", 262, 3, 1, 1), struct.pack("<HHLL", 262, 3, 1, 0)))
    frames, _ = read_all(path)
    for frame in frames:
        np.testing.assert_array_equal(frame.pixels[1:], 255 - GREY[1:] if white_is_zero else GREY[1:])


def test_a_dark_first_page_does_not_make_the_others_white(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [np.zeros_like(base(0)), base(0), base(0)]
    assert cv2.imwritemulti(str(path), pages)
    frames, _ = read_all(path)
    np.testing.assert_array_equal(frames[2].pixels[1:], GREY[1:])
    assert not frames[0].pixels.any()


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_a_page_that_was_not_looked_at_is_not_shown_white(white_is_zero: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pages = [base(0)] * 30
    pages[3] = base(0) * 4  # 12 bits, and the others 10
    assert cv2.imwritemulti(str(path), pages, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    if white_is_zero:
        data = path.read_bytes()
        path.write_bytes(data.replace(struct.pack("<HHLL", 262, 3, 1, 1), struct.pack("<HHLL", 262, 3, 1, 0)))
    frames, events = read_all(path)
    assert [frame.origin.frame_index for frame in frames] == [index for index in range(30) if index != 3]
    (event,) = events
    assert event.reason == "decode_error"
    assert event.detail is not None
    assert event.detail.startswith("page 4 of 30: ")
    assert "need more than the 10 bits that this clip is read as" in event.detail


def test_the_maximum_sample_value_of_a_tiff_counts(tmp_path: Path) -> None:
    from picture_variants import tiff

    path = tmp_path / "a.tif"
    image = base(0)
    for tag in (281, 341):
        path.write_bytes(tiff(16, 1, image.astype("<u2").tobytes(), (tag, 3, 1, 4095)))
        np.testing.assert_array_equal(only(path).pixels, image >> 4)
    path.write_bytes(tiff(16, 1, image.astype("<u2").tobytes(), (281, 3, 1, 255)))
    np.testing.assert_array_equal(only(path).pixels, image >> 2, "samples that need more are believed")


def test_the_significant_bits_of_a_png_count(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(any_png(16, 0, base(0), chunk(b"sBIT", b"\x0c")))
    np.testing.assert_array_equal(only(path).pixels, base(0) >> 4)
    path.write_bytes(any_png(16, 0, deep(GREY), chunk(b"sBIT", b"\x08")))
    np.testing.assert_array_equal(only(path).pixels, GREY)


def test_a_brighter_file_raises_the_depth_from_there_on_and_says_so(tmp_path: Path) -> None:
    for number, image in enumerate([base(0), base(0) * 16, base(0)]):
        (tmp_path / f"{number}.png").write_bytes(encode(".png", image))
    frames, _ = read_all(tmp_path)
    assert [int(frame.pixels[20, 20]) for frame in frames] == [
        GREY[20, 20],
        base(0)[20, 20] * 16 >> 8,
        base(0)[20, 20] >> 8,
    ]
    assert [bool(frame.origin.notes) for frame in frames] == [False, True, False]
    assert "as 16 bits" in frames[1].origin.notes[0]


def test_other_folders_and_sizes_have_a_depth_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.png").write_bytes(encode(".png", base(0) * 16))
    (tmp_path / "b" / "a.png").write_bytes(encode(".png", base(0)))
    (tmp_path / "c.png").write_bytes(encode(".png", base(0)[:-1]))
    frames, _ = read_all(tmp_path)
    assert sorted(int(frame.pixels[20, 20]) for frame in frames) == sorted(
        [int(base(0)[20, 20]) * 16 >> 8, int(GREY[20, 20]), int(GREY[20, 20])]
    )


def test_colour_of_16_bits_by_the_same_rule(tmp_path: Path) -> None:
    image = smooth_rgb().astype(np.uint16)[:, :, ::-1] * 4
    image[0, 0] = 65535
    (tmp_path / "a.png").write_bytes(encode(".png", image))
    np.testing.assert_array_equal(only(tmp_path / "a.png").pixels[1:], smooth_rgb()[1:])


# --- the cases -------------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_the_cases(cases_dir: Path) -> None:
    opened: Any = images_source(cases_dir / "img")
    means: dict[str, list[float]] = {}
    told: dict[str, str] = {}
    while getattr(item := opened.read(1.0), "kind", "") != "ended":
        if isinstance(item, Frame):
            name = (item.origin.path or "").rpartition("/")[2]
            means.setdefault(name, []).append(round(float(item.pixels.mean()), 1))
            if item.origin.notes:
                told[name] = "; ".join(item.origin.notes)
        else:
            told[item.path.rpartition("/")[2]] = item.detail
    assert means == {
        "anim.png": [54.1], "base.png": [54.1], "cycle.tif": [54.1], "exif6.png": [54.1], "grey8_trns.png": [54.1],
        "os2.bmp": [60.7], "rle8.bmp": [54.1], "seq12_0.png": [54.1], "seq12_1.png": [54.1], "seq12_2.png": [54.1],
        "stack12.tif": [54.1] * 4,
    }  # fmt: skip
    assert set(told) == {"anim.png", "cycle.tif", "grey8_trns.png"}
