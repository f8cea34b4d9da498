"""DICOM files and folders as a source."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    UltrasoundMultiFrameImageStorage,
    generate_uid,
)

from edge.config.settings import StreamSettings
from edge.config.uri import parse_uri
from edge.contracts.errors import SourceError, UsageError
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.region import Region
from edge.dicom import clip as clip_module
from edge.dicom import prefetch
from edge.dicom.codecs import NoDecoderError
from edge.sources.dicom import DicomSource

if TYPE_CHECKING:
    from numpy.typing import NDArray


def source(path: Path, query: str = "") -> DicomSource:
    uri = f"dicom://{path}{query}"
    return DicomSource(parse_uri(uri), StreamSettings(name="x", source=uri))


def read_all(path: Path, query: str = "") -> tuple[list[Frame], list[SourceEvent]]:
    """Frames and events but the last, which must be ``ended``."""
    opened = source(path, query)
    opened.open()
    frames: list[Frame] = []
    events: list[SourceEvent] = []
    for _ in range(1000):
        item = opened.read(1.0)
        assert item is not None
        if isinstance(item, Frame):
            frames.append(item)
        elif item.kind == "ended":
            opened.close()
            return frames, events
        else:
            assert item.kind == "skipped"
            assert item.detail
            events.append(item)
    pytest.fail("it does not end")


def real(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    return Path(path)


def cine(frames: int = 3, value: int = 0) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([(x * 3 + y + 10 * k + value) % 200 for k in range(frames)]).astype(np.uint8)


def region() -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0, item.RegionLocationMinY0 = 5, 4
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = 54, 33
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX, item.PhysicalDeltaY = 0.02, 0.03
    return item


def write(path: Path, pixels: NDArray[np.uint8], **elements: Any) -> Path:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = elements.pop("syntax", ExplicitVRLittleEndian)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.PatientName, data.StudyInstanceUID, data.Modality = "Secret^Name", generate_uid(), "US"
    data.BodyPartExamined, data.Laterality, data.FrameTime = "BREAST", "L", "40"
    data.Manufacturer, data.ManufacturerModelName, data.TransducerData = "ACME", "Scan", "L12-5"
    data.NumberOfFrames, data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.SequenceOfUltrasoundRegions = [region()]
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OB"
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data["PixelData"].is_undefined_length = data.file_meta.TransferSyntaxUID.is_encapsulated
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


# --- good files ------------------------------------------------------------------------------------------------------


def test_a_cine(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", cine())
    frames, events = read_all(path)
    assert events == []
    for frame, expected in zip(frames, cine(), strict=True):
        np.testing.assert_array_equal(frame.pixels, expected)
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.media_ns for frame in frames] == [0, 40_000_000, 80_000_000]
    assert {frame.regions for frame in frames} == {(Region((5, 4, 50, 30), 0.2, 0.3, "dicom"),)}
    assert [frame.origin.frame_index for frame in frames] == [0, 1, 2]
    first = frames[0].origin
    assert (first.path, first.clip, first.body_part, first.laterality) == (str(path), 0, "BREAST", "L")
    assert (first.equipment.manufacturer, first.equipment.model, first.equipment.probe) == ("ACME", "Scan", "L12-5")
    assert first.sop_instance_uid
    assert len(first.study or "") == 16
    assert "Secret" not in repr(frames)


def test_a_folder_by_content_in_natural_order(tmp_path: Path) -> None:
    write(tmp_path / "IM10", cine(value=10))
    write(tmp_path / "IM2", cine(value=2))
    write(tmp_path / "sub" / "x.dcm", cine(1, value=99))
    (tmp_path / "readme.txt").write_text("no picture " * 50)
    (tmp_path / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    write(tmp_path / "DICOMDIR", cine(1))
    frames, events = read_all(tmp_path)
    assert events == []
    assert [Path(frame.origin.path or "").name for frame in frames] == ["IM2"] * 3 + ["IM10"] * 3 + ["x.dcm"]
    assert [frame.origin.clip for frame in frames] == [0, 0, 0, 1, 1, 1, 2]
    assert [frame.seq for frame in frames] == list(range(7))
    assert len({frame.origin.study for frame in frames}) == 3
    assert frames[3].pixels[0, 0] == 10


def test_the_cine_that_everybody_has() -> None:
    """A heart in JPEG; its regions are those of the picture before it was made smaller, so they do not hold."""
    frames, events = read_all(real("examples_ybr_color.dcm"))
    assert events == []
    assert len(frames) == 30
    assert {frame.pixels.shape for frame in frames} == {(240, 320, 3)}
    assert {frame.regions for frame in frames} == {()}
    assert [frame.media_ns for frame in frames] == [33_333_000 * index for index in range(30)]
    assert len({frame.pixels.tobytes() for frame in frames}) > 25, "a heart that beats"
    assert frames[0].origin.equipment.manufacturer == "SonoSite, Inc."


# --- in colour or grey -----------------------------------------------------------------------------------------------


def colour_cine(path: Path, tint: tuple[float, float, float], syntax: Any = JPEGBaseline8Bit) -> Path:
    """Three frames, each channel (R, G, B) of them ``tint`` times as bright."""
    rgb = (cine()[..., None] * np.array(tint)).astype(np.uint8)
    data = rgb.tobytes()
    if syntax == JPEGBaseline8Bit:
        data = encapsulate([cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes() for frame in rgb])
    kind = "YBR_FULL_422" if syntax == JPEGBaseline8Bit else "RGB"
    return write(
        *(path, cine()),
        syntax=syntax, SamplesPerPixel=3, PhotometricInterpretation=kind, PlanarConfiguration=0, PixelData=data,
    )  # fmt: skip


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, ExplicitVRLittleEndian])
@pytest.mark.parametrize(("tint", "most"), [((1, 1, 1), 0), ((1, 0.95, 0.9), 2)])
def test_all_is_grey_if_that_is_wanted(tmp_path: Path, syntax: Any, tint: Any, most: int) -> None:
    """By the model's recipe. The luminance of a JPEG, not rounded in between, may be off where it is tinted."""
    path = colour_cine(tmp_path / "a.dcm", tint, syntax)
    frames, events = read_all(path)
    greys, _ = read_all(path, "?decode=grey")
    assert events == []
    assert [frame.pixels.shape for frame in frames] == [(40, 60, 3)] * 3
    for frame, grey in zip(frames, greys, strict=True):
        recipe = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY)
        assert grey.pixels.shape == (40, 60)
        assert grey.pixels.flags.c_contiguous
        assert np.abs(grey.pixels.astype(int) - recipe).max() <= (most if syntax == JPEGBaseline8Bit else 0)
        assert (grey.regions, grey.media_ns, grey.origin) == (frame.regions, frame.media_ns, frame.origin)


