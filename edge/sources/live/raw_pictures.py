"""Reader of raw pictures from an external program's pipe: whole pictures only, each with the time of its first byte."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import cv2
import numpy as np

from edge.contracts.errors import SourceError
from edge.images.limits import check_picture_size
from edge.sources.live.program import STOP_S, PictureProgram, ProgramEndedError
from edge.sources.live.reader import LiveFrame, StreamInfo
from edge.sources.live.source import LiveSource

if TYPE_CHECKING:
    from types import FrameType

    from numpy.typing import NDArray

NO_DATA_S = 10.0
"""After so long without a byte the reader gives up, if its parent did not before."""


@dataclass(frozen=True, slots=True)
class RawPicture:
    """What the pictures of a pipe are: size, pixel format, and how long a line is."""

    width: int
    height: int
    format: str
    """``rgb``, ``grey`` or ``yuv420`` (a plane of brightness, then two of colour at half its width and height)."""
    line_bytes: int
    """Bytes from one line to the next, of brightness or of colour as a whole."""
    fps: float | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of one picture in the pipe."""
        return self.line_bytes * self.height * 3 // 2 if self.format == "yuv420" else self.line_bytes * self.height

    def pixels(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels of one picture: (H, W, 3) RGB or (H, W) grey; ``data`` has `nbytes`."""
        if self.format == "yuv420":
            rows = data.reshape(self.height * 3 // 2, self.line_bytes)
            converted: NDArray[np.uint8] = cv2.cvtColor(rows, cv2.COLOR_YUV2RGB_I420)[:, : self.width]
            return converted
        each = 3 if self.format == "rgb" else 1
        lines = data.reshape(self.height, self.line_bytes)[:, : self.width * each]
        return lines if each == 1 else lines.reshape(self.height, self.width, 3)


class ProgramSource(LiveSource):
    """Base class of sources whose pictures an external program writes to a pipe."""

    stop_s: ClassVar[float] = STOP_S
    """After SIGTERM the child has this long to end the program: killed at once, it could not end the whole group."""


class ProgramReader:
    """Base class of readers of an external program's raw pictures. A kind says how it is started, and what comes."""

    def __init__(self) -> None:
        self._program: PictureProgram | None = None
        self._picture: RawPicture | None = None
        self._data: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._filled = 0
        self._begun_ns = 0
        self._read_ns = 0

    def start(self) -> PictureProgram:
        """Start the program. Raises `SourceError`."""
        raise NotImplementedError

    def describe(self, program: PictureProgram) -> RawPicture | None:
        """What its pictures are, as it says now; None: it has not said yet. Raises `SourceError`."""
        raise NotImplementedError

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: start the program, and wait for its first picture."""
        self.close()
        program = self._program = self.start()
        signal.signal(signal.SIGTERM, self._stop_and_go)
        # No limit of ours: the parent has one, and a pipeline may take long to find its camera.
        while not program.wait_for_data(NO_DATA_S):
            pass
        self._read_ns = time.monotonic_ns()
        picture = self._take_description(program)
        try:
            self._fill(program)
        except ProgramEndedError:
            raise self._failure(program) from None
        return StreamInfo(
            width=picture.width,
            height=picture.height,
            fps=picture.fps,
            format=picture.format,
            decoder=program.name,
            details={"time stamps": "arrival of a picture's first byte: what it took until then, delay_ms can say"},
        )

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next whole picture."""
        program, picture = self._program, self._picture
        if program is None or picture is None:
            raise SourceError("the program is not running", reason="source_lost")
        try:
            self._fill(program)
        except ProgramEndedError:
            raise self._failure(program) from None
        if self.describe(program) not in (None, picture):
            raise SourceError("the size or format of the pictures changed", reason="source_lost")
        captured_ns, self._filled = self._begun_ns, 0
        self.check_rate(captured_ns)
        return LiveFrame(picture.pixels(self._data), captured_ns)

    def close(self) -> None:
        """Implement `LiveReader.close`: end the program and its group."""
        program, self._program = self._program, None
        if program is not None:
            program.stop()
        self._filled = 0

    def check_rate(self, captured_ns: int) -> None:
        """Raise `SourceError` if pictures come at a rate at which they cannot be of the size that was asked for."""

    def _take_description(self, program: PictureProgram) -> RawPicture:
        picture = self.describe(program)
        if picture is None:
            try:
                program.read_into(memoryview(bytearray(1)))
            except ProgramEndedError:
                raise program.failure() from None
            raise SourceError(
                f"{program.name} gives bytes, but does not say what they are",
                hint="it should end in video/x-raw",
                reason="source_lost",
            )
        check_picture_size(picture.width, picture.height)
        self._picture = picture
        self._data = np.empty(picture.nbytes, np.uint8)
        return picture

    def _fill(self, program: PictureProgram) -> None:
        """Read one whole picture. Raises `ProgramEndedError`, `SourceError` if nothing comes for long."""
        view = memoryview(self._data)
        while self._filled < len(view):
            waited = False
            while not (count := program.read_into(view[self._filled :])):
                waited = True
                if not program.wait_for_data(NO_DATA_S):
                    raise SourceError(f"{program.name} gives no pictures any more", reason="source_lost")
            now_ns = time.monotonic_ns()
            if not self._filled:
                # What lay there already came at an unknown moment since the last read: the earliest is assumed.
                self._begun_ns = now_ns if waited else self._read_ns
            self._filled += count
            self._read_ns = now_ns

    def _failure(self, program: PictureProgram) -> SourceError:
        error = program.failure()
        if self._filled:
            error.message += f" (after {self._filled} of the {len(self._data)} bytes of a picture)"
        return error

    def _stop_and_go(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM, which the parent sends before it kills us."""
        if self._program is not None:
            self._program.stop()
        os._exit(0)  # an exception here would be taken for the stream's
