"""Compressed frames: RLE, JPEG in all its colourings, JPEG 2000, and what has no decoder."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from encoded_pictures import jpeg, jpeg2000
from pydicom.data import get_testdata_file
from pydicom.pixels import convert_color_space, get_decoder
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    JPEG2000,
    MPEG4HP41,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom.frame_reader import DicomFrameReader, NoDecoderError
from edge.images.jpeg2000 import jpeg2000_codestream

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]


def pictures(path: Path) -> list[NDArray[np.uint8]]:
    with DicomFrameReader(path) as clip:
        assert clip.frames == clip.layout.frames
        return [clip.picture(index) for index in range(clip.frames)]


def unmarked(data: bytes) -> bytes:
    """A JFIF file without its marker: nothing in it says what its components are."""
    assert data[2:4] == b"\xff\xe0"
    return data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]


def rle(samples: NDArray[Any]) -> list[bytes]:
    frames = []
    for frame in samples:
        options = {
            "rows": frame.shape[0], "columns": frame.shape[1], "samples_per_pixel": 3 if frame.ndim == 3 else 1,
            "number_of_frames": 1, "bits_allocated": 8 * frame.dtype.itemsize, "bits_stored": 8 * frame.dtype.itemsize,
            "pixel_representation": 0, "planar_configuration": 0,
            "photometric_interpretation": "RGB" if frame.ndim == 3 else "MONOCHROME2",
        }  # fmt: skip
        frames.append(RLELosslessEncoder.encode(frame.tobytes(), **options))
    return frames


def test_rle(colours: Any, make_compressed: Make, save: Save) -> None:
    for table in (True, False):
        got = pictures(save(make_compressed(rle(colours), colours, "RGB", RLELossless, table=table)))
        np.testing.assert_array_equal(got, colours)


def test_jpeg_in_ybr(colours: Any, make_compressed: Make, save: Save) -> None:
    frames = [jpeg(frame) for frame in colours]
    for photometric in ("YBR_FULL_422", "YBR_FULL", "RGB"):  # scanners write RGB although the stream says JFIF
        got = pictures(save(make_compressed(frames, colours, photometric, JPEGBaseline8Bit)))
        expected = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1] for data in frames]
        np.testing.assert_array_equal(got, expected)
        assert np.abs(np.array(got, int) - colours).mean() < 3, "the colours are right"


def test_grey_jpeg(colours: Any, make_compressed: Make, save: Save) -> None:
    grey = np.ascontiguousarray(colours[..., 0])
    got = pictures(save(make_compressed([jpeg(frame) for frame in grey], grey, "MONOCHROME2", JPEGBaseline8Bit)))
    assert np.abs(np.array(got, int) - grey).mean() < 3


def test_a_jpeg_that_says_nothing_is_what_the_file_says(colours: Any, make_compressed: Make, save: Save) -> None:
    data = [unmarked(jpeg(frame, 100)) for frame in colours]
    as_ybr = pictures(save(make_compressed(data, colours, "YBR_FULL", JPEGBaseline8Bit)))
    as_rgb = pictures(save(make_compressed(data, colours, "RGB", JPEGBaseline8Bit)))
    assert np.abs(np.array(as_ybr, int) - colours).mean() < 2
    components = np.array([convert_color_space(frame, "RGB", "YBR_FULL") for frame in as_ybr], int)
    assert np.abs(np.array(as_rgb, int) - components).mean() < 2, "taken as they are"


def picture_of(name: str) -> NDArray[np.uint8]:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    with DicomFrameReader(Path(path)) as clip:
        return clip.picture(0)


@pytest.mark.parametrize(
    ("name", "like", "off"),
    [
        ("SC_jpeg_no_color_transform.dcm", "SC_rgb_jpeg_dcmd.dcm", 0.0),  # RGB, and nothing in the stream says so
        ("SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmd.dcm", 0.0),  # whose pixels change to implicit VR
        ("SC_rgb_jpeg_app14_dcmd.dcm", "SC_jpeg_no_color_transform_2.dcm", 0.0),  # with and without an Adobe marker
        ("SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_rle.dcm", 0.2),
        ("SC_rgb_dcmtk_+eb+cy+n1.dcm", "SC_rgb_rle.dcm", 3.0),
        ("SC_rgb_dcmtk_+eb+cy+s4.dcm", "SC_rgb_rle.dcm", 0.6),
        ("SC_ybr_full_422_uncompressed.dcm", "SC_rgb_rle.dcm", 0.6),
        ("SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", 0.0),  # lossless JPEG
        ("SC_rgb_gdcm_KY.dcm", "SC_rgb_rle.dcm", 0.0),  # JPEG 2000
        ("SC_rgb_small_odd_big_endian.dcm", "SC_rgb_small_odd.dcm", 0.0),
    ],
)
def test_real_files_show_the_same_picture_in_another_coding(name: str, like: str, off: float) -> None:
    one, other = picture_of(name), picture_of(like)
    assert one.shape == other.shape
    assert np.abs(one.astype(int) - other).mean() <= off


def test_jpeg_2000_in_a_wrapper_has_its_colours() -> None:
    """The picture has the words red, green and blue, in these colours, on grey."""
    picture = picture_of("GDCMJ2K_TextGBR.dcm").astype(int)
    for word, rows in enumerate([(40, 105), (145, 215), (240, 305)]):
        ink = picture[slice(*rows)].reshape(-1, 3)
        ink = ink[np.ptp(ink, axis=1) > 200]
        assert len(ink) > 500
        assert set(ink.argmax(axis=1)) == {word}


def test_real_ultrasound_in_jpeg_2000_and_uncompressed() -> None:
    large, small = picture_of("examples_jpeg2k.dcm"), picture_of("examples_rgb_color.dcm")
    assert np.abs(cv2.resize(large, (320, 240), interpolation=cv2.INTER_AREA).astype(int) - small).mean() < 3


def test_jpeg_2000(colours: Any, make_compressed: Make, save: Save) -> None:
    wrapped = [jpeg2000(frame) for frame in colours]
    expected = [cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1] for data in wrapped]
    assert np.abs(np.array(expected, int) - colours).mean() < 3
    for frames in (wrapped, [jpeg2000_codestream(data) for data in wrapped]):
        got = pictures(save(make_compressed(frames, colours, "RGB", JPEG2000Lossless)))
        np.testing.assert_array_equal(got, expected)


def test_a_frame_of_another_size_is_refused_before_it_is_decoded(
    colours: Any, make_compressed: Make, save: Save
) -> None:
    huge = bytearray(jpeg(colours[0]))
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    frames = [bytes(huge), jpeg(colours[1]), jpeg2000_codestream(jpeg2000(colours[2]))]
    with DicomFrameReader(save(make_compressed(frames, colours, "YBR_FULL", JPEGBaseline8Bit))) as clip:
        with pytest.raises(SourceError, match="got 60000 x 60000"):
            clip.picture(0)
        assert clip.picture(1).shape == (48, 64, 3)
        with pytest.raises(SourceError, match="JPEG"):
            clip.picture(2)


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000, RLELossless], ids=lambda uid: uid.name)
def test_a_frame_cut_short_is_an_error_and_not_half_a_picture(
    syntax: Any, colours: Any, make_compressed: Make, save: Save
) -> None:
    make = {
        JPEGBaseline8Bit: jpeg,
        JPEG2000: lambda rgb: jpeg2000_codestream(jpeg2000(rgb)),
        RLELossless: lambda rgb: rle(rgb[None])[0],
    }
    frames = [make[syntax](frame) for frame in colours]
    frames[1] = frames[1][: len(frames[1]) // 2]
    with DicomFrameReader(save(make_compressed(frames, colours, "RGB", syntax))) as clip:
        clip.picture(0)
        with pytest.raises(SourceError, match="broken or cut short") as caught:
            clip.picture(1)
        assert not isinstance(caught.value, NoDecoderError)
        clip.picture(2)


@pytest.mark.parametrize(
    ("syntax", "name", "hint"),
    [
        (JPEGLSLossless, "JPEG-LS", "[dicom]"),
        (HTJ2KLossless, "High-Throughput JPEG 2000", "[dicom]"),
        (MPEG4HP41, "MPEG-4", "video://"),
    ],
)
def test_a_missing_decoder_is_named_with_what_to_install(
    syntax: Any, name: str, hint: str, colours: Any, make_compressed: Make, save: Save
) -> None:
    if syntax != MPEG4HP41 and get_decoder(syntax).is_available:
        pytest.skip("the optional decoder is installed")
    with DicomFrameReader(save(make_compressed([b"12"] * 3, colours, "RGB", syntax))) as clip:
        with pytest.raises(NoDecoderError, match=name) as caught:
            clip.picture(0)
        assert str(syntax) in str(caught.value)
        assert hint in caught.value.hint
        assert caught.value.reason == "decode_error"


def test_a_damaged_jpeg_frame_costs_itself_alone(
    colours: Any, make_compressed: Make, save: Save, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = jpeg(colours[0])
    scan = whole.index(b"\xff\xda") + 14
    damaged = whole[: scan + (len(whole) - scan) * 8 // 10] + b"\xff\xd9"
    with DicomFrameReader(save(make_compressed([whole, damaged], colours, "YBR_FULL_422", JPEGBaseline8Bit))) as clip:
        assert clip.picture(0).shape == colours[0].shape
        with pytest.raises(SourceError, match="Corrupt JPEG data"):
            clip.picture(1)
        assert clip.picture(0).shape == colours[0].shape
    assert capfd.readouterr() == ("", "")


def test_12_bit_jpeg_needs_a_decoder_too() -> None:
    if get_decoder(JPEGExtended12Bit).is_available:
        pytest.skip("the optional decoder is installed")
    with pytest.raises(NoDecoderError, match="JPEG Extended"):
        picture_of("JPGExtended.dcm")
