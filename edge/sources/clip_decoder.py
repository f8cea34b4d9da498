"""Decodes one clip with OpenCV's FFmpeg, and believes no frame that FFmpeg reports an error for.

Frames are predicted from others. So after damage no frame counts before the next intra frame, and since decoder threads
and reordered frames make the report come early, not the next few frames either.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import cv2

from edge.contracts.errors import SourceError
from edge.process.native_path import native_path
from edge.sources.ffmpeg_log import ffmpeg_log
from edge.sources.file_source import check_size
from edge.sources.video_memory import (
    H264,
    HEVC,
    affordable_threads,
    max_references,
    pixel_bytes,
    told_references,
    too_much,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FAILURES = 512
"""Packets in a row that give no frame, after which a clip counts as ended."""
_FAILURES_AT_END = 4
"""The same after as many frames as the container promises."""
_REORDERED = {"MJPG": 0, "jpeg": 0, "mpg1": 8, "mpg2": 8, "FMP4": 8, "XVID": 8, "DIVX": 8, "mp4v": 8}
"""Frames that a codec may give between decoding a frame and giving it: three for two B frames in a row."""
_MOST_REORDERED = 18
_FRAME_BY_FRAME = ("mpg1", "mpg2")
"""Codecs of which FFmpeg does not decode several frames at once."""

PATIENCE_S = 1.0
"""For another clip's decoder to finish its frame; it may hang in a read of its file."""


class _FFmpegLogLock:
    """Lock around calls of FFmpeg in this process: what it logs meanwhile concerns the clip that holds the lock."""

    def __init__(self) -> None:
        self.open_sources = 0
        """Video sources that are open. A single one decodes in several threads."""
        self.counting = threading.Lock()
        self._lock = threading.Lock()
        self._hangs = False

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the others. Not for one that hangs: then lines of others may be counted as this clip's."""
        held = self._lock.acquire(timeout=0 if self._hangs else PATIENCE_S)
        self._hangs = not held
        try:
            yield
        finally:
            if held:
                self._lock.release()


_turns = _FFmpegLogLock()


