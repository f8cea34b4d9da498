"""Reader of network streams by the FFmpeg in OpenCV, where PyAV is not installed: it says less, and only in its log.

OpenCV returns True for frames that could not be decoded (`edge.sources.ffmpeg_log`), and has no words for why a stream
was not opened.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2

from edge.contracts.errors import SourceSetupError
from edge.images.limits import MAX_PICTURE_PIXELS, check_picture_size
from edge.sources.clip_decoder import codec_of
from edge.sources.ffmpeg_log import ffmpeg_log
from edge.sources.live.damage import DAMAGED, PREDICTED
from edge.sources.live.late import LateFrames
from edge.sources.live.network_errors import STATUS_IN_LOG, lost, status_error
from edge.sources.live.network_url import receive_options, with_credentials
from edge.sources.live.picture_size import PictureSize
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamInfo
from edge.sources.live.stamp_holes import StampHoles
from edge.sources.live.stream_clock import StreamClock

if TYPE_CHECKING:
    from edge.config.uri import Uri
    from edge.contracts.errors import SourceError
    from edge.sources.live.reader import LiveOptions

HELD = ("h264", "avc1", "hevc", "hvc1", "hev1", "fmp4", "mp4v", "mpg1", "mpg2")
"""Codecs of which FFmpeg holds a packet until the next one begins, by their four-character code."""
INTRA = ("mjpg",)
ONE_LATER = ("mpg1", "mpg2", "mpeg", "fmp4", "mp4v")
"""Codecs whose decoder gives a frame when it has the next one, so that it tells of damage a frame before."""
MOST_REORDERED = 4
"""Frames by which a decoder of a stream with B-frames may be ahead of what it gives."""
READ_TIMEOUT_MS = 5000
"""For a call of FFmpeg; the parent's limit of silence is shorter."""
AT_ONCE_S = 0.5
"""SRT that FFmpeg knows does not fail sooner, since nothing answers with a refusal; what it does not know, it calls
nothing at all."""
_WORDS = (
    ("Connection refused", ("it refuses the connection", "is the server running, and is the port right?")),
    ("resolve", ("the name of its host is not known", "check the host, and this device's network")),
    ("No route", ("its host is not in reach", "is it on, and in this network?")),
    ("certificate", ("its certificate is not trusted", "install its authority's certificate, or write verify=no")),
    ("Invalid data", ("what it sends is no video stream that is known here", "check the URI")),
)
"""Parts of FFmpeg's lines, and what they mean."""