def test_grey_is_what_the_file_says_a_jpeg_holds(tmp_path: Path) -> None:
    """A JPEG of red, green and blue without a marker that says so: its first component is red, not a luminance."""
    planes = np.stack([cine(), cine() // 2, cine() // 3], axis=-1)
    coded = []
    for frame in planes:  # as YBR, for OpenCV writes nothing else; then without what says that
        data = cv2.imencode(".jpg", frame[:, :, ::-1])[1].tobytes()
        assert data[2:4] == b"\xff\xe0"
        coded.append(data[:2] + data[4 + int.from_bytes(data[4:6], "big") :])
    path = write(
        *(tmp_path / "a.dcm", cine()),
        syntax=JPEGBaseline8Bit, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        PixelData=encapsulate(coded),
    )  # fmt: skip
    for frame, grey in zip(read_all(path)[0], read_all(path, "?decode=grey")[0], strict=True):
        np.testing.assert_array_equal(grey.pixels, cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY))


def test_what_is_grey_stays_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", cine())
    for frame, expected in zip(read_all(path, "?decode=grey")[0], cine(), strict=True):
        np.testing.assert_array_equal(frame.pixels, expected)


def test_parameters_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="decode='gray' is not valid"):
        source(tmp_path, "?decode=gray")
    with pytest.raises(UsageError, match="does not know the parameter 'pace'"):
        source(tmp_path, "?pace=max")


# --- decoded ahead ---------------------------------------------------------------------------------------------------


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(prefetch, "MIN_PIXELS", 1)


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def jpeg_cine(path: Path, broken: int | None = None) -> Path:
    encoded = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in cine(20)]
    if broken is not None:
        encoded[broken] = encoded[broken][:100]
    return write(path, cine(20), syntax=JPEGBaseline8Bit, PixelData=encapsulate(encoded))


