"""Raspberry Pi camera source, ``rpicam://``: cameras on a Pi's ribbon cable, by ``rpicam-vid`` in a process of its own.

    rpicam://0?size=1280x720&fps=30

Pictures come as raw YUV420. The width is a multiple of 64: what the hardware puts between the lines of others is not
known here.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.program import PictureProgram
from edge.sources.live.raw_pictures import ProgramReader, ProgramSource, RawPicture
from edge.sources.live.uri_values import frame_rate, picture_size

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions

PROGRAMS = ("rpicam-vid", "libcamera-vid")
"""Names of the program: today's, and that of Raspberry Pi OS 11."""
PACKAGE = "rpicam-apps (Raspberry Pi OS)"
WIDTH_STEP = 64
RATE_NS = 2_000_000_000
"""The rate is looked at over so long."""
TOO_FAST = 1.5
"""At so many times the rate that was asked for, the pictures are larger than we take them for. Smaller ones seem to
come more slowly, which a camera in the dark does too."""


class RpicamSource(ProgramSource):
    """Source of the frames of one Raspberry Pi camera."""

    reader = "edge.sources.live.rpicam:RpicamReader"
    parameters = ("size", "fps")

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        _picture_of(uri)
        _camera_of(uri)
        super().__init__(uri, stream)


class RpicamReader(ProgramReader):
    """Reader of the raw pictures of ``rpicam-vid``."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        super().__init__()
        self._asked, self._camera = _picture_of(uri), _camera_of(uri)
        self._times_ns: list[int] = []

    def start(self) -> PictureProgram:
        """Implement `ProgramReader.start`: endless raw video to stdout."""
        self._times_ns.clear()
        program = next((name for name in PROGRAMS if shutil.which(name)), PROGRAMS[0])
        asked = self._asked
        size = ["--width", str(asked.width), "--height", str(asked.height), "--framerate", f"{asked.fps:g}"]
        endless = ["--nopreview", "--timeout", "0", "--codec", "yuv420", "--output", "-"]
        return PictureProgram([program, "--camera", str(self._camera), *size, *endless], package=PACKAGE)

    def begin_picture(self, program: PictureProgram) -> RawPicture:
        """Implement `ProgramReader.begin_picture`: what was asked for; the program does not say."""
        return self._asked

    def check_picture(self, program: PictureProgram, captured_ns: int) -> None:
        """Implement `ProgramReader.check_picture`: raw pictures have no marks; of larger ones there seem to be more."""
        self._times_ns = [*(at for at in self._times_ns if captured_ns - at <= RATE_NS), captured_ns]
        span_ns = captured_ns - self._times_ns[0]
        count, most = len(self._times_ns) - 1, TOO_FAST * (self._asked.fps or 0) * span_ns / 1e9
        if span_ns > RATE_NS / 2 and count > most:
            size = f"{self._asked.width} x {self._asked.height}"
            raise SourceError(
                f"{count / span_ns * 1e9:.0f} pictures of {size} a second instead of {self._asked.fps:g}: "
                "they have another size",
                hint="choose a size that the camera has",
                reason="source_lost",
            )


def _picture_of(uri: Uri) -> RawPicture:
    width, height = uri.get("size", picture_size, (1280, 720))
    if width % WIDTH_STEP or height % 2:
        raise UsageError(
            f"rpicam://: size={width}x{height} is not valid", hint="a width of a multiple of 64, and an even height"
        )
    return RawPicture(width, height, "yuv420", width, uri.get("fps", frame_rate, 30.0))


def _camera_of(uri: Uri) -> int:
    text = uri.file.strip("/") or "0"
    if not re.fullmatch(r"\d{1,2}", text):
        raise UsageError(f"rpicam:// has no camera {text!r}", hint="rpicam://0 is the first; rpicam-hello lists them")
    return int(text)
