"""Video source, ``video:///file-or-folder?pace=max|realtime``: clips, decoded by the FFmpeg in OpenCV."""

from __future__ import annotations

import math
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import cv2

from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, FrameOrigin, SourceEvent
from edge.sources.file_source import FilePicture, FileSource, check_size, printable_path, skipped_event
from edge.sources.mpeg_program_stream import ends_within_a_packet

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# Quiet, before FFmpeg is used for the first time: its lines come in thousands. `SourceEvent` says what matters.

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".ts")
"""File name suffixes of video clips, in lower case."""
MISSING_FRAMES = 3
"""Frames fewer than the file promises, from which on they are reported; containers are often wrong by one or two."""


def parse_pace(text: str) -> Literal["max", "realtime"]:
    """Parse the pace of the URI. Raises ValueError for any other word."""
    if text == "max":
        return "max"
    if text == "realtime":
        return "realtime"
    raise ValueError(text)


class VideoSource(FileSource):
    """Source of the frames of one video clip or of all clips of a folder, each exactly once, (H, W, 3) uint8 RGB.

    ``pace=max``: as fast as they are taken. ``pace=realtime``: when they are due, as a scanner would give them; the
    source then counts as live. A clip that ends before it should gives what it has, and then says so.
    """

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        """Read the URI. Raises `UsageError` for an unknown parameter or pace."""
        uri.expect("pace")
        super().__init__(uri, stream)
        self.live = uri.get("pace", parse_pace, "max") == "realtime"
        self._waiting: Frame | SourceEvent | None = None
        self._clip_began: tuple[int, int] = (-1, 0)

    def accepts(self, path: Path) -> bool:
        """Implement `FileSource.accepts`: by the suffix of its name."""
        return path.suffix.lower() in SUFFIXES

    def open(self) -> None:
        """Implement `Source.open`: find the files.

        Raises:
            SourceError: as `FileSource.open`, and if the one file that was named is no video.
        """
        super().open()
        self._waiting = None
        path = Path(self._root)
        if path.is_file():
            try:
                open_capture(path).release()
            except SourceError as error:
                message = f"{printable_path(path)!r}: {error.message}"
                raise SourceError(message, hint=error.hint, reason=error.reason) from None

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next frame or event; in real time None if it is not due within ``timeout_s``."""
        if not self.live:
            return super().read(timeout_s)
        if self._waiting is None:
            self._waiting = super().read(timeout_s)
        item = self._waiting
        if isinstance(item, Frame):
            wait_s = self._due_ns(item) / 1e9 - time.monotonic()
            if wait_s > 0 and (self._closed.wait(min(wait_s, timeout_s)) or wait_s > timeout_s):
                return None
            item = replace(item, captured_ns=time.monotonic_ns())
        self._waiting = None
        return None if self._closed.is_set() else item

    def pictures(self, path: Path) -> Generator[FilePicture | SourceEvent]:
        """Implement `FileSource.pictures`: all frames of one clip, (H, W, 3) uint8 RGB."""
        capture = open_capture(path)
        try:
            fps, promised = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
            step_ns = round(1e9 / fps) if math.isfinite(fps) and fps > 0 else 0
            index, media_ns, holes_ns = 0, -1, 0
            while True:
                there, image = capture.read()
                if not there:
                    break
                at_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                if index and step_ns and at_ns - media_ns > MISSING_FRAMES * step_ns:
                    holes_ns += at_ns - media_ns - step_ns
                # FFmpeg loses the time of some clips' last frames.
                media_ns = at_ns if at_ns > media_ns else media_ns + max(step_ns, 1)
                origin = FrameOrigin(path=printable_path(path), frame_index=index)
                yield FilePicture(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), media_ns, origin=origin)
                index += 1
            yield from _shortage(path, index, promised, media_ns + step_ns - holes_ns, holes_ns, step_ns)
        finally:
            capture.release()

    def _due_ns(self, frame: Frame) -> int:
        """Monotonic time at which ``frame`` would be shown; a clip begins when its first frame is asked for."""
        clip, began_ns = self._clip_began
        if clip != frame.origin.clip:
            began_ns = time.monotonic_ns() - (frame.media_ns or 0)
            self._clip_began = (frame.origin.clip, began_ns)
        return began_ns + (frame.media_ns or 0)


def open_capture(path: Path) -> cv2.VideoCapture:
    """Open a video clip for decoding. Raises `SourceError` if FFmpeg finds no video in it, or one too large."""
    capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)  # a relative a:b would be a protocol
    try:
        if not capture.isOpened():
            raise SourceError("no video that can be decoded in it", hint="play it, or convert it to MP4 with H.264")
        check_size(int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    except SourceError:
        capture.release()
        raise
    return capture


def _shortage(
    path: Path, frames: int, promised: float, shown_ns: int, holes_ns: int, step_ns: int
) -> Generator[SourceEvent]:
    """An event if the clip is empty, or has less than its container says, both in frames and in time shown.

    Less in both: frames may last longer than others (then none is missing), and counts are often guessed from times.
    """
    if frames == 0:
        yield skipped_event(path, SourceError("no frame of it can be decoded", hint="convert it to MP4 with H.264"))
        return
    if promised <= 0 and step_ns:  # not said: what the jumps in time leave room for
        promised = frames + holes_ns / step_ns
    missing_ns = promised * step_ns - shown_ns
    if promised - frames >= MISSING_FRAMES and missing_ns >= MISSING_FRAMES * step_ns:
        what = "frames are missing in the middle" if holes_ns else "cut short"
        message = f"{what}: {frames} of about {promised:.0f} frames can be decoded"
    elif ends_within_a_packet(path):
        message = f"cut short after {frames} frames"
    else:
        return
    yield skipped_event(path, SourceError(message, hint="copy the file again"))
