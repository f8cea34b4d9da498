"""Reader of raw pictures from an external program's pipe: whole pictures only, each with the time of its first byte."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
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
    """``rgb``, or ``yuv420`` (a plane of brightness, then two of colour at half its width and height)."""
    line_bytes: int
    """Bytes from one line to the next, of brightness or of colour as a whole."""
    fps: float | None = field(default=None, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes of one picture in the pipe."""
        return self.line_bytes * self.height * 3 // 2 if self.format == "yuv420" else self.line_bytes * self.height

    def pixels(self, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels of one picture, (H, W, 3) RGB; ``data`` has `nbytes`."""
        if self.format == "yuv420":
            rows = data.reshape(self.height * 3 // 2, self.line_bytes)
            converted: NDArray[np.uint8] = cv2.cvtColor(rows, cv2.COLOR_YUV2RGB_I420)[:, : self.width]
            return converted
        return data.reshape(self.height, self.line_bytes)[:, : self.width * 3].reshape(self.height, self.width, 3)


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
        """Bytes of the present picture that came, with what stands before it."""
        self._begun_ns = 0
        self._read_ns = 0

    def start(self) -> PictureProgram:
        """Start the program. Raises `SourceError`."""
        raise NotImplementedError

    def begin_picture(self, program: PictureProgram) -> RawPicture:
        """Read what stands before the next picture, and say what it is. Raises as `read_exactly`."""
        raise NotImplementedError

    def check_picture(self, program: PictureProgram, captured_ns: int) -> None:
        """Check, after a picture was read, that it can be what it was taken for. Raises `SourceError`."""

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: start the program, and wait for its first picture."""
        self.close()
        program = self._program = self.start()
        signal.signal(signal.SIGTERM, self._stop_and_go)
        # No limit of ours: the parent has one, and a pipeline may take long to find its camera.
        while not program.wait_for_data(NO_DATA_S):
            pass
        self._read_ns = time.monotonic_ns()
        picture = self._next_picture(program)
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
        if program is None:
            raise SourceError("the program is not running", reason="source_lost")
        if picture is None:
            picture = self._next_picture(program)
        self._picture = None
        return LiveFrame(picture.pixels(self._data), self._begun_ns)

    def close(self) -> None:
        """Implement `LiveReader.close`: end the program and its group."""
        program, self._program = self._program, None
        if program is not None:
            program.stop()
        self._picture, self._filled = None, 0

    def read_exactly(self, program: PictureProgram, view: memoryview) -> None:
        """Fill ``view`` from the pipe. Raises `ProgramEndedError`, `SourceError` if nothing comes for long."""
        while view:
            waited = False
            while not (count := program.read_into(view)):
                waited = True
                if not program.wait_for_data(NO_DATA_S):
                    raise SourceError(f"{program.name} gives no pictures any more", reason="source_lost")
            now_ns = time.monotonic_ns()
            if not self._filled:
                # What lay there already came at an unknown moment since the last read: the earliest is assumed.
                self._begun_ns = now_ns if waited else self._read_ns
            self._filled += count
            self._read_ns = now_ns
            view = view[count:]

    def _next_picture(self, program: PictureProgram) -> RawPicture:
        """Read the next picture into our memory."""
        self._filled = 0
        try:
            picture = self.begin_picture(program)
            if self._data.nbytes != picture.nbytes:
                check_picture_size(picture.width, picture.height)
                self._data = np.empty(picture.nbytes, np.uint8)
            self.read_exactly(program, self._data.data)
            self.check_picture(program, self._begun_ns)
        except ProgramEndedError:
            error = program.failure()
            if self._filled:
                error.message += f" (in the middle of a picture, after {self._filled} bytes)"
            raise error from None
        self._picture = picture
        return picture

    def _stop_and_go(self, _number: int, _frame: FrameType | None) -> None:
        """Handle SIGTERM, which the parent sends before it kills us."""
        if self._program is not None:
            self._program.stop()
        os._exit(0)  # an exception here would be taken for the stream's