def count_open_source(change: Literal[1, -1]) -> None:
    """Note that one more video source is open, or one less."""
    with _turns.counting:
        _turns.open_sources += change


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame of the clip, or the failure to get it."""

    image: NDArray[np.uint8] | None
    """(H, W, 3) BGR, uint8. None: there is no picture to judge."""
    at_ns: int
    """Time in the clip, as FFmpeg says; may be wrong at the end of a clip."""
    failure: SourceError | None = None
    intra: bool = False
    """It is predicted from no other frame."""


class ClipDecoder:
    """Decoder of the frames of one clip, in order, with one `Decoded` for each frame."""

    def __init__(self, path: Path | str) -> None:
        """Open the clip. Raises `SourceError` as `open_capture`."""
        self._log = ffmpeg_log()
        self._threads = 1 if _turns.open_sources > 1 else 0
        self.capture = open_capture(path, self._threads)
        self.forget_log()  # attempts at finding the codec
        self._promised = self.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._index = -1
        self._pending: list[Decoded] = []
        self._suspect_until = -1
        """Index of the last frame that is damaged or may be, whatever its type."""
        self._awaits_intra = False

    def forget_log(self) -> None:
        """Take what FFmpeg logged until now for others': no frame was decoded here yet."""
        with _turns.take():
            self._log.update()
            self._damages = self._log.damages
            self._transports = self._log.transports

    def close(self) -> None:
        """Close the file that is read."""
        self.capture.release()

    def read(self) -> Decoded | None:
        """Decode the next frame. None at the end of the clip."""
        if self._pending:
            return self._pending.pop()
        with _turns.take():
            lost = 0
            self._log.update()
            self._transports = self._log.transports
            if self._threads == 1:
                self._damages = self._log.damages
            most = _FAILURES_AT_END if 0 < self._promised <= self._index + 1 else FAILURES
            while not self.capture.grab():
                lost += 1
                if lost > most:
                    return None
            decoded = self._decoded(after_loss=bool(lost) and self._index >= 0)
        if lost and self._index > 0:
            self._pending = [decoded] + [Decoded(None, decoded.at_ns, _undecodable())] * (lost - 1)
            return Decoded(None, decoded.at_ns, _undecodable())
        return decoded

    def skip(self) -> bool:
        """Decode the next frame without converting it. False at the end of the clip."""
        with _turns.take():
            return any(self.capture.grab() for _ in range(FAILURES))

    def _decoded(self, after_loss: bool) -> Decoded:
        """Convert the frame that was grabbed, and look at what FFmpeg logged meanwhile.

        ``after_loss``: packets before it gave no frame. What follows is predicted from what is not there.
        """
        self._index += 1
        self._awaits_intra |= after_loss
        self._log.update()
        conversions = self._log.conversions
        there, image = self.capture.retrieve()
        self._log.update()
        at_ns = round(self.capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        # A decoder that does not tell the type says "?".
        intra = chr(int(self.capture.get(cv2.CAP_PROP_FRAME_TYPE))) in "I?"
        failure: SourceError | None = None
        if self._log.damages != self._damages or self._log.transports != self._transports:
            self._damages = self._log.damages
            self._suspect_until = self._index + self._report_is_early_by()
            self._awaits_intra = True
        if self._awaits_intra:
            failure = self._damage()
        if self._log.conversions != conversions or not there:
            failure = _inconvertible()
        return Decoded(None if failure else image, at_ns, failure, intra and failure is None)

    def _damage(self) -> SourceError | None:
        """Failure of a frame after damage; None for the intra frame that ends it."""
        if self._index > self._suspect_until and int(self.capture.get(cv2.CAP_PROP_FRAME_TYPE)) == ord("I"):
            self._awaits_intra = False
            return None
        return SourceError("damaged frame, or predicted from a damaged one", hint="copy the file again")

    def _report_is_early_by(self) -> int:
        """Frames that may come before the one that damage was reported for."""
        codec = codec_of(self.capture)
        threads = 1 if codec in _FRAME_BY_FRAME else int(self.capture.get(cv2.CAP_PROP_N_THREADS))
        return _REORDERED.get(codec, _MOST_REORDERED) + (threads if threads > 1 else 0)


def open_capture(path: Path | str, threads: int = 0) -> cv2.VideoCapture:
    """Open a video clip for decoding.

    Args:
        path: the file.
        threads: of the decoder. 0: as many as there are cores. Fewer where they would take too much memory.

    Raises:
        SourceError: FFmpeg finds no video in it, or one too large, or whose decoding takes too much memory.
    """
    capture = _open(path, threads)
    try:
        if not capture.isOpened():
            raise SourceError("no video that can be decoded in it", hint="play it, or convert it to MP4 with H.264")
        fewer = _require_affordable(path, capture)
    except SourceError:
        capture.release()
        raise
    if fewer:
        capture.release()
        capture = _open(path, fewer)
    return capture


def _open(path: Path | str, threads: int) -> cv2.VideoCapture:
    parameters = [cv2.CAP_PROP_N_THREADS, threads] if threads else []
    with native_path(path) as place:
        return cv2.VideoCapture(place, cv2.CAP_FFMPEG, parameters)


def _require_affordable(path: Path | str, capture: cv2.VideoCapture) -> int:
    """Raise `SourceError` for a video that takes too much memory. Returns the threads it may have; 0: those it has."""
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    check_size(width, height)
    pixel_format = int(capture.get(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
    pixel, codec = pixel_bytes(pixel_format.to_bytes(4, "little")), codec_of(capture).lower()
    threads = max(1, int(capture.get(cv2.CAP_PROP_N_THREADS)))
    references = max_references(codec)
    if affordable_threads(width * height, pixel, codec, references, threads) == threads:
        return 0
    if codec in H264 or codec in HEVC:
        references = _told_references(path, codec)
    found = affordable_threads(width * height, pixel, codec, references, threads)
    if not found:
        raise too_much(width, height, pixel, codec, references)
    return 0 if found == threads else found


def _told_references(path: Path | str, codec: str) -> int:
    """Reference frames that the parameter sets tell which OpenCV puts before the first packet, if any."""
    with native_path(path) as place:
        packets = cv2.VideoCapture(place, cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    try:
        there, coded = packets.read()
        return told_references(codec, coded.tobytes() if there and coded is not None else b"")
    finally:
        packets.release()


def codec_of(capture: cv2.VideoCapture) -> str:
    """Get the codec's four-character code, such as ``h264``; empty if there is none."""
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    return code.to_bytes(4, "little").decode("latin-1") if 0 < code < 1 << 32 else ""


def _inconvertible() -> SourceError:
    return SourceError(
        f"interlaced frame, or of another format than the first: OpenCV {cv2.__version__} cannot convert it",
        hint="convert the clip: ffmpeg -i CLIP -vf yadif NEW.mp4",
    )


def _undecodable() -> SourceError:
    return SourceError("frame that cannot be decoded", hint="copy the file again")
