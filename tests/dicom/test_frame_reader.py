"""A file as a clip: lazily, with what is there of it, and without a word to stderr or about the patient."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate_extended
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from edge.contracts.errors import SourceError
from edge.dicom import bounded_streams
from edge.dicom.frame_reader import DicomFrameReader
from edge.dicom.header import is_dicom, read_header

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    Save = Callable[[Dataset], Path]
    Make = Callable[..., Dataset]


def real(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


# --- what a file is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MR_small.dcm", True),
        ("ExplVR_LitEndNoMeta.dcm", True),
        ("ExplVR_BigEndNoMeta.dcm", True),
        ("README.txt", False),
    ],
)
def test_dicom_is_known_by_its_content(name: str, expected: bool) -> None:
    assert is_dicom(real(name)) is expected


@pytest.mark.parametrize(
    "data", [b"", b"\x08\x00", bytes(200), b"\x08\x00\x16\x00" + bytes(300), b"\x89PNG\r\n\x1a\n" + bytes(200)]
)
def test_other_files_are_no_dicom(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    assert is_dicom(path) is False


def test_without_preamble_and_meta_information(colours: Any, make_dataset: Make, tmp_path: Path) -> None:
    data = make_dataset(colours, "RGB", ImplicitVRLittleEndian)
    del data.file_meta
    path = tmp_path / "bare"
    data.save_as(path, implicit_vr=True, little_endian=True)
    assert is_dicom(path)
    with DicomFrameReader(path) as clip:
        np.testing.assert_array_equal(clip.picture(2), colours[2])


def test_reports_have_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="Comprehensive SR") as caught:
        DicomFrameReader(real("test-SR.dcm"))
    assert caught.value.hint


def test_floating_point_pixels_are_refused(make_dataset: Make, save: Save) -> None:
    data = make_dataset(np.zeros((1, 4, 4), np.uint8), "MONOCHROME2")
    del data.PixelData
    data.FloatPixelData = bytes(64)
    with pytest.raises(SourceError, match="floating point"):
        DicomFrameReader(save(data))


def test_an_unknown_transfer_syntax_is_named(make_dataset: Make, save: Save) -> None:
    path = save(make_dataset(np.zeros((1, 4, 4), np.uint8), "MONOCHROME2"))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0"))
    with pytest.raises(SourceError, match=r"1\.2\.840\.10008\.1\.9\.9"):
        DicomFrameReader(path)


def test_a_deflated_file_that_would_fill_the_memory(
    make_dataset: Make, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(make_dataset(np.zeros((9, 100, 100), np.uint8), "MONOCHROME2", DeflatedExplicitVRLittleEndian))
    assert path.stat().st_size < 2000
    monkeypatch.setattr(bounded_streams, "MAX_INFLATED", 50_000)
    with pytest.raises(SourceError, match="inflates") as caught:
        DicomFrameReader(path)
    assert caught.value.reason == "too_large"


def test_a_deflated_file_cut_short_gives_what_is_there(colours: Any, make_dataset: Make, save: Save) -> None:
    noise = np.random.default_rng(0).integers(0, 256, colours.shape, np.uint8)
    path = save(make_dataset(noise, "RGB", DeflatedExplicitVRLittleEndian))
    path.write_bytes(path.read_bytes()[:-3000])
    with DicomFrameReader(path) as clip:
        assert clip.frames == 2
        np.testing.assert_array_equal(clip.picture(1), noise[1])


# --- frames ----------------------------------------------------------------------------------------------------------


def test_frames_are_read_one_by_one(make_dataset: Make, save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a long cine reads nothing of its pixels, and a frame reads that frame."""
    path = save(make_dataset(np.arange(200, dtype=np.uint8).repeat(64 * 64).reshape(200, 64, 64), "MONOCHROME2"))
    read: list[int] = []

    class Counting(io.FileIO):
        def read(self, size: int = -1) -> bytes:
            data = super().read(size) or b""
            read.append(len(data))
            return data

    monkeypatch.setattr(Path, "open", lambda self, mode: Counting(self, mode))
    with DicomFrameReader(path) as clip:
        assert sum(read) < 4096
        read.clear()
        assert set(clip.picture(150).ravel()) == {150}
        assert sum(read) <= 64 * 64


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless], ids=lambda uid: uid.name)
@pytest.mark.parametrize("lost", [1, 2000, 20_000])
def test_a_file_cut_short_gives_its_whole_frames(
    syntax: Any, lost: int, colours: Any, make_dataset: Make, make_compressed: Make, save: Save
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, colours.shape, np.uint8)
    data = make_dataset(noise, "RGB")
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    path = save(data)
    path.write_bytes(path.read_bytes()[:-lost])
    frame = noise[0].nbytes
    with DicomFrameReader(path) as clip:
        assert clip.layout.frames == 3
        if syntax == ExplicitVRLittleEndian:
            assert clip.frames == 3 - -(-lost // frame)
        elif lost > 8:  # more than the end marker
            assert clip.frames == 3 - -(-lost // (frame + frame // 50))
        for index in range(clip.frames):
            np.testing.assert_array_equal(clip.picture(index), noise[index])


def test_more_frames_are_promised_than_there_are(colours: Any, make_dataset: Make, save: Save) -> None:
    with DicomFrameReader(save(make_dataset(colours, "RGB", NumberOfFrames=2_000_000_000))) as clip:
        assert clip.frames == 3


def test_the_extended_offset_table(colours: Any, make_compressed: Make, save: Save) -> None:
    options = {"rows": 48, "columns": 64, "samples_per_pixel": 3, "number_of_frames": 1, "bits_allocated": 8,
               "bits_stored": 8, "pixel_representation": 0, "planar_configuration": 0,
               "photometric_interpretation": "RGB"}  # fmt: skip
    encoded = [RLELosslessEncoder.encode(frame.tobytes(), **options) for frame in colours]
    data = make_compressed(encoded, colours, "RGB", RLELossless)
    data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(encoded)
    data["PixelData"].is_undefined_length = True
    with DicomFrameReader(save(data)) as clip:
        np.testing.assert_array_equal(clip.picture(1), colours[1])


# --- discretion ------------------------------------------------------------------------------------------------------


def test_nothing_of_the_patient_is_in_memory(colours: Any, make_dataset: Make, save: Save) -> None:
    with save(make_dataset(colours, "RGB")).open("rb") as stream:
        found = read_header(stream)
    assert "PatientName" not in found.elements
    assert "SECRET" not in repr(found.elements).upper()


@pytest.mark.parametrize(
    "name", ["badVR.dcm", "examples_ybr_color.dcm", "SC_rgb_jpeg.dcm", "reportsi_with_empty_number_tags.dcm"]
)
def test_no_warning_and_no_log_line_gets_out(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                with DicomFrameReader(real(name)) as clip:
                    clip.picture(0)
            except SourceError:
                pass
    finally:
        logging.getLogger().removeHandler(handler)
    assert caught == []
    assert records == []
    assert capfd.readouterr() == ("", "")


def test_warnings_as_errors_change_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with DicomFrameReader(real("badVR.dcm")) as clip:
            assert clip.picture(0).shape == (10, 10)


# --- garbage ---------------------------------------------------------------------------------------------------------

SEEDS = ["examples_ybr_color.dcm", "SC_rgb_rle_2frame.dcm", "MR_small.dcm", "SC_rgb_gdcm_KY.dcm", "image_dfl.dcm",
         "SC_rgb_small_odd_big_endian.dcm", "rtdose.dcm", "SC_rgb_jpeg_gdcm.dcm"]  # fmt: skip


def read_all(path: Path) -> None:
    """Raises nothing but `SourceError`."""
    try:
        with DicomFrameReader(path) as clip:
            for index in range(min(clip.frames, 3)):
                try:
                    picture = clip.picture(index)
                except SourceError:
                    continue
                assert picture.dtype == np.uint8
                assert picture.shape[:2] == (clip.layout.rows, clip.layout.columns)
    except SourceError:
        pass


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(SEEDS),
    keep=st.one_of(st.none(), st.floats(0, 1)),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    early=st.booleans(),
)
def test_broken_files_are_errors_with_words(
    name: str, keep: float | None, changes: list[tuple[float, int]], early: bool, tmp_path: Path
) -> None:
    data = bytearray(real(name).read_bytes())
    for place, value in changes:
        data[int(place * (min(len(data), 3000 if early else len(data)) - 1))] = value
    path = tmp_path / "broken.dcm"
    path.write_bytes(data if keep is None else data[: int(keep * len(data))])
    read_all(path)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400), preamble=st.booleans())
def test_random_bytes_are_errors_with_words(data: bytes, preamble: bool, tmp_path: Path) -> None:
    path = tmp_path / "random.dcm"
    path.write_bytes(bytes(128) + b"DICM" + data if preamble else data)
    read_all(path)


def test_a_broken_deflate_stream_is_an_error_with_words(tmp_path: Path) -> None:
    meta = struct.pack("<HH2sH", 2, 0x10, b"UI", 22) + b"1.2.840.10008.1.2.1.99"
    path = tmp_path / "broken.dcm"
    for body in (b"", b"not deflated at all", zlib.compress(b"x" * 100)):
        path.write_bytes(bytes(128) + b"DICM" + meta + body)
        with pytest.raises(SourceError):
            DicomFrameReader(path)
