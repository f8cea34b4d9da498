"""DICOM files and folders as a source: frames in order, colour or grey, and real files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from dicom_source_files import cine, dicom_source, pydicom_file, read_all, write_dicom
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from edge.contracts.errors import UsageError
from edge.contracts.region import Region

if TYPE_CHECKING:
    from edge.contracts.frames import Frame


def test_a_cine(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", cine())
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
    write_dicom(tmp_path / "IM10", cine(value=10))
    write_dicom(tmp_path / "IM2", cine(value=2))
    write_dicom(tmp_path / "sub" / "x.dcm", cine(1, value=99))
    (tmp_path / "readme.txt").write_text("no picture " * 50)
    (tmp_path / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    write_dicom(tmp_path / "DICOMDIR", cine(1))
    frames, events = read_all(tmp_path)
    assert events == []
    assert [Path(frame.origin.path or "").name for frame in frames] == ["IM2"] * 3 + ["IM10"] * 3 + ["x.dcm"]
    assert [frame.origin.clip for frame in frames] == [0, 0, 0, 1, 1, 1, 2]
    assert [frame.seq for frame in frames] == list(range(7))
    assert len({frame.origin.study for frame in frames}) == 3
    assert frames[3].pixels[0, 0] == 10


def test_the_cine_that_everybody_has() -> None:
    """A heart in JPEG; its regions are those of the picture before it was made smaller, so they do not hold."""
    frames, events = read_all(pydicom_file("examples_ybr_color.dcm"))
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
    return write_dicom(
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
    path = write_dicom(
        *(tmp_path / "a.dcm", cine()),
        syntax=JPEGBaseline8Bit, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        PixelData=encapsulate(coded),
    )  # fmt: skip
    for frame, grey in zip(read_all(path)[0], read_all(path, "?decode=grey")[0], strict=True):
        np.testing.assert_array_equal(grey.pixels, cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2GRAY))


def test_what_is_grey_stays_as_it_is(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "a.dcm", cine())
    for frame, expected in zip(read_all(path, "?decode=grey")[0], cine(), strict=True):
        np.testing.assert_array_equal(frame.pixels, expected)


def test_parameters_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="decode='gray' is not valid"):
        dicom_source(tmp_path, "?decode=gray")
    with pytest.raises(UsageError, match="does not know the parameter 'pace'"):
        dicom_source(tmp_path, "?pace=max")


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
