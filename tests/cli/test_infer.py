"""``edge-cli infer``: every file gets an answer or a reason, in the form that was promised."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from dicom_source_files import write_dicom
from native_panic import PanicError
from sample_pictures import speckle, write_clip, write_png

from edge.cli.main import run
from edge.sources import images

KEYS = [
    *("path", "frame", "status", "reason", "malignancy", "suspicious", "call_uncertain", "lesions", "latency_ms"),
]
LESION_KEYS = ["box", "outline", "score", "long_axis_mm", "area_mm2", "descriptors"]
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
pytestmark = pytest.mark.usefixtures("scripted_runtime")


def huge_png(path, side=20_000):
    """A valid PNG of black, 400 million pixels in a few megabytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(1)
    rows = bytes((side + 1) * 500)
    body = b"".join(packer.compress(rows) for _ in range(side // 500)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    return path


def infer(capsys, *args):
    """Exit code, JSON objects, stderr."""
    code = run(["infer", *map(str, args), "--json"])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


def test_one_picture_has_exactly_the_promised_keys(tmp_path, capsys):
    path = write_png(tmp_path / "scan.png")
    code, (line,), _ = infer(capsys, path)
    assert code == 0
    assert list(line) == KEYS
    assert (line["path"], line["frame"], line["status"], line["reason"]) == (str(path), 0, "finding", None)
    assert line["malignancy"] == pytest.approx(0.8)
    assert (line["suspicious"], line["call_uncertain"]) == (True, False)
    (lesion,) = line["lesions"]
    assert list(lesion) == LESION_KEYS
    x, y, w, h = lesion["box"]
    assert 0 <= x < x + w <= 320
    assert 0 <= y < y + h <= 240
    assert all(x <= px <= x + w and y <= py <= y + h for px, py in lesion["outline"])
    assert lesion["long_axis_mm"] is None
    assert lesion["descriptors"]["taller_than_wide"] == pytest.approx(h / w, abs=0.01)
    assert line["latency_ms"]["total"] > 0


@pytest.mark.data
def test_dicom_with_a_calibrated_region_is_measured(capsys, data_dir):
    _, (line,), _ = infer(capsys, data_dir / "dicom" / "US-YBR_FULL_422-EVRLE.dcm")
    assert line["lesions"][0]["long_axis_mm"] > 1
    assert line["lesions"][0]["area_mm2"] > 1


def test_one_bad_file_of_a_mixed_folder_costs_that_file_only(tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    write_png(tmp_path / "a.png")
    write_png(tmp_path / "deep" / "b.jpg")
    write_clip(tmp_path / "clip.avi")
    (tmp_path / "echo").write_bytes((SHIPPED / "examples_rgb_color.dcm").read_bytes())  # DICOM without an ending
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")  # a medium's table of contents
    code, lines, err = infer(capsys, tmp_path)
    assert code == 5
    by_name = {}
    for line in lines:
        by_name.setdefault(Path(line["path"]).name, []).append(line)
    assert {name: [line["frame"] for line in each] for name, each in by_name.items()} == {
        "a.png": [0],
        "b.jpg": [0],
        "broken.png": [None],
        "clip.avi": [0, 1, 2, 3, 4],
        "echo": [0],
    }
    (broken,) = by_name.pop("broken.png")
    assert list(broken) == KEYS
    assert (broken["status"], broken["reason"]) == ("no_result", "decode_error")
    assert (broken["malignancy"], broken["suspicious"], broken["lesions"], broken["latency_ms"]) == (None, None, [], {})
    assert broken["call_uncertain"] is False
    (echo,) = by_name.pop("echo")
    assert (echo["status"], echo["reason"]) == ("abstained", "colour_doppler")  # a node in power Doppler
    assert all(line["status"] == "finding" for each in by_name.values() for line in each)
    assert "broken.png: " in err
    assert "1 other file" in err


def test_named_files_are_answered_whatever_they_are(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no picture")
    good = write_png(tmp_path / "good.png")
    code, lines, err = infer(capsys, tmp_path / "notes.txt", tmp_path / "missing.png", good)
    assert code == 5
    assert [line["status"] for line in lines] == ["no_result", "no_result", "finding"]
    assert "there is no such file" in err


def test_a_file_that_is_named_twice_is_answered_once(tmp_path, capsys):
    path = write_png(tmp_path / "scan.png")
    (tmp_path / "link.png").symlink_to(path)
    _, lines, _ = infer(capsys, path, tmp_path, path)
    assert len(lines) == 1


def test_tiny_and_black_pictures_are_answered(tmp_path, capsys):
    write_png(tmp_path / "1x1.png", speckle(1, 1))
    write_png(tmp_path / "black.png", np.zeros((100, 100), np.uint8))
    code, lines, _ = infer(capsys, tmp_path)
    assert code == 0
    assert [(line["status"], line["reason"]) for line in lines] == [("abstained", "too_small"), ("abstained", "black")]


@pytest.mark.slow
def test_a_huge_picture_is_refused_unread(tmp_path, capsys):
    good = write_png(tmp_path / "good.png")
    code, lines, _ = infer(capsys, huge_png(tmp_path / "huge.png"), good)
    assert code == 5
    assert (lines[0]["status"], lines[0]["reason"]) == ("no_result", "too_large")
    assert lines[1]["status"] == "finding"


@pytest.mark.parametrize("keep", [0, 100, 400, 5000])
def test_truncated_dicom_is_a_reason_and_nothing_else(tmp_path, capsys, keep):
    path = tmp_path / "cut.dcm"
    path.write_bytes((SHIPPED / "examples_rgb_color.dcm").read_bytes()[:keep])
    code, (cut, good), _ = infer(capsys, path, write_png(tmp_path / "good.png"))
    assert code == 5
    assert (cut["status"], cut["reason"], cut["frame"]) == ("no_result", "decode_error", None)
    assert good["status"] == "finding"


def test_what_a_file_says_wrongly_is_told_once_on_stderr(tmp_path, capsys):
    """No frame is missing: no answer is spent on it, and the exit code is that of success."""
    region = pydicom.Dataset()
    region.RegionSpatialFormat = region.RegionDataType = 1
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 319, 239
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.9
    path = write_dicom(
        tmp_path / "a.dcm",
        np.stack([speckle(seed=seed) for seed in range(3)]),
        NumberOfFrames=1,
        SequenceOfUltrasoundRegions=[region],
    )
    code, lines, err = infer(capsys, path)
    assert code == 0
    assert [line["frame"] for line in lines] == [0, 1, 2]
    assert {line["lesions"][0]["long_axis_mm"] for line in lines} == {None}
    told = [line.removeprefix(f"{path}: ") for line in err.splitlines() if line.startswith(str(path))]
    assert told == [
        "more frames than announced: the header says 1, 3 are there; all are read",
        "no millimetres: pixels of 9 x 9 mm make a field of view of 2880 x 2160 mm, which no scanner has",
    ]


def test_pictures_that_are_left_out_are_an_answer(tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(cv2.imencode(".jpg", speckle())[1].tobytes() * 2)
    code, lines, err = infer(capsys, tmp_path / "a.jpg")
    assert code == 5
    assert [line["status"] for line in lines] == ["finding", "no_result"]
    assert "1 more picture" in err


def test_nothing_readable_is_an_error_in_two_lines(tmp_path, capsys):
    for args in ([tmp_path / "missing.png"], [tmp_path]):
        assert run(["infer", *map(str, args)]) == 5
        err = capsys.readouterr().err.splitlines()
        assert [line.split(": ")[0] for line in err] == ["error", "hint"]


def test_a_frame_that_could_not_be_computed_is_unanswered(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("EDGE_RUNTIME__URI", "scripted://?nan_at=2")
    code, lines, _ = infer(capsys, write_clip(tmp_path / "clip.avi", frames=3))
    assert code == 5
    assert [(line["status"], line["reason"]) for line in lines] == [
        ("finding", None),
        ("no_result", "nan_output"),
        ("finding", None),
    ]


def test_no_such_model(tmp_path, capsys):
    assert run(["infer", str(write_png(tmp_path / "a.png")), "--model", str(tmp_path / "none.tflite")]) == 4
    assert capsys.readouterr().err.startswith("error: ")


def test_a_folder_without_pictures_says_what_it_has(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no picture")
    assert run(["infer", str(tmp_path)]) == 5
    assert "only 1 other file" in capsys.readouterr().err


@pytest.mark.data
def test_every_dicom_file_at_hand_gets_an_answer_or_a_reason(capsys, data_dir):
    files = sorted((data_dir / "dicom").iterdir())
    _, lines, _ = infer(capsys, *files)
    assert {Path(line["path"]) for line in lines} == set(files)
    unanswered = [line for line in lines if line["status"] == "no_result"]
    assert all(line["reason"] for line in unanswered)
    assert {Path(line["path"]).name for line in unanswered} <= {"jpeg-ls-Palette.dcm"}


@pytest.mark.parametrize("where", ["decode_picture", "ImagesSource.read", "ImagesSource.open"])
def test_a_native_panic_costs_one_file_and_is_exit_5(where, tmp_path, capsys, monkeypatch):
    for name in ("1.png", "2.png", "3.png"):
        write_png(tmp_path / name)
    owner = images.ImagesSource if "." in where else images
    name = where.split(".")[-1]
    really, calls = getattr(owner, name), []

    def panics(*args):
        calls.append(args)
        if (len(calls) == 2 and name != "read") or (name == "read" and args[0]._root.endswith("2.png")):
            raise PanicError("index out of range")
        return really(*args)

    monkeypatch.setattr(owner, name, panics)
    code, lines, _ = infer(capsys, tmp_path)
    assert code == 5
    assert [line["status"] for line in lines] == ["finding", "no_result", "finding"]
    assert lines[1]["reason"] == "decode_error"