class OpencvReader:
    """Reader of one network stream; implements `LiveReader`."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._uri, self._options = uri, options
        self._capture: Any = None
        self._came_ns: int | None = None
        """When the packet before came."""
        self._lines: deque[str] = deque(maxlen=64)
        ffmpeg_log().tell_missing_frames()
        logger = logging.getLogger("edge.sources.ffmpeg_log")
        logger.setLevel(logging.DEBUG)
        logger.addHandler(_LineCollector(self._lines))
        logger.propagate = False

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: connect, and find the video."""
        self.close()
        self._lines.clear()
        options = {**receive_options(self._uri), "max_pixels": str(MAX_PICTURE_PIXELS)}
        os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(f"{name};{value}" for name, value in options.items())
        begun = time.monotonic()
        capture = cv2.VideoCapture(
            with_credentials(self._options),
            cv2.CAP_FFMPEG,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                round(self._options.open_timeout_s * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_TIMEOUT_MS,
                cv2.CAP_PROP_N_THREADS,
                1,
            ],
        )
        ffmpeg_log().update()
        if not capture.isOpened():
            raise self._why_not_open(time.monotonic() - begun)
        self._capture = capture
        self._codec = codec_of(capture).lower()
        self._begin()
        width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        check_picture_size(width, height)
        return StreamInfo(
            width=width,
            height=height,
            fps=capture.get(cv2.CAP_PROP_FPS) or None,
            format=self._codec,
            decoder=f"OpenCV {cv2.__version__}",
            details={"transport": options["rtsp_transport"]} if self._uri.scheme.startswith("rtsp") else {},
        )

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next sound frame that is not late."""
        if self._capture is None:
            raise lost("it is not open")
        while True:
            if not self._capture.grab():
                raise lost("the stream ended, or nothing more came", "it is opened again")
            now = time.monotonic_ns()
            came, self._came_ns = (self._came_ns if self._codec in HELD else now), now
            stamp = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
            if came is not None:
                self._clock.note(stamp, came)
            frame = self._retrieved(stamp)
            if frame is not None:
                return frame

    def close(self) -> None:
        """Implement `LiveReader.close`: close the connection."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _begin(self) -> None:
        self._clock, self._late = StreamClock(), LateFrames()
        self._came_ns = None
        self._size = PictureSize()
        self._has_begun = False
        self._waits_for_key = self._codec not in INTRA
        self._last_ns = 0
        self._holes = StampHoles(self._codec)
        self._reorders = False
        """The stream has B-frames."""
        self._doubtful = 0
        """Frames to come of which one may be that whose damage was told."""
        self._told = self._tellings()

    def _tellings(self) -> _Tellings:
        """How many lines have told of damage so far, by kind."""
        log = ffmpeg_log()
        log.update()
        return _Tellings(log.conversions + log.damages, log.transports, log.missing)

    def _retrieved(self, stamp: int) -> LiveFrame | None:
        """The frame that was grabbed, if it is sound and not late. Raises `FrameDamagedError`."""
        there, picture = self._capture.retrieve()
        why = self._why_unsound(stamp, there=there)
        if why:
            if self._has_begun:  # of those before the first key frame nothing is told
                raise FrameDamagedError(why)
            return None
        self._has_begun = True
        self._size.check(picture.shape[1], picture.shape[0])
        if not self._clock.is_settled:
            self._late.leave_out()
            return None
        captured_ns = min(self._clock.captured_ns(stamp), time.monotonic_ns())
        if self._late.leaves_out(captured_ns):
            return None
        self._last_ns = captured_ns = max(captured_ns, self._last_ns + 1)
        rgb: Any = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return LiveFrame(rgb, captured_ns, left_out=self._late.take_count())

    def _why_unsound(self, stamp: int, *, there: bool) -> str:
        """Why the frame that was grabbed is not believed; empty: it is sound."""
        told, before = self._tellings(), self._told
        self._told = told
        kind = chr(int(self._capture.get(cv2.CAP_PROP_FRAME_TYPE)) & 0x7F)
        self._reorders |= kind == "B"
        self._doubtful -= self._doubtful > 0
        is_hurt = not there or told.damaged > before.damaged or told.lost > before.lost
        if self._codec in INTRA:
            return DAMAGED if is_hurt else ""
        is_missing = told.missing > before.missing
        if is_hurt or is_missing:
            ahead = int(is_hurt) + self._frames_ahead(lost=told.lost > before.lost)
            self._doubtful = max(self._doubtful, ahead)
        if self._holes.is_behind_hole(stamp) or is_hurt or is_missing:
            self._waits_for_key = True
        if self._doubtful:
            return DAMAGED
        if self._waits_for_key and kind != "I":
            return PREDICTED
        self._waits_for_key = False
        return ""

    def _frames_ahead(self, *, lost: bool) -> int:
        """By how many frames the one that the log tells of may be ahead of the one that was grabbed.

        Without this a key frame that is damaged itself would be taken for the sound one that is waited for. What is
        ``lost`` on the way is told when its packet is read, which FFmpeg holds until the next one begins.
        """
        ahead = MOST_REORDERED if self._reorders else int(self._codec in ONE_LATER)
        return ahead + int(lost and self._codec in HELD)

    def _why_not_open(self, waited_s: float) -> SourceError:
        """What FFmpeg's log says of the failure, in words of ours: its own hold the URI."""
        said = "\n".join(self._lines)
        if found := STATUS_IN_LOG.search(said):
            return status_error(int(found[1]))
        if "Protocol not found" in said or (self._uri.scheme == "srt" and not said and waited_s < AT_ONCE_S):
            scheme = self._uri.scheme
            return SourceSetupError(
                f"the FFmpeg in OpenCV {cv2.__version__} does not know {scheme}://",
                hint="have it sent as MPEG-TS by UDP: udp://0.0.0.0:PORT",
            )
        for part, words in _WORDS:
            if part in said:
                return lost(*words)
        if waited_s >= self._options.open_timeout_s:
            return lost(f"it did not answer within {self._options.open_timeout_s:.0f} s", "is it on, and in reach?")
        return lost("it cannot be opened", "install the extra live, which says why")


class _Tellings(NamedTuple):
    """Numbers of lines of FFmpeg's log that told of damage."""

    damaged: int
    """What a decoder or the converter could not do."""
    lost: int
    """Packets that came damaged."""
    missing: int
    """Frames that never came, or were left out."""


class _LineCollector(logging.Handler):
    """Keeps the lines of FFmpeg's log."""

    def __init__(self, lines: deque[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Implement `logging.Handler.emit`."""
        self._lines.append(record.getMessage())
