"""DICOM files that are broken, cut short, too large, or hold no picture cost themselves alone, and say why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pydicom
import pytest
from dicom_source_files import cine, dicom_source, pydicom_file, read_all, write_dicom
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import UID, HTJ2KLossless, JPEGBaseline8Bit, JPEGLSLossless

from edge.contracts.errors import SourceError
from edge.dicom import pydicom_decoders

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_that_is_not_dicom_is_said_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    for data in (b"", b"hello", bytes(500)):
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"a\.dcm") as caught:
            dicom_source(path).open()
        assert caught.value.hint


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(SourceError, match="no file to read"):
        dicom_source(tmp_path).open()


def test_a_broken_file_that_is_called_dicom_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    write_dicom(tmp_path / "1.dcm", cine(1))
    (tmp_path / "2.dcm").write_bytes(b"")
    frames, (event,) = read_all(tmp_path)
    assert len(frames) == 1
    assert event.path == str(tmp_path / "2.dcm")


def test_no_pixels(tmp_path: Path) -> None:
    frames, (event,) = read_all(pydicom_file("test-SR.dcm"))
    assert frames == []
    assert event.reason.value == "decode_error"
    assert "holds no picture: Comprehensive SR" in event.detail


def test_an_image_file_without_its_pixels_says_what_it_is(tmp_path: Path) -> None:
    data = pydicom.dcmread(write_dicom(tmp_path / "a.dcm", cine(1)))
    data.Modality = "US"
    del data.PixelData
    data.save_as(tmp_path / "a.dcm")
    frames, (event,) = read_all(tmp_path / "a.dcm")
    assert frames == []
    assert "holds no picture: Ultrasound" in event.detail
    assert "(modality US)" in event.detail
    assert "not DICOM" not in event.detail
    data.SOPClassUID = "1.2.3.4"
    with pytest.warns(UserWarning, match="Invalid value"):
        data.Modality = "<b>"  # not what a modality looks like
    data.save_as(tmp_path / "a.dcm")
    _, (event,) = read_all(tmp_path / "a.dcm")
    assert "<b>" not in event.detail


@pytest.mark.parametrize("syntax", [JPEGLSLossless, HTJ2KLossless])
def test_no_decoder_is_said_once_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: UID) -> None:
    monkeypatch.setattr(pydicom_decoders, "_available", lambda syntax: ())
    data = encapsulate([b"12", b"34", b"56"])
    path = write_dicom(tmp_path / "a.dcm", cine(), syntax=syntax, PixelData=data)
    frames, (event,) = read_all(tmp_path)
    assert frames == []
    assert event.reason.value == "decode_error"
    assert str(syntax) in event.detail
    assert "pip install" in event.detail
    assert "[dicom]" in event.detail
    with pytest.raises(SourceError, match="no decoder"):  # the one file that was named: nothing could come of it
        dicom_source(path).open()


def test_too_large(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", cine(1), Rows=20_000, Columns=20_000)
    frames, (event,) = read_all(path)
    assert frames == []
    assert event.reason.value == "too_large"
    assert "20000 x 20000" in event.detail


def test_a_bad_frame_costs_that_frame(tmp_path: Path) -> None:
    encoded = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in cine()]
    encoded[1] = encoded[1][:100]
    path = write_dicom(tmp_path / "a.dcm", cine(), syntax=JPEGBaseline8Bit, PixelData=encapsulate(encoded))
    frames, (event,) = read_all(path)
    assert [frame.origin.frame_index for frame in frames] == [0, 2]
    assert [frame.seq for frame in frames] == [0, 1]
    assert [frame.media_ns for frame in frames] == [0, 80_000_000]
    assert "frame 2 of 3" in event.detail


def test_a_file_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", cine())
    path.write_bytes(path.read_bytes()[:-10])
    frames, (event,) = read_all(path)
    assert len(frames) == 2
    assert event.reason.value == "decode_error"
    assert "2 of 3 frames" in event.detail


def test_one_bad_file_of_a_hundred_costs_that_file_only(tmp_path: Path) -> None:
    whole = write_dicom(tmp_path / "0.dcm", np.full((1, 40, 60), 0, np.uint8)).read_bytes()
    for number in range(100):
        pixels = bytes([number]) * 2400
        data = whole[:600] if number == 42 else whole[: -len(pixels)] + pixels
        (tmp_path / f"{number}.dcm").write_bytes(data)
    frames, (event,) = read_all(tmp_path)
    assert event.path == str(tmp_path / "42.dcm")
    assert [int(frame.pixels[0, 0]) for frame in frames] == [number for number in range(100) if number != 42]


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200),
    keep=st.floats(0, 1),
    place=st.floats(0, 1),
    name=st.sampled_from(["examples_ybr_color.dcm", "SC_rgb_rle_2frame.dcm", "MR_small.dcm", "image_dfl.dcm"]),
)
def test_garbage_never_raises_out_of_read(data: bytes, keep: float, place: float, name: str, tmp_path: Path) -> None:
    whole = pydicom_file(name).read_bytes()
    at = int(place * len(whole))
    (tmp_path / "a.dcm").write_bytes(data)
    (tmp_path / "b.dcm").write_bytes(bytes(128) + b"DICM" + data)
    (tmp_path / "c.dcm").write_bytes(whole[: int(keep * len(whole))])
    (tmp_path / "d.dcm").write_bytes(whole[:at] + data + whole[at + len(data) :])
    frames, events = read_all(tmp_path)
    assert len(frames) + len(events) >= 4
