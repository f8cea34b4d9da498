"""Overlay film: every frame of one clip with what was found drawn on it, and a slate for each that was not judged."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.config.file_kinds import VIDEO_SUFFIXES
from edge.contracts.errors import DeviceError, EdgeError, UsageError
from edge.dicom.frame_reader import DicomFrameReader
from edge.infer.output import printable
from edge.picture.overlay import draw_overlay, draw_slate, overlay_height
from edge.picture.score_bars import MOST_BARS
from edge.sources.clip_decoder import open_capture
from edge.sources.ffmpeg_log import ffmpeg_log

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.infer.inputs import InputFile
    from edge.infer.run import FileAnswer

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
"""Codec by the film's ending: what the FFmpeg inside OpenCV's own wheels encodes without further libraries."""
DEFAULT_FPS = 10.0
"""Of a clip that says no times."""
FPS_RANGE = (0.1, 240.0)
STRIP_LINES = 4
"""Lines of words below the picture that there is always room for; where there are more, the frame is made smaller."""
LAST_SLATE_S = 2.0
"""A failure at the end of a clip is shown for so long: a single frame of it would not be seen."""


def is_film(path: Path) -> bool:
    """Whether ``--overlay`` names a film, by its ending, and no folder."""
    return path.suffix.lower() in (*VIDEO_SUFFIXES, ".gif") and not path.is_dir()


def require_one_clip(path: Path, inputs: list[InputFile]) -> None:
    """Raise `UsageError` unless there is one input, and the film of a kind that is written here."""
    if path.suffix.lower() not in CODECS:
        raise UsageError(f"{path.suffix} films are not written here", hint=f"there are: {', '.join(CODECS)}")
    if len(inputs) != 1:
        raise UsageError(
            f"{path} can hold one clip, and there are {len(inputs)} inputs",
            hint="give one clip, or --overlay a folder for pictures of all",
        )


class OverlayFilm:
    """Writer of an overlay film. It has its name when it is whole: until then it stands beside it, hidden."""

    def __init__(self, path: Path, clip: InputFile) -> None:
        """Find out the clip's frames a second, and whether such a film can be written at all.

        Raises `UsageError` if it cannot be: there is no folder, or this OpenCV has no such codec.
        """
        self._path = path
        self._part = path.with_name(f".sonoedge-{os.getpid()}.part{path.suffix.lower()}")
        try:
            # OpenCV takes no folder whose name is not UTF-8: it is reached by its descriptor.
            self._folder = os.open(path.absolute().parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unwritable(error) from None
        self._native_part = f"/proc/self/fd/{self._folder}/{self._part.name}"
        ffmpeg_log()  # before FFmpeg is used: it is asked once in a process what is to be logged
        self.fps = frames_per_second(clip)
        """Frames a second of the film; those of the clip, where it says so."""
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0
        self._slates: list[str] = []
        """What failed before the first frame, whose size is not known before."""
        self._last_slate: NDArray[np.uint8] | None = None
        self._picture_size = (0, 0)
        self._open((64, 64)).release()
        self._part.unlink(missing_ok=True)

    def add(self, answer: FileAnswer) -> None:
        """Write one answer as a frame: the picture with what was found, or why there is none.

        Raises `UsageError` if this OpenCV cannot encode such a film.
        """
        if answer.frame is None or answer.result is None:
            self._add_slate(printable(answer.detail) or "no result")
            return
        if self._writer is None:
            self._begin(answer.frame.pixels, MOST_BARS if answer.result.gated_by is not None else 0)
        self._last_slate = None
        self._write(draw_overlay(answer.frame.pixels, answer.result))

    def close(self, whole: bool) -> None:
        """End the film and give it its name; ``whole`` False: the run was broken off, and it is removed.

        Raises `DeviceError` if not all of it could be written.
        """
        if self._writer is None:
            os.close(self._folder)
            return
        if self._last_slate is not None:
            for _ in range(round(LAST_SLATE_S * self.fps) - 1):
                self._write(self._last_slate)
        self._writer.release()
        self._writer = None
        try:
            if whole:
                self._require_whole()
                os.replace(self._part, self._path)
        except OSError as error:
            raise self._failed(error.strerror or "it is not there") from None
        finally:
            with suppress(OSError):
                self._part.unlink(missing_ok=True)
            os.close(self._folder)

    def _begin(self, pixels: NDArray[np.uint8], bars: int) -> None:
        """Open the writer, for frames of the size that the first picture and its words take."""
        height, width = overlay_height(pixels, STRIP_LINES, bars)
        self._picture_size = pixels.shape[:2]
        self._size = (width + width % 2, height + height % 2)
        self._writer = self._open(self._size)
        for words in self._slates:
            self._add_slate(words)
        self._slates.clear()

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        """Open a writer for frames of ``size`` (width, height). Raises `UsageError` if there is none for this file."""
        codec = CODECS[self._path.suffix.lower()]
        try:
            self._part.touch()
        except OSError as error:
            raise self._unwritable(error) from None
        writer = cv2.VideoWriter(self._native_part, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), self.fps, size)
        if writer.isOpened():
            return writer
        self._part.unlink(missing_ok=True)
        raise UsageError(
            f"OpenCV {cv2.__version__} cannot write {self._path.suffix} films ({codec}) of {size[0]} x {size[1]}",
            hint="give --overlay a name that ends in .mp4 or .avi, or a folder for pictures",
        )

    def _add_slate(self, words: str) -> None:
        if self._writer is None:
            self._slates.append(words)
            return
        self._last_slate = draw_slate(self._picture_size, words)
        self._write(self._last_slate)

    def _write(self, picture: NDArray[np.uint8]) -> None:
        assert self._writer is not None  # noqa: S101  (the callers have looked)
        self._writer.write(cv2.cvtColor(fit_to(picture, self._size), cv2.COLOR_RGB2BGR))
        self._written += 1

    def _require_whole(self) -> None:
        """Raise `DeviceError` unless all frames are in the file: OpenCV does not tell of a write that failed."""
        capture = cv2.VideoCapture(self._native_part, cv2.CAP_FFMPEG)
        try:
            there = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        finally:
            capture.release()
        if there < self._written:
            raise self._failed(f"{there} of {self._written} frames are in it")

    def _unwritable(self, error: OSError) -> UsageError:
        return UsageError(f"{self._path} cannot be written: {error.strerror}", hint="give --overlay another place")

    def _failed(self, why: str) -> DeviceError:
        return DeviceError(f"{self._path} cannot be written: {why}", hint="make room, or give --overlay another place")


def fit_to(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Picture on a black canvas of ``size`` (width, height), made smaller where it is too large, never larger."""
    width, height = size
    h, w = picture.shape[:2]
    scale = min(1.0, width / w, height / h)
    if scale < 1.0:
        w, h = max(1, int(w * scale)), max(1, int(h * scale))
        picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[:h, :w] = picture
    return canvas


def frame_count(clip: InputFile) -> int:
    """Number of frames that a clip says it has; 0: it says none. Never raises for what is wrong with it."""
    ffmpeg_log()  # as above
    with suppress(EdgeError, OSError):
        if clip.scheme == "video":
            capture = open_capture(clip.place)
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            capture.release()
            return max(0, count)
        if clip.scheme == "dicom":
            with closing(DicomFrameReader(clip.place)) as reader:
                return reader.frames
    return 0


def frames_per_second(clip: InputFile) -> float:
    """Frames a second that a clip says it has, or `DEFAULT_FPS`. Never raises for what is wrong with it."""
    fps = 0.0
    with suppress(EdgeError, OSError):
        if clip.scheme == "video":
            capture = open_capture(clip.place)
            fps = float(capture.get(cv2.CAP_PROP_FPS))
            capture.release()
        elif clip.scheme == "dicom":
            with closing(DicomFrameReader(clip.place)) as reader:
                times = reader.times or ()
                steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
                fps = 1e9 / median(steps) if steps else 0.0
    return fps if FPS_RANGE[0] <= fps <= FPS_RANGE[1] else DEFAULT_FPS
