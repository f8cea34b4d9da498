"""Video source, ``video:///file-or-folder?pace=max|realtime``: clips, decoded by the FFmpeg in OpenCV."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edge.config.file_kinds import VIDEO_SUFFIXES
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame, SourceEvent
from edge.sources.clip_decoder import count_open_source, open_capture
from edge.sources.clip_frames import clip_pictures
from edge.sources.file_source import FilePicture, FileSource, printable_path
from edge.sources.interlaced_probe import require_trustworthy_decoder
from edge.sources.mp4_boxes import require_bounded_lists

if TYPE_CHECKING:
    from collections.abc import Generator

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri


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
        self._counted = False

    def accepts(self, path: Path) -> bool:
        """Implement `FileSource.accepts`: by the suffix of its name."""
        return path.suffix.lower() in VIDEO_SUFFIXES

    def open(self) -> None:
        """Implement `Source.open`: find the files.

        Raises:
            SourceError: as `FileSource.open`; this OpenCV cannot be trusted; the one file that was named is no video.
        """
        super().open()
        self._waiting = None
        require_trustworthy_decoder()
        path = Path(self._root)
        if path.is_file():
            try:
                require_bounded_lists(path)
                open_capture(path).release()
            except SourceError as error:
                message = f"{printable_path(path)!r}: {error.message}"
                raise SourceError(message, hint=error.hint, reason=error.reason) from None
        count_open_source(1)
        self._counted = True

    def close(self) -> None:
        """Implement `Source.close`: as `FileSource.close`."""
        super().close()
        if self._counted:
            self._counted = False
            count_open_source(-1)

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
        require_trustworthy_decoder()
        yield from clip_pictures(path)

    def _due_ns(self, frame: Frame) -> int:
        """Monotonic time at which ``frame`` would be shown; a clip begins when its first frame is asked for."""
        clip, began_ns = self._clip_began
        if clip != frame.origin.clip:
            began_ns = time.monotonic_ns() - (frame.media_ns or 0)
            self._clip_began = (frame.origin.clip, began_ns)
        return began_ns + (frame.media_ns or 0)
