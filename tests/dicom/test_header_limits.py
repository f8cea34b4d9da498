"""What reading a DICOM header may cost: small files that promise countless items, values or bytes before the pixels."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from dicom_source_files import read_all
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from edge.contracts.errors import SourceError
from edge.dicom import bounded_streams
from edge.dicom.bounded_streams import InflatedStream
from edge.dicom.element_limits import MAX_ITEMS, MAX_TEXT
from edge.dicom.frame_reader import DicomFrameReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset
    from pydicom.uid import UID

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]

ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0)
OPEN_ITEM = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 0xFFFE, 0xE00D, 0)
END = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
GREY = np.arange(48 * 64, dtype=np.uint8).reshape(1, 48, 64)
HANG_S = 30
"""Far more than it takes; without limits it takes minutes."""


@pytest.fixture
def with_element(make_dataset: Make, save: Save) -> Callable[..., Path]:
    """Makes a file with one element, as bytes, before its pixels; plain or deflated."""

    def make(element: bytes, syntax: UID = ExplicitVRLittleEndian) -> Path:
        coded = save(make_dataset(GREY, "MONOCHROME2", DeflatedExplicitVRLittleEndian)).read_bytes()
        path = save(make_dataset(GREY, "MONOCHROME2", ExplicitVRLittleEndian))
        plain = path.read_bytes()
        if syntax == ExplicitVRLittleEndian:
            at = plain.rindex(b"\xe0\x7f\x10\x00OB")
            path.write_bytes(plain[:at] + element + plain[at:])
            return path
        body = plain[plain.index(struct.pack("<HH", 8, 0x16)) :]
        at = body.rindex(b"\xe0\x7f\x10\x00OB")
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = packer.compress(body[:at] + element + body[at:]) + packer.flush()
        path.write_bytes(coded[: 144 + struct.unpack("<L", coded[140:144])[0]] + packed)
        return path

    return make


def private(vr: bytes, length: int, value: bytes) -> bytes:
    return struct.pack("<HH2sHL", 0x0099, 0x1002, vr, 0, length) + value


@pytest.mark.slow
@pytest.mark.parametrize("item", [ITEM, OPEN_ITEM], ids=["empty", "open"])
@pytest.mark.parametrize("vr", [b"SQ", b"UN"])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian], ids=["plain", "deflated"])
def test_countless_items_are_one_clear_error(
    with_element: Callable[..., Path], syntax: UID, vr: bytes, item: bytes
) -> None:
    path = with_element(private(vr, 0xFFFFFFFF, item * 400_000 + END), syntax)
    begun = time.monotonic()
    frames, events = read_all(path)
    assert time.monotonic() - begun < HANG_S
    assert not frames
    (event,) = events
    assert event.detail is not None
    assert "too many data elements and items" in event.detail


def test_a_sequence_of_items_that_a_scanner_writes_is_read(with_element: Callable[..., Path]) -> None:
    for syntax in (ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        path = with_element(private(b"SQ", 0xFFFFFFFF, OPEN_ITEM * 3000 + END), syntax)
        with DicomFrameReader(path) as clip:
            np.testing.assert_array_equal(clip.picture(0), GREY[0])


def test_no_more_is_inflated_than_a_header_has(with_element: Callable[..., Path]) -> None:
    most = bounded_streams.MAX_INFLATED_HEADER
    path = with_element(private(b"OB", most, bytes(most)), DeflatedExplicitVRLittleEndian)
    with pytest.raises(SourceError, match="header inflates to more than 64 MB") as caught:
        DicomFrameReader(path)
    assert caught.value.reason == "too_large"
    path = with_element(private(b"OB", 1 << 20, bytes(1 << 20)), DeflatedExplicitVRLittleEndian)
    with DicomFrameReader(path) as clip:
        np.testing.assert_array_equal(clip.picture(0), GREY[0])


def test_pixels_may_be_more_than_a_header(make_dataset: Make, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_streams, "MAX_INFLATED_HEADER", 4000)
    frames = np.repeat(GREY, 40, axis=0)
    with DicomFrameReader(save(make_dataset(frames, "MONOCHROME2", DeflatedExplicitVRLittleEndian))) as clip:
        np.testing.assert_array_equal(clip.picture(39), GREY[0])


def element(keyword: str, value: bytes) -> bytes:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


@pytest.mark.parametrize(
    "keyword",
    [
        *("SOPInstanceUID", "StudyInstanceUID", "Manufacturer", "TransducerData", "RescaleSlope", "RescaleIntercept"),
        *("WindowCenter", "WindowWidth", "NumberOfFrames", "CineRate", "FrameTime", "VOILUTFunction"),
        *("SequenceOfUltrasoundRegions", "ModalityLUTSequence", "VOILUTSequence"),
    ],
)
def test_countless_values_of_one_element_are_refused(make_dataset: Make, save: Save, keyword: str) -> None:
    data = make_dataset(GREY.astype(np.uint16), "MONOCHROME2", ImplicitVRLittleEndian)
    if keyword in data:
        del data[keyword]
    path = save(data)
    tag = tag_for_keyword(keyword)
    assert tag is not None
    many = ITEM * (MAX_ITEMS + 1) if dictionary_VR(tag) == "SQ" else b"1\\" * (MAX_TEXT // 2 + 1)
    plain = path.read_bytes()
    at = plain.rindex(element("PixelData", b"")[:4])  # order does not matter to a reader
    path.write_bytes(plain[:at] + element(keyword, many) + plain[at:])
    with pytest.raises(SourceError, match="header is not one of a picture: it has"):
        DicomFrameReader(path)


def test_an_inflated_stream_goes_back_a_little_without_beginning_again(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.random.default_rng(0).integers(0, 4, 700_000, np.uint8).tobytes()
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream: Any = InflatedStream(io.BytesIO(packer.compress(data) + packer.flush()), 0, b"")  # type: ignore[arg-type]
    stream.seek(400_000)
    assert stream.read(10) == data[400_000:400_010]
    monkeypatch.setattr(InflatedStream, "_rewind", lambda self: pytest.fail("begins again"))
    for step in range(1, 5):
        stream.seek(-10 - step, io.SEEK_CUR)
        at = stream.tell()
        assert stream.read(10) == data[at : at + 10]
