"""Grey of any depth to 8 bits, checked against the formulas of PS3.3 C.11.2 and against pydicom's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_windowing

from edge.dicom.frame_reader import DicomFrameReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with DicomFrameReader(path) as clip:
        return [clip.picture(index) for index in range(clip.frames)]


def ramp(low: int, high: int, kind: str) -> NDArray[Any]:
    return np.linspace(low, high, 400).round().astype(kind).reshape(1, 20, 20)


def test_8_bits_stay_as_they_are_whatever_the_window(make_dataset: Make, save: Save) -> None:
    samples = ramp(0, 255, "u1")
    data = make_dataset(
        samples, "MONOCHROME2", WindowCenter="40", WindowWidth="10", RescaleSlope="2", RescaleIntercept="1"
    )
    np.testing.assert_array_equal(pictures(save(data)), samples)


def test_fewer_than_8_bits_are_spread(make_dataset: Make, save: Save) -> None:
    samples = np.array([[[0, 1, 64, 127]]], np.uint8)
    (got,) = pictures(save(make_dataset(samples, "MONOCHROME2", BitsStored=7, HighBit=6)))
    assert got.tolist() == [[0, 2, 129, 255]]


def test_single_bits(make_dataset: Make, save: Save) -> None:
    bits = np.array([[0, 1, 1, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0, 0, 0]], np.uint8)
    data = make_dataset(
        bits[None], "MONOCHROME2", BitsAllocated=1, BitsStored=1, HighBit=0,
        PixelData=np.packbits(bits, bitorder="little").tobytes(),
    )  # fmt: skip
    np.testing.assert_array_equal(pictures(save(data))[0], bits * 255)


def test_8_bits_in_16(make_dataset: Make, save: Save) -> None:
    samples = ramp(0, 255, "u2")
    np.testing.assert_array_equal(
        pictures(save(make_dataset(samples, "MONOCHROME2", BitsStored=8, HighBit=7))), samples.astype(np.uint8)
    )


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_windows_as_pydicom_does_them(function: str, kind: str, make_dataset: Make, save: Save) -> None:
    samples = ramp(-2000 if kind == "i2" else 0, 3000, kind)
    data = make_dataset(
        samples, "MONOCHROME2", WindowCenter=["700.5", "1"], WindowWidth=["1500", "1"], VOILUTFunction=function,
        RescaleSlope="1.5", RescaleIntercept="-100",
    )  # fmt: skip
    span = apply_modality_lut(
        np.array([samples.dtype.type(v) for v in np.iinfo(kind).min + np.array([0, 65535])]), data
    )
    expected = apply_windowing(apply_modality_lut(samples[0], data), data)
    expected = (expected - span[0]) / (span[1] - span[0]) * 255
    (got,) = pictures(save(data))
    assert np.abs(got - expected).max() <= 0.51
    assert got.min() < 40
    assert got.max() > 215


def test_monochrome1_is_turned_round_after_the_window(make_dataset: Make, save: Save) -> None:
    samples = ramp(0, 4095, "u2")
    window = {"WindowCenter": "2048", "WindowWidth": "1000", "BitsStored": 12, "HighBit": 11}
    (two,) = pictures(save(make_dataset(samples, "MONOCHROME2", **window)))
    (one,) = pictures(save(make_dataset(samples, "MONOCHROME1", **window)))
    np.testing.assert_array_equal(one, 255 - two)
    assert two[0, 0] == 0
    assert two[-1, -1] == 255


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_voi_lut(as_bytes: bool, make_dataset: Make, save: Save) -> None:
    item = Dataset()
    item.LUTDescriptor = [4, 100, 12]
    table = [0, 1000, 3000, 4095]
    item.add_new("LUTData", "OW" if as_bytes else "US", np.array(table, "<u2").tobytes() if as_bytes else table)
    samples = np.array([[[0, 100, 101, 102, 103, 104, 4000]]], np.uint16)
    (got,) = pictures(save(make_dataset(samples, "MONOCHROME2", VOILUTSequence=[item])))
    assert got.tolist() == [[0, 0, 62, 187, 255, 255, 255]]


@pytest.mark.parametrize("stored", [9, 10, 12, 14, 15])
def test_without_a_window_the_bits_stored_set_it_for_all(stored: int, make_dataset: Make, save: Save) -> None:
    """As dcmtk does it: whatever the first frame holds, one scale for the clip."""
    top = (1 << stored) - 1
    samples = np.array([[[0, 100, 200]], [[0, top // 2, top]]], np.uint16)
    first, second = pictures(save(make_dataset(samples, "MONOCHROME2", BitsStored=stored, HighBit=stored - 1)))
    assert first.tolist() == [[0, int(100 / top * 255 + 0.5), int(200 / top * 255 + 0.5)]]
    assert second[0, 2] == 255
    inverted = pictures(save(make_dataset(samples, "MONOCHROME1", BitsStored=stored, HighBit=stored - 1)))
    np.testing.assert_array_equal(inverted[1], 255 - second)


def test_of_16_bits_the_first_frame_sets_it_for_all(make_dataset: Make, save: Save) -> None:
    samples = np.array([[[100, 200, 300]], [[100, 250, 250]]], np.uint16)
    first, second = pictures(save(make_dataset(samples, "MONOCHROME2")))
    assert first.tolist() == [[0, 128, 255]]
    assert second.tolist() == [[0, 191, 191]]


@pytest.mark.parametrize("corner", [0, 1023, 1024, 65535])
def test_one_pixel_in_a_corner_sets_nothing(corner: int, make_dataset: Make, save: Save) -> None:
    ramp_up = np.linspace(0, 90, 1600).round().astype(np.uint16).reshape(40, 40) * 10
    samples = np.stack([ramp_up, ramp_up[::-1]])
    plain = pictures(save(make_dataset(samples, "MONOCHROME2")))
    samples[0, 0, 0] = corner
    marked = pictures(save(make_dataset(samples, "MONOCHROME2")))
    np.testing.assert_array_equal(plain[1], marked[1])


def test_a_flat_first_frame_sets_nothing(make_dataset: Make, save: Save) -> None:
    samples = np.stack([np.full((1, 3), 7), [[100, 200, 300]], [[100, 250, 250]]]).astype(np.uint16)
    first, second, third = pictures(save(make_dataset(samples, "MONOCHROME2")))
    assert len(np.unique(first)) == 1
    assert second.tolist() == [[0, 128, 255]]
    assert third.tolist() == [[0, 191, 191]]


@pytest.mark.parametrize("value", [0, 77, 4095])
def test_a_flat_picture_is_flat(value: int, make_dataset: Make, save: Save) -> None:
    (got,) = pictures(save(make_dataset(np.full((1, 5, 5), value, np.uint16), "MONOCHROME2")))
    assert len(np.unique(got)) == 1


def test_32_bits(make_dataset: Make, save: Save) -> None:
    samples = np.array([[[0, 1 << 30, 1 << 31]]], np.uint32)
    (got,) = pictures(save(make_dataset(samples, "MONOCHROME2")))
    assert got.tolist() == [[0, 128, 255]]


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": "100", "WindowWidth": "0"},
        {"WindowCenter": "100", "WindowWidth": "-5"},
        {"RescaleSlope": "0", "RescaleIntercept": "0"},
        {"VOILUTSequence": [Dataset()]},
    ],
)
def test_nonsense_is_as_good_as_absent(elements: Any, make_dataset: Make, save: Save) -> None:
    samples = np.array([[[100, 200, 300]]], np.uint16)
    (got,) = pictures(save(make_dataset(samples, "MONOCHROME2", **elements)))
    assert got.tolist() == [[0, 128, 255]]
