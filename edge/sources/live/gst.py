"""GStreamer source, ``gst://<pipeline>``: what a pipeline gives, by ``gst-launch-1.0`` in a process of its own.

    gst://v4l2src device=/dev/video0 ! image/jpeg,width=1920,height=1080 ! jpegdec

A conversion to RGB (or grey, where it is grey already) and a sink are put behind it. Its ``?`` is written ``%3F``, and
``%`` ``%25``: behind the first ``?`` stand the parameters of the stream.
"""

from __future__ import annotations

import re
import shlex
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
FORMATS = {"RGB": ("rgb", 3), "GRAY8": ("grey", 1)}
"""GStreamer's formats, ours, and bytes a pixel."""
FD = "{pipe}"
"""Placeholder of the pipe's descriptor."""
NAME = "sonoedge-pictures"
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

    def start(self) -> PictureProgram:
        """Implement `ProgramReader.start`: the pipeline, a conversion, and the pipe."""
        self._told = None
        caps = f"video/x-raw,format={{{','.join(FORMATS)}}}"
        ending = ["!", "videoconvert", "!", "capsfilter", f"name={NAME}", f"caps={caps}", "!", "fdsink", f"fd={FD}"]
        return PictureProgram([LAUNCHER, "-v", "--", *self._words, *ending, "sync=false"], package=PACKAGE, data_fd_in=FD)

    def describe(self, program: PictureProgram) -> RawPicture | None:
        """Implement `ProgramReader.describe`: the newest that GStreamer says of the pictures behind the conversion."""
        if found := _CAPS.findall(program.said()):
            self._told = picture_of_caps(found[-1])
        return self._told


def picture_of_caps(caps: str) -> RawPicture:
    """What pictures are, by GStreamer's description of them. Raises `SourceError` if it cannot be told."""
    fields = dict(re.findall(r"([\w-]+)=\(\w+\)\"?([^,;\"\s]+)", caps))
    try:
        name, each = FORMATS[fields["format"]]
        width, height = int(fields["width"]), int(fields["height"])
        over, under = (int(part) for part in fields.get("framerate", "0/1").split("/"))
    except (KeyError, ValueError):
        raise SourceError("the pipeline does not say what its pictures are", reason="source_lost") from None
    # GStreamer begins each line at a multiple of four bytes.
    return RawPicture(width, height, name, -(-width * each // 4) * 4, over / under if over and under else None)


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
