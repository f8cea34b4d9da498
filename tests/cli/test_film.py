"""``infer --overlay film.mp4``: the clip's frames with what was found, a slate for each that failed; its summary."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from dicom_source_files import write_dicom
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from sample_pictures import speckle, write_clip, write_png

from edge.cli.main import run
from edge.infer import film as film_module

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("scripted_runtime")
WHOLE, BAD = object(), b"not a picture"


def jpeg_cine(path: Path, *frames: object, **elements: object) -> Path:
    """A JPEG cine of 240 x 320 at 25 frames a second; ``BAD`` frames cannot be decoded."""
    good = cv2.imencode(".jpg", speckle())[1].tobytes()
    data = encapsulate([good if frame is WHOLE else BAD for frame in frames])
    pixels = np.zeros((len(frames), 240, 320), np.uint8)
    return write_dicom(path, pixels, syntax=JPEGBaseline8Bit, PixelData=data, **{"FrameTime": 40, **elements})


def frames_of(path: Path) -> tuple[list[np.ndarray], float]:
    """All frames of a film, RGB, and its frames a second."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert capture.isOpened()
    fps, frames = capture.get(cv2.CAP_PROP_FPS), []
    while (item := capture.read())[0]:
        frames.append(cv2.cvtColor(item[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return frames, fps


def is_slate(frame: np.ndarray) -> bool:
    """Whether the picture is black but for the red cross: its middle is red, and beside it is nothing."""
    red, green, blue = (int(v) for v in frame[117:124, 157:164].reshape(-1, 3).max(0))
    return red > 100 and red > 2 * green and red > 2 * blue and frame[20:60, 140:180].mean() < 12


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".mkv", ".mov", ".MP4"])
def test_a_clip_becomes_a_film_of_as_many_frames_and_the_same_rate(tmp_path, capsys, ending) -> None:
    clip = write_clip(tmp_path / "clip.avi", 7)
    target = tmp_path / f"film{ending}"
    assert run(["infer", str(clip), "--overlay", str(target)]) == 0
    frames, fps = frames_of(target)
    assert (len(frames), fps) == (7, pytest.approx(10))
    assert not any(map(is_slate, frames))
    assert frames[0].shape[1] == 320
    assert frames[0].shape[0] > 260  # and the words below
    assert sorted(os.listdir(tmp_path)) == sorted(["clip.avi", target.name])


def test_a_frame_that_failed_is_a_slate_in_its_place(tmp_path, capsys) -> None:
    clip = jpeg_cine(tmp_path / "a.dcm", BAD, WHOLE, BAD, WHOLE, WHOLE)
    assert run(["infer", str(clip), "--overlay", str(tmp_path / "film.mp4")]) == 5
    frames, fps = frames_of(tmp_path / "film.mp4")
    assert fps == pytest.approx(25)
    assert [is_slate(frame) for frame in frames] == [True, False, True, False, False]


def test_a_failure_at_the_end_is_shown_long_enough_to_be_seen(tmp_path, capsys) -> None:
    clip = jpeg_cine(tmp_path / "a.dcm", WHOLE, WHOLE, BAD)
    run(["infer", str(clip), "--overlay", str(tmp_path / "film.mp4")])
    frames, _ = frames_of(tmp_path / "film.mp4")
    assert not is_slate(frames[1])
    assert len(frames) == 2 + 50
    assert all(map(is_slate, frames[2:]))


def test_a_clip_without_one_frame_is_an_error_and_no_film(tmp_path, capsys) -> None:
    clip = jpeg_cine(tmp_path / "a.dcm", BAD, BAD)
    assert run(["infer", str(clip), "--overlay", str(tmp_path / "film.mp4")]) == 5
    assert os.listdir(tmp_path) == ["a.dcm"]


@pytest.mark.parametrize(("name", "said"), [("film.webm", "not written here"), ("film.gif", "not written here"),
                                            ("no/film.mp4", "cannot be written")])  # fmt: skip
def test_a_film_that_cannot_be_written_is_refused_before_anything_is_judged(tmp_path, capsys, name, said) -> None:
    clip = write_clip(tmp_path / "clip.avi")
    assert run(["infer", str(clip), "--overlay", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert os.listdir(tmp_path) == ["clip.avi"]


def test_an_opencv_without_the_codec_is_named(tmp_path, capsys, monkeypatch) -> None:
    class NoCodec:
        def __init__(self, *_: object) -> None: ...

        def isOpened(self) -> bool:  # noqa: N802  (OpenCV's name)
            return False

        fourcc = staticmethod(cv2.VideoWriter.fourcc)

    clip = write_clip(tmp_path / "clip.avi")
    monkeypatch.setattr(film_module.cv2, "VideoWriter", NoCodec)
    assert run(["infer", str(clip), "--overlay", str(tmp_path / "film.mp4")]) == 2
    err = capsys.readouterr().err
    assert "mp4v" in err
    assert cv2.__version__ in err
    assert os.listdir(tmp_path) == ["clip.avi"]


def test_frames_that_were_not_all_written_make_no_film(tmp_path, capsys, monkeypatch) -> None:
    clip = write_clip(tmp_path / "clip.avi")
    monkeypatch.setattr(film_module.OverlayFilm, "_open", lambda self, size: Loses(self, size))
    assert run(["infer", str(clip), "--overlay", str(tmp_path / "film.mp4")]) == 5
    assert "of 5 frames are in it" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["clip.avi"]


class Loses:
    """A writer on a disk that takes no more: OpenCV says nothing of it."""

    def __init__(self, film: film_module.OverlayFilm, size: tuple[int, int]) -> None:
        fourcc = cv2.VideoWriter.fourcc(*"mp4v")
        self.writer, self.taken = cv2.VideoWriter(film._native_part, cv2.CAP_FFMPEG, fourcc, film.fps, size), 0

    def write(self, picture: np.ndarray) -> None:
        self.taken += 1
        if self.taken <= 2:
            self.writer.write(picture)

    def release(self) -> None:
        self.writer.release()


def test_several_inputs_are_no_film(tmp_path, capsys) -> None:
    write_clip(tmp_path / "a.avi")
    write_png(tmp_path / "b.png")
    assert run(["infer", str(tmp_path), "--overlay", str(tmp_path / "film.mp4")]) == 2
    assert "2 inputs" in capsys.readouterr().err


def test_a_name_that_is_not_utf8_is_read_and_written(tmp_path, capsys) -> None:
    """OpenCV crashes on such a path, and the process with it."""
    folder = tmp_path / os.fsdecode(b"f\xff")
    folder.mkdir()
    clip = write_clip(tmp_path / "clip.avi").rename(folder / os.fsdecode(b"c\xfe.avi"))
    assert run(["infer", str(clip), "--overlay", str(folder / os.fsdecode(b"o\xfd.mp4"))]) == 0
    (folder / os.fsdecode(b"o\xfd.mp4")).rename(tmp_path / "o.mp4")
    assert len(frames_of(tmp_path / "o.mp4")[0]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_broken_off_leaves_no_film(tmp_path, number) -> None:
    clip = write_clip(tmp_path / "clip.avi", 3000)
    target = tmp_path / "out" / "film.mp4"
    target.parent.mkdir()
    command = [sys.executable, "-m", "edge", "infer", str(clip), "--overlay", str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.split()[1:2] == ["5"]:
                break
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert os.listdir(target.parent) == []


def test_a_clip_is_summed_up_in_a_line_a_lesion_and_one_for_the_clip(tmp_path, capsys) -> None:
    clip = jpeg_cine(tmp_path / "a.dcm", WHOLE, BAD, WHOLE, WHOLE)
    write_png(tmp_path / "b.png")
    assert run(["infer", str(clip), str(tmp_path / "b.png")]) == 5
    lesion, line = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("clip ", "lesion "))]
    assert lesion.startswith(f"lesion 1 of {clip}: seen in 3 frames, 0.00 to ")
    assert lesion.endswith("malignancy 0.80 by all of them; best frame 0")
    assert line == (
        f"clip {clip}: 3 frames read; 3 judged (3 with a finding, 0 clear); "
        "1 without a result (it could not be read: 1); highest malignancy 0.80 (frame 0, at 0.00 s); "
        "1 lesion tracked, malignancy 0.80 by all frames together"
    )


def test_the_summary_says_why_frames_were_not_judged(tmp_path, capsys) -> None:
    pixels = np.zeros((3, 240, 320), np.uint8)
    pixels[1] = speckle()
    clip = write_dicom(tmp_path / "a.dcm", pixels, FrameTime=500)
    assert run(["infer", str(clip), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3, "JSON lines only"
    assert "1 judged (1 with a finding, 0 clear); 2 not judged (the picture is black: 2)" in err
    assert "(frame 1, at 0.50 s)" in err


def test_a_clip_of_which_nothing_was_judged_says_so(tmp_path, capsys) -> None:
    clip = write_dicom(tmp_path / "a.dcm", np.zeros((2, 240, 320), np.uint8))
    run(["infer", str(clip)])
    assert "0 judged (0 with a finding, 0 clear)" in (out := capsys.readouterr().out)
    assert "no malignancy was judged" in out
