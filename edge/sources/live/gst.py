"""GStreamer source, ``gst://<pipeline>``: what a pipeline gives, by ``gst-launch-1.0`` in a process of its own.

    gst://v4l2src device=/dev/video0 ! image/jpeg,width=1920,height=1080 ! jpegdec

A conversion to RGB and a sink are put behind it. Its ``?`` is written ``%3F``, and ``%`` ``%25``: behind the first
``?`` stand the parameters of the stream.
"""

from __future__ import annotations

import re
import shlex
import time
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError, UsageError
from edge.sources.live.program import PictureProgram
from edge.sources.live.raw_pictures import ProgramReader, ProgramSource, RawPicture

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions

LAUNCHER = "gst-launch-1.0"
PACKAGE = "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
FD = "{pipe}"
"""Placeholder of the pipe's descriptor."""
NAME = "sonoedge-pictures"
LINE_END = b"\r\n"
MARK = f"--{NAME}\r\nContent-Type: video/x-raw\r\nContent-Length: ".encode()
"""How the mark before each picture begins, as multipartmux writes it."""
MOST_OF_MARK = len(MARK) + 40
TOLD_S = 2.0
"""How long it may take until GStreamer has told what a picture is that has come."""
CHANGED = "the size or format of the pictures changed"
_MARK = re.compile(rb"(\r\n)?" + re.escape(MARK) + rb"(\d{1,12})\r\n\r\n")
_CAPS = re.compile(rf"{NAME}\.GstPad:src: caps = video/x-raw[^\n]*\n")
_EXAMPLE = "for example gst://v4l2src device=/dev/video0 ! videoconvert"


class GstSource(ProgramSource):
    """Source of the frames of one GStreamer pipeline."""

    reader = "edge.sources.live.gst:GstReader"

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        pipeline_words(uri.file)
        super().__init__(uri, stream)


class GstReader(ProgramReader):
    """Reader of a pipeline's pictures; their size is what GStreamer negotiates."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        super().__init__()
        self._words = pipeline_words(uri.file)
        self._told: RawPicture | None = None
        self._is_first = True

    def start(self) -> PictureProgram:
        """Implement `ProgramReader.start`: the pipeline, a conversion, a mark before each picture, and the pipe."""
        self._told, self._is_first = None, True
        ending = f"! videoconvert ! capsfilter name={NAME} caps=video/x-raw,format=RGB ! multipartmux boundary={NAME}"
        command = [LAUNCHER, "-v", "--", *self._words, *ending.split(), "!", "fdsink", f"fd={FD}", "sync=false"]
        return PictureProgram(command, package=PACKAGE, data_fd_in=FD)

    def begin_picture(self, program: PictureProgram) -> RawPicture:
        """Implement `ProgramReader.begin_picture`: the mark, which has the picture's length."""
        length = self._read_mark(program)
        deadline = time.monotonic() + TOLD_S
        while (picture := self._described(program)) is None:  # it is told beside the pipe, by another thread
            if time.monotonic() > deadline:
                raise SourceError("the pipeline does not say what its pictures are", reason="source_lost")
            time.sleep(0.005)
        if length != picture.nbytes:
            raise SourceError(CHANGED, reason="source_lost")
        return picture

    def check_picture(self, program: PictureProgram, captured_ns: int) -> None:
        """Implement `ProgramReader.check_picture`: another shape of the same length has the same mark."""
        self._described(program)

    def _described(self, program: PictureProgram) -> RawPicture | None:
        """What GStreamer says of the pictures behind the conversion; None: nothing yet."""
        for caps in _CAPS.findall(program.said()):
            picture = picture_of_caps(caps)
            if self._told is not None and picture != self._told:
                raise SourceError(CHANGED, reason="source_lost")
            self._told = picture
        return self._told

    def _read_mark(self, program: PictureProgram) -> int:
        """Read the mark before a picture; the picture's length in bytes."""
        mark = bytearray(len(MARK) + (0 if self._is_first else len(LINE_END)))
        self.read_exactly(program, memoryview(mark))
        while not mark.endswith(2 * LINE_END) and len(mark) < MOST_OF_MARK:
            last = bytearray(1)
            self.read_exactly(program, memoryview(last))
            mark += last
        found = _MARK.fullmatch(mark)
        if found is None or bool(found[1]) == self._is_first:
            raise SourceError("the pipeline's pictures are not where they should be", reason="source_lost")
        self._is_first = False
        return int(found[2])


def picture_of_caps(caps: str) -> RawPicture:
    """What pictures are, by GStreamer's description of them. Raises `SourceError` if it cannot be told."""
    fields = dict(re.findall(r"([\w-]+)=\(\w+\)\"?([^,;\"\s]+)", caps))
    try:
        if fields["format"] != "RGB":
            raise ValueError
        width, height = int(fields["width"]), int(fields["height"])
        over, under = (int(part) for part in fields.get("framerate", "0/1").split("/"))
    except (KeyError, ValueError):
        raise SourceError("the pipeline does not say what its pictures are", reason="source_lost") from None
    # GStreamer begins each line at a multiple of four bytes.
    return RawPicture(width, height, "rgb", -(-width * 3 // 4) * 4, over / under if over and under else None)


def pipeline_words(text: str) -> list[str]:
    """The words of a pipeline; raises `UsageError` if it is none. Quotes hold words together, as in a shell."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"gst:// has no valid pipeline: {error}", hint=_EXAMPLE) from None
    if not words or words[0] == "!" or words[-1] == "!":
        raise UsageError("gst:// has no whole pipeline", hint=_EXAMPLE)
    if words[0].startswith("-"):
        raise UsageError(f"gst:// takes a pipeline, not options ({words[0]})", hint=_EXAMPLE)
    return words
