"""Every photometric interpretation and coding gives the picture that was put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydicom.pixels import convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from edge.contracts.errors import SourceError
from edge.dicom.frame_reader import DicomFrameReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]

NATIVE = [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with DicomFrameReader(path) as clip:
        assert clip.frames == clip.layout.frames
        return [clip.picture(index) for index in range(clip.frames)]


def worst(one: NDArray[Any], other: NDArray[Any]) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("syntax", NATIVE, ids=lambda uid: uid.name)
@pytest.mark.parametrize("width", [64, 63])
def test_rgb_in_any_byte_order(syntax: Any, width: int, colours: Any, make_dataset: Make, save: Save) -> None:
    rgb = colours[:, :, :width]
    for got, expected in zip(pictures(save(make_dataset(rgb, "RGB", syntax))), rgb, strict=True):
        assert got.flags.c_contiguous
        np.testing.assert_array_equal(got, expected)


def test_rgb_by_planes(colours: Any, make_dataset: Make, save: Save) -> None:
    planes = np.ascontiguousarray(colours.transpose(0, 3, 1, 2))
    data = make_dataset(colours, "RGB", PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_array_equal(pictures(save(data)), colours)


def test_rgb_of_16_bits(colours: Any, make_dataset: Make, save: Save) -> None:
    deep = colours.astype(np.uint16) * 16
    np.testing.assert_array_equal(pictures(save(make_dataset(deep, "RGB", BitsStored=12, HighBit=11))), colours)


def test_ybr_full(colours: Any, make_dataset: Make, save: Save) -> None:
    ybr = np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in colours])
    for got, expected in zip(pictures(save(make_dataset(ybr, "YBR_FULL"))), colours, strict=True):
        assert worst(got, expected) <= 2  # rounded twice


def subsampled(ybr: NDArray[np.uint8]) -> bytes:
    """Y Y Cb Cr for each pair of pixels."""
    pairs = [ybr[..., 0::2, 0], ybr[..., 1::2, 0], ybr[..., 0::2, 1], ybr[..., 0::2, 2]]
    return np.stack(pairs, axis=-1).tobytes()


def test_ybr_full_422(colours: Any, make_dataset: Make, save: Save) -> None:
    rgb = np.repeat(colours[:, :, ::2], 2, axis=2)  # pairs of one colour
    ybr = np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in rgb])
    data = make_dataset(rgb, "YBR_FULL_422", PixelData=subsampled(ybr))
    for got, expected in zip(pictures(save(data)), rgb, strict=True):
        assert worst(got, expected) <= 2


def test_ybr_full_422_that_is_not_subsampled(colours: Any, make_dataset: Make, save: Save) -> None:
    ybr = np.stack([convert_color_space(frame, "RGB", "YBR_FULL") for frame in colours])
    for got, expected in zip(pictures(save(make_dataset(ybr, "YBR_FULL_422"))), colours, strict=True):
        assert worst(got, expected) <= 2


def test_ybr_partial_422(make_dataset: Make, save: Save) -> None:
    """ITU-R BT.601: 75 % colour bars have published values."""
    bars = {
        (235, 128, 128): (255, 255, 255),
        (16, 128, 128): (0, 0, 0),
        (162, 44, 142): (191, 191, 0),
        (65, 100, 212): (191, 0, 0),
        (35, 212, 114): (0, 0, 191),
        (112, 72, 58): (0, 191, 0),
    }
    ybr = np.repeat(np.array(list(bars), np.uint8), 2, axis=0)[None, None]
    data = make_dataset(ybr, "YBR_PARTIAL_422", PixelData=subsampled(ybr))
    expected = np.repeat(np.array(list(bars.values()), np.uint8), 2, axis=0)[None]
    assert worst(pictures(save(data))[0], expected) <= 1


def palette(bits: int, entries: int, start: int = 0) -> dict[str, Any]:
    """Elements of a palette whose red rises, green falls and blue is a constant 7 (of 8 bits)."""
    top = (1 << bits) - 1
    rising = np.linspace(0, top, entries).round().astype(np.uint16)
    tables = {"Red": rising, "Green": rising[::-1], "Blue": np.full(entries, 7 << (bits - 8), np.uint16)}
    found: dict[str, Any] = {}
    for name, table in tables.items():
        found[f"{name}PaletteColorLookupTableDescriptor"] = [entries % 65536, start, bits]
        raw = table.astype("<u2").tobytes() if bits == 16 else table.astype(np.uint8).tobytes()
        found[f"{name}PaletteColorLookupTableData"] = raw
    return found


@pytest.mark.parametrize("bits", [8, 16])
def test_palette(bits: int, make_dataset: Make, save: Save) -> None:
    samples = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    (got,) = pictures(save(make_dataset(samples, "PALETTE COLOR", **palette(bits, 256))))
    flat = got.reshape(-1, 3)
    np.testing.assert_array_equal(flat[:, 0], np.arange(256))
    np.testing.assert_array_equal(flat[:, 1], np.arange(255, -1, -1))
    assert set(flat[:, 2]) == {7}


def test_palette_for_16_bit_samples(make_dataset: Make, save: Save) -> None:
    samples = np.array([[[0, 255, 256, 32768, 65535]]], np.uint16)
    (got,) = pictures(save(make_dataset(samples, "PALETTE COLOR", **palette(16, 65536))))
    assert got[0, :, 0].tolist() == [0, 0, 1, 128, 255]


def test_a_palette_that_begins_later_and_ends_sooner(make_dataset: Make, save: Save) -> None:
    samples = np.array([[[0, 99, 100, 110, 115, 200]]], np.uint8)
    (got,) = pictures(save(make_dataset(samples, "PALETTE COLOR", **palette(8, 16, start=100))))
    assert got[0, :, 0].tolist() == [0, 0, 0, 170, 255, 255]


def test_a_palette_that_writes_8_bits_and_says_16(make_dataset: Make, save: Save) -> None:
    elements = palette(16, 256)
    for name in ("Red", "Green", "Blue"):
        words = np.frombuffer(elements[f"{name}PaletteColorLookupTableData"], "<u2") >> 8
        elements[f"{name}PaletteColorLookupTableData"] = words.astype("<u2").tobytes()
    samples = np.array([[[0, 128, 255]]], np.uint8)
    (got,) = pictures(save(make_dataset(samples, "PALETTE COLOR", **elements)))
    assert got[0, :, 0].tolist() == [0, 128, 255]


def test_a_segmented_palette(make_dataset: Make, save: Save) -> None:
    """PS3.3 C.7.9.2: one discrete entry, then a linear segment to the top."""
    elements: dict[str, Any] = {}
    for name in ("Red", "Green", "Blue"):
        elements[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        segments = np.array([0, 1, 0, 1, 255, 65535], "<u2")
        elements[f"Segmented{name}PaletteColorLookupTableData"] = segments.tobytes()
    samples = np.array([[[0, 128, 255]]], np.uint8)
    (got,) = pictures(save(make_dataset(samples, "PALETTE COLOR", **elements)))
    assert got[0, :, 1].tolist() == [0, 128, 255]


def test_no_palette_is_said(make_dataset: Make, save: Save) -> None:
    path = save(make_dataset(np.zeros((1, 4, 4), np.uint8), "PALETTE COLOR"))
    with pytest.raises(SourceError, match="palette"):
        DicomFrameReader(path)


def test_a_picture_is_grey_or_rgb_as_the_file_says(colours: Any, make_dataset: Make, save: Save) -> None:
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in colours])
    np.testing.assert_array_equal(pictures(save(make_dataset(grey, "MONOCHROME2"))), grey)
    np.testing.assert_array_equal(pictures(save(make_dataset(grey, "MONOCHROME1"))), 255 - grey)


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ({"PhotometricInterpretation": "HSV"}, "got HSV"),
        ({"PhotometricInterpretation": "Secret^Name"}, "something else"),
        ({"SamplesPerPixel": 1}, "samples per pixel"),
        ({"Rows": 0}, "rows and columns"),
        ({"BitsAllocated": 12}, "bits"),
        ({"BitsStored": 9}, "bits"),
        ({"PlanarConfiguration": 7}, "laid out"),
    ],
)
def test_what_cannot_be_is_refused(elements: Any, said: str, colours: Any, make_dataset: Make, save: Save) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        DicomFrameReader(save(make_dataset(colours, "RGB", **elements)))
    assert caught.value.hint
    assert "Secret" not in str(caught.value)


def test_a_palette_of_16_bits_with_8_in_use_is_read_as_8(make_dataset: Make, save: Save) -> None:
    """By the standard it would be black (dcmtk shows it so). No scanner means that; what was decided is said."""
    samples = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    palette = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 16] for c in ("Red", "Green", "Blue")}
    entries = {"Red": np.arange(256), "Green": np.arange(256) // 2, "Blue": 255 - np.arange(256)}
    for factor, note in ((1, True), (257, False)):
        tables = {f"{c}PaletteColorLookupTableData": (e * factor).astype("<u2").tobytes() for c, e in entries.items()}
        with DicomFrameReader(save(make_dataset(samples, "PALETTE COLOR", **palette, **tables))) as clip:
            picture = clip.picture(0).reshape(256, 3)
            np.testing.assert_array_equal(picture, np.stack(list(entries.values()), axis=-1))
            assert bool(clip.notes) is note
