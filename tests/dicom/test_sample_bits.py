"""Which bits of a sample count: Bits Stored of them below High Bit, in every transfer syntax; others are masked out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom.frame_reader import DicomFrameReader
from edge.dicom.pixel_layout import PixelLayout
from edge.dicom.sample_bits import place_samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
VALUES = (np.arange(24 * 32).reshape(1, 24, 32) % 256).astype(np.uint16)
"""8 bits, in 16."""


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda uid: uid.name)
@pytest.mark.parametrize(("stored", "high"), [(8, 7), (8, 11), (8, 15), (8, 12)])
def test_8_bits_lie_below_the_high_bit(syntax: UID, stored: int, high: int, make_dataset: Make, save: Save) -> None:
    shift = high + 1 - stored
    noise = np.random.default_rng(0).integers(0, 1 << 16, VALUES.shape, np.uint16)
    samples = VALUES << shift | noise & ~np.uint16(255 << shift)  # whatever lies around them
    data = make_dataset(samples, "MONOCHROME2", syntax, BitsStored=stored, HighBit=high)
    with DicomFrameReader(save(data)) as clip:
        np.testing.assert_array_equal(clip.picture(0), VALUES[0])


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "RGB", "PALETTE COLOR"])
def test_whatever_the_photometric_interpretation(photometric: str, make_dataset: Make, save: Save) -> None:
    table = bytes(range(256))
    palette = {f"{c}PaletteColorLookupTableDescriptor": [256, 0, 8] for c in ("Red", "Green", "Blue")}
    palette |= {f"{c}PaletteColorLookupTableData": table for c in ("Red", "Green", "Blue")}
    samples = np.stack([VALUES] * 3, axis=-1) if photometric == "RGB" else VALUES
    data = make_dataset(
        samples << 8 | 0x55, photometric, BitsStored=8, HighBit=15,
        **(palette if photometric.startswith("P") else {}),
    )  # fmt: skip
    with DicomFrameReader(save(data)) as clip:
        got = clip.picture(0)
    plain = VALUES[0].astype(np.uint8)
    expected = 255 - plain if photometric == "MONOCHROME1" else plain
    np.testing.assert_array_equal(got if got.ndim == 2 else got[:, :, 1], expected)


def test_12_bits_in_the_upper_16_and_signed(make_dataset: Make, save: Save) -> None:
    values = np.linspace(-2048, 2047, 24 * 32).round().astype(np.int16).reshape(1, 24, 32)
    window = {"WindowCenter": "0", "WindowWidth": "4096"}
    low = make_dataset(values, "MONOCHROME2", BitsStored=12, HighBit=11, **window)
    raised = (values.view(np.uint16) << 4 | 9).view(np.int16)
    high = make_dataset(raised, "MONOCHROME2", BitsStored=12, HighBit=15, **window)
    with DicomFrameReader(save(low)) as one, DicomFrameReader(save(high)) as two:
        np.testing.assert_array_equal(one.picture(0), two.picture(0))
        assert one.picture(0)[0, 0] == 0
        assert one.picture(0)[-1, -1] == 255


def test_an_overlay_in_unused_bits_is_masked_out(make_dataset: Make, save: Save) -> None:
    overlay = (np.indices(VALUES.shape).sum(axis=0) % 2).astype(np.uint16) << 12
    for stored in (8, 12):
        data = make_dataset(VALUES | overlay, "MONOCHROME2", BitsStored=stored, HighBit=stored - 1)
        with DicomFrameReader(save(data)) as clip:
            expected = VALUES[0] if stored == 8 else np.floor(VALUES[0] / 4095 * 255 + 0.5)
            np.testing.assert_array_equal(clip.picture(0), expected)


def test_run_lengths(make_dataset: Make, save: Save) -> None:
    data = make_dataset(VALUES << 8 | 0x0F, "MONOCHROME2", BitsStored=8, HighBit=15)
    data.BitsStored = 16  # what the encoder is to write: all bits as they are
    data.compress(RLELossless, generate_instance_uid=False)
    data.BitsStored = 8
    with DicomFrameReader(save(data)) as clip:
        np.testing.assert_array_equal(clip.picture(0), VALUES[0])


@pytest.mark.parametrize("raised", [True, False], ids=["as uncompressed", "already placed"])
def test_jpeg_ls(raised: bool, make_dataset: Make, save: Save) -> None:
    """A stream of 16 bits holds samples as they lay; one of 8 bits has them in place, whatever the header says."""
    if not get_decoder(JPEGLSLossless).is_available:
        pytest.skip("needs the optional decoder")
    data = make_dataset(VALUES << 8 if raised else VALUES, "MONOCHROME2")
    data.BitsStored, data.HighBit = (16, 15) if raised else (8, 7)
    data.compress(JPEGLSLossless, generate_instance_uid=False)
    data.BitsStored, data.HighBit = 8, 15
    with DicomFrameReader(save(data)) as clip:
        np.testing.assert_array_equal(clip.picture(0), VALUES[0])


@pytest.mark.parametrize(("stored", "high"), [(8, 5), (12, 16), (12, 0)])
def test_a_high_bit_that_cannot_be_is_refused(stored: int, high: int, make_dataset: Make, save: Save) -> None:
    with pytest.raises(SourceError, match="high bit") as caught:
        DicomFrameReader(save(make_dataset(VALUES, "MONOCHROME2", BitsStored=stored, HighBit=high)))
    assert caught.value.hint


@pytest.mark.parametrize("high", [0, 6, 15, 99])
def test_where_all_bits_count_the_high_bit_does_not_matter(high: int, make_dataset: Make, save: Save) -> None:
    data = make_dataset(VALUES.astype(np.uint8), "MONOCHROME2", HighBit=high)
    with DicomFrameReader(save(data)) as clip:
        np.testing.assert_array_equal(clip.picture(0), VALUES[0])


def test_single_bits_in_run_lengths_have_a_hint(make_dataset: Make, make_compressed: Make, save: Save) -> None:
    like = np.zeros((1, 8, 8), np.uint8)
    data = make_compressed([bytes(64)], like, "MONOCHROME2", RLELossless, BitsAllocated=1, BitsStored=1, HighBit=0)
    with DicomFrameReader(save(data)) as clip, pytest.raises(SourceError, match="one bit a pixel") as caught:
        clip.picture(0)
    assert "uncompressed" in (caught.value.hint or "")


@given(values=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20), stored=st.integers(1, 16), data=st.data())
def test_the_bits_that_count_come_back(values: list[int], stored: int, data: Any) -> None:
    high = data.draw(st.integers(stored - 1, 15))
    for signed in (False, True):
        layout = PixelLayout(1, len(values), 1, 1, "MONOCHROME2", 16, stored, high, signed, 0)
        got = place_samples(np.array(values, np.uint16).view(np.int16 if signed else np.uint16), layout).tolist()
        kept = [value >> (high + 1 - stored) & ((1 << stored) - 1) for value in values]
        expected = [value - (1 << stored) if signed and value >> (stored - 1) else value for value in kept]
        assert got == expected


@pytest.mark.data
def test_the_case(cases_dir: Path) -> None:
    with DicomFrameReader(cases_dir / "dcm" / "b1_8of16_high15.dcm") as clip:
        assert clip.picture(0).mean() == pytest.approx(58.957, abs=0.001)  # as dcmtk 3.6.7