def test_threads_change_nothing_that_is_read(
    tmp_path: Path, three_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, broken in enumerate((None, 7, 19)):
        jpeg_cine(tmp_path / f"{number}.dcm", broken)
    (tmp_path / "1.dcm").write_bytes((tmp_path / "1.dcm").read_bytes()[:-500])
    with_threads = read_all(tmp_path)
    assert decoding_threads() == []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    directly = read_all(tmp_path)
    assert with_threads[1] == directly[1]
    assert len(directly[1]) == 3  # a broken frame, a cut file, a broken frame
    for frame, other in zip(with_threads[0], directly[0], strict=True):
        assert (frame.seq, frame.media_ns, frame.origin) == (other.seq, other.media_ns, other.origin)
        np.testing.assert_array_equal(frame.pixels, other.pixels)


def test_closing_from_another_thread_while_frames_are_read(tmp_path: Path, three_cores: None) -> None:
    opened = source(jpeg_cine(tmp_path / "a.dcm"))
    for stop_after in range(6):
        opened.open()
        started = threading.Event()
        seen: list[Frame | SourceEvent] = []

        def read_on(started: threading.Event = started, seen: list[Frame | SourceEvent] = seen) -> None:
            while (item := opened.read(1.0)) is not None:
                seen.append(item)
                started.set()

        reader = threading.Thread(target=read_on, daemon=True)
        for _ in range(stop_after):
            assert isinstance(opened.read(1.0), Frame)
        reader.start()
        assert started.wait(120)
        opened.close()
        reader.join(120)
        assert not reader.is_alive()
        assert decoding_threads() == []


def test_a_missing_decoder_is_said_once_with_threads_too(
    tmp_path: Path, three_cores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_decoder(*_: object, **__: object) -> None:
        raise NoDecoderError("no decoder for it")

    monkeypatch.setattr(clip_module, "decode_frame", no_decoder)
    frames, (event,) = read_all(jpeg_cine(tmp_path / "a.dcm"))
    assert frames == []
    assert "no decoder for it" in event.detail
    assert decoding_threads() == []


# --- bad files -------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_dicom_is_said_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    for data in (b"", b"hello", bytes(500)):
        path.write_bytes(data)
        with pytest.raises(SourceError, match=r"a\.dcm") as caught:
            source(path).open()
        assert caught.value.hint


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(SourceError, match="no file to read"):
        source(tmp_path).open()


def test_a_broken_file_that_is_called_dicom_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    write(tmp_path / "1.dcm", cine(1))
    (tmp_path / "2.dcm").write_bytes(b"")
    frames, (event,) = read_all(tmp_path)
    assert len(frames) == 1
    assert event.path == str(tmp_path / "2.dcm")


def test_no_pixels(tmp_path: Path) -> None:
    frames, (event,) = read_all(real("test-SR.dcm"))
    assert frames == []
    assert event.reason.value == "decode_error"
    assert "holds no picture: Comprehensive SR" in event.detail


def test_an_image_file_without_its_pixels_says_what_it_is(tmp_path: Path) -> None:
    data = pydicom.dcmread(write(tmp_path / "a.dcm", cine(1)))
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


def test_no_decoder_is_said_once_a_file(tmp_path: Path) -> None:
    if get_decoder(JPEGLSLossless).is_available:
        pytest.skip("the optional decoder is installed")
    path = write(tmp_path / "a.dcm", cine(), syntax=JPEGLSLossless, PixelData=encapsulate([b"12", b"34", b"56"]))
    frames, (event,) = read_all(path)
    assert frames == []
    assert event.reason.value == "decode_error"
    assert "JPEG-LS" in event.detail
    assert "pip install 'sonoedge[dicom]'" in event.detail


def test_too_large(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", cine(1), Rows=20_000, Columns=20_000)
    frames, (event,) = read_all(path)
    assert frames == []
    assert event.reason.value == "too_large"
    assert "20000 x 20000" in event.detail


def test_a_bad_frame_costs_that_frame(tmp_path: Path) -> None:
    encoded = [cv2.imencode(".jpg", frame)[1].tobytes() for frame in cine()]
    encoded[1] = encoded[1][:100]
    path = write(tmp_path / "a.dcm", cine(), syntax=JPEGBaseline8Bit, PixelData=encapsulate(encoded))
    frames, (event,) = read_all(path)
    assert [frame.origin.frame_index for frame in frames] == [0, 2]
    assert [frame.seq for frame in frames] == [0, 1]
    assert [frame.media_ns for frame in frames] == [0, 80_000_000]
    assert "frame 2 of 3" in event.detail


def test_a_file_cut_short_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", cine())
    path.write_bytes(path.read_bytes()[:-10])
    frames, (event,) = read_all(path)
    assert len(frames) == 2
    assert event.reason.value == "decode_error"
    assert "2 of 3 frames" in event.detail


def test_one_bad_file_of_a_hundred_costs_that_file_only(tmp_path: Path) -> None:
    whole = write(tmp_path / "0.dcm", np.full((1, 40, 60), 0, np.uint8)).read_bytes()
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
    whole = real(name).read_bytes()
    at = int(place * len(whole))
    (tmp_path / "a.dcm").write_bytes(data)
    (tmp_path / "b.dcm").write_bytes(bytes(128) + b"DICM" + data)
    (tmp_path / "c.dcm").write_bytes(whole[: int(keep * len(whole))])
    (tmp_path / "d.dcm").write_bytes(whole[:at] + data + whole[at + len(data) :])
    frames, events = read_all(tmp_path)
    assert len(frames) + len(events) >= 4


# --- real files ------------------------------------------------------------------------------------------------------

EXPECTED = {
    "OBXXXX1A_rle_2frame.dcm": (2, (600, 800, 3), [(120, 60, 680, 459)]),
    "US-PAL-8-10x-echo": (10, (430, 600, 3), []),
    "US-RGB-8-epicard": (1, (480, 640, 3), []),
    "US-YBR_FULL_422-EVRLE.dcm": (1, (555, 800, 3), [(184, 75, 616, 480)]),
    "YBR_422.dcm": (1, (555, 800, 3), [(184, 75, 616, 480)]),
    "gdcm-US-ALOKA-16.dcm": (1, (480, 640, 3), [(32, 24, 304, 392), (336, 24, 304, 392)]),
    "no-pixel-spacing.dcm": (1, (600, 800, 3), [(120, 60, 680, 459)]),
    "sonoque_anechoic-3mm-3mm.dcm": (1, (1455, 2083, 3), [(0, 0, 2083, 1455)]),
}


@pytest.mark.data
def test_every_real_file_gives_frames_or_a_reason(data_dir: Path) -> None:
    frames, events = read_all(data_dir / "dicom")
    found: dict[str, list[Frame]] = {}
    for frame in frames:
        found.setdefault(os.path.basename(frame.origin.path or ""), []).append(frame)
    skipped = {os.path.basename(event.path or ""): event.detail for event in events}
    if "jpeg-ls-Palette.dcm" in found:  # the optional decoder is installed
        assert len(found.pop("jpeg-ls-Palette.dcm")) == 10
        assert skipped == {}
    else:
        assert list(skipped) == ["jpeg-ls-Palette.dcm"]
        assert "JPEG-LS" in skipped["jpeg-ls-Palette.dcm"]
    assert set(found) == set(EXPECTED)
    for name, (count, shape, boxes) in EXPECTED.items():
        assert len(found[name]) == count, name
        assert {frame.pixels.shape for frame in found[name]} == {shape}, name
        assert [region.box for region in found[name][0].regions] == boxes, name
        assert all(region.calibrated for region in found[name][0].regions), name


@pytest.mark.data
def test_colours_of_a_real_doppler_picture(data_dir: Path) -> None:
    """Power Doppler is yellow and orange, never blue; the tissue around it is grey."""
    (frame,), _ = read_all(data_dir / "dicom" / "US-RGB-8-epicard")
    red, green, blue = frame.pixels[150:280, 250:400].reshape(-1, 3).mean(axis=0)
    assert red > green > blue + 40
    tissue = frame.pixels[120:140, 300:340].astype(int)
    assert np.ptp(tissue, axis=2).mean() < 5


@pytest.mark.data
def test_the_millimetres_of_a_phantom_are_right(data_dir: Path) -> None:
    """The file's name says it: cysts of 3 mm in diameter, dark in grey."""
    (frame,), _ = read_all(data_dir / "dicom" / "sonoque_anechoic-3mm-3mm.dcm")
    (found,) = frame.regions
    dark = (frame.pixels[500:700, 700:1000].max(axis=2) < 12).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8)))
    _, _, w, h, _ = max(stats[1:].tolist(), key=lambda part: part[4])
    assert found.mm_x is not None
    assert 2.0 < w * found.mm_x < 4.0
    assert 2.0 < h * found.mm_x < 4.0
