"""Frames are counted by their bytes: more than the header says are read, and said; fewer are said as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from encoded_pictures import jpeg, jpeg2000
from pydicom.dataelem import DataElement
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from edge.dicom.frame_reader import DicomFrameReader
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]

ENCAPSULATED_UNCOMPRESSED = UID("1.2.840.10008.1.2.1.98")
WRONG = [None, "absent", "0", "1", "-4", "text", "2"]
"""Numbers of frames that a file of three may give."""


def set_count(data: Dataset, count: str | None) -> Dataset:
    """Put ``count`` into Number of Frames, whatever it is."""
    if count == "absent":
        del data.NumberOfFrames
    elif count == "text":
        data["NumberOfFrames"] = DataElement(0x00280008, "LO", "five")
    else:
        with suppress_pydicom_warnings():
            data.NumberOfFrames = count
    return data


def rle(frame: NDArray[Any]) -> bytes:
    options = {"rows": 48, "columns": 64, "samples_per_pixel": 3, "number_of_frames": 1, "bits_allocated": 8,
               "bits_stored": 8, "pixel_representation": 0, "planar_configuration": 0,
               "photometric_interpretation": "RGB"}  # fmt: skip
    return bytes(RLELosslessEncoder.encode(frame.tobytes(), **options))


@pytest.mark.parametrize("count", WRONG)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian], ids=lambda uid: uid.name)
def test_uncompressed_frames(count: str | None, syntax: UID, colours: Any, make_dataset: Make, save: Save) -> None:
    with DicomFrameReader(save(set_count(make_dataset(colours, "RGB", syntax), count))) as clip:
        assert clip.frames == 3
        for index in range(3):
            np.testing.assert_array_equal(clip.picture(index), colours[index])
        (note,) = clip.notes
    assert "3 are there" in note
    assert "all are read" in note
    assert clip.times is None or len(clip.times) == 3


@pytest.mark.parametrize("count", WRONG)
@pytest.mark.parametrize("table", [True, False], ids=["table", "no table"])
@pytest.mark.parametrize("encode", ["jpeg", "jpeg2000", "rle"])
def test_compressed_frames(
    count: str | None, table: bool, encode: str, colours: Any, make_compressed: Make, save: Save
) -> None:
    coder, syntax, photometric = {
        "jpeg": (jpeg, JPEGBaseline8Bit, "YBR_FULL_422"),
        "jpeg2000": (jpeg2000, JPEG2000Lossless, "YBR_RCT"),
        "rle": (rle, RLELossless, "RGB"),
    }[encode]
    data = make_compressed([coder(frame) for frame in colours], colours, photometric, syntax, table=table)
    with DicomFrameReader(save(set_count(data, count))) as clip:
        assert clip.frames == 3
        assert len(clip.notes) == 1
        for index in range(3):
            assert np.abs(clip.picture(index).astype(int) - colours[index]).mean() < 4


def test_frames_in_several_fragments_each(colours: Any, make_compressed: Make, save: Save) -> None:
    encoded = [jpeg(frame) for frame in colours]
    data = make_compressed(encoded, colours, "YBR_FULL_422", JPEGBaseline8Bit, NumberOfFrames="1")
    data.PixelData = encapsulate(encoded, fragments_per_frame=2, has_bot=False)
    data["PixelData"].is_undefined_length = True
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == 3


@pytest.mark.parametrize("count", ["1", "3", "0"])
def test_all_frames_in_one_fragment(count: str, colours: Any, make_compressed: Make, save: Save) -> None:
    """Against the standard, and seen: coded samples cannot hold an end and a start behind each other."""
    joined = b"".join(jpeg(frame) for frame in colours)
    data = make_compressed([joined], colours, "YBR_FULL_422", JPEGBaseline8Bit)
    with DicomFrameReader(save(set_count(data, count))) as clip:
        assert clip.frames == 3
        assert np.abs(clip.picture(2).astype(int) - colours[2]).mean() < 4
        assert len(clip.notes) == (count != "3")


def test_an_extended_offset_table_has_more(colours: Any, make_compressed: Make, save: Save) -> None:
    encoded = [rle(frame) for frame in colours]
    data = make_compressed(encoded, colours, "RGB", RLELossless, NumberOfFrames="1")
    data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(encoded)
    data["PixelData"].is_undefined_length = True
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == 3


@pytest.mark.parametrize("count", ["1", "3"])
@pytest.mark.parametrize("joined", [True, False], ids=["one fragment", "a fragment a frame"])
def test_frames_in_fragments_that_are_not_compressed(
    count: str, joined: bool, colours: Any, make_compressed: Make, save: Save
) -> None:
    frames = [frame.tobytes() for frame in colours]
    parts = [b"".join(frames)] if joined else frames
    data = make_compressed(parts, colours, "RGB", ENCAPSULATED_UNCOMPRESSED, NumberOfFrames=count)
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == 3
        for index in range(3):
            np.testing.assert_array_equal(clip.picture(index), colours[index])
        assert len(clip.notes) == (count == "1")


def test_odd_frames_in_fragments_that_are_not_compressed(make_compressed: Make, save: Save) -> None:
    frames = np.arange(3 * 35, dtype=np.uint8).reshape(3, 5, 7)
    data = make_compressed([frame.tobytes() for frame in frames], frames, "MONOCHROME2", ENCAPSULATED_UNCOMPRESSED)
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == 3
        np.testing.assert_array_equal(clip.picture(2), frames[2])


def test_a_right_header_is_said_nothing_of(colours: Any, make_dataset: Make, make_compressed: Make, save: Save) -> None:
    encoded = [jpeg(frame) for frame in colours]
    for data in (
        make_dataset(colours, "RGB"),
        make_dataset(colours[:1], "RGB"),
        make_dataset(np.zeros((1, 1, 1), np.uint8), "MONOCHROME2"),  # padded to an even length: not two frames
        make_dataset(np.zeros((3, 5, 5), np.uint8), "MONOCHROME2"),
        make_compressed(encoded, colours, "YBR_FULL_422", JPEGBaseline8Bit),
        make_compressed(encoded[:1], colours[:1], "YBR_FULL_422", JPEGBaseline8Bit),
    ):
        with DicomFrameReader(save(data)) as clip:
            assert (clip.frames, clip.notes) == (clip.layout.frames, ())


def test_bytes_after_the_last_whole_frame_are_said(colours: Any, make_dataset: Make, save: Save) -> None:
    data = make_dataset(colours, "RGB")
    data.PixelData += bytes(1000)
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == 3
        assert clip.notes == ("1000 bytes after the last whole frame are left out",)


@pytest.mark.parametrize(("said", "there"), [(1, 3), (2, 4), (3, 3), (1, 5)])
def test_shared_colours_are_not_taken_for_whole_ones(said: int, there: int, make_dataset: Make, save: Save) -> None:
    """YBR_FULL_422 has two thirds of the bytes; three of its frames are as long as two with all colours."""
    grey = np.full((there, 8, 6, 3), 90, np.uint8)
    grey[..., 1:] = 128
    shared = np.concatenate([grey[..., 0].reshape(there, 8, 3, 2), grey[:, :, ::2, 1:]], axis=-1)
    data = make_dataset(grey, "YBR_FULL_422", NumberOfFrames=said, PixelData=shared.tobytes())
    with DicomFrameReader(save(data)) as clip:
        assert clip.frames == there
        assert {int(value) for value in np.unique(clip.picture(there - 1))} == {90}


@pytest.mark.data
@pytest.mark.parametrize("name", ["a1_nof_missing", "a2_nof_1_but_5", "a5_nof_0", "h6_encap_uncompressed"])
def test_the_cases(name: str, cases_dir: Path) -> None:
    with DicomFrameReader(cases_dir / "dcm" / f"{name}.dcm") as clip:
        assert clip.frames == 5
        assert {clip.picture(index).shape for index in range(5)} == {(256, 270)}
        assert bool(clip.notes) == name.startswith("a")
