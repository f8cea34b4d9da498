"""MJPEG source ``http://`` and ``https://``: a stream of JPEG pictures, as cameras and ``ffmpeg -f mpjpeg`` send.

    http://host:8080/stream?delay_ms=40&verify=no

Such a stream has no time stamps. A frame was captured when its first byte arrived, as the kernel says; after a pause it
may have waited at the server, where nobody can tell, so the connection is made anew. Pictures are decoded by OpenCV:
FFmpeg tells neither half a picture nor when it came. Further parameters of the URI are the server's own.
"""

from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING

import cv2

from edge.contracts.errors import SourceError, UsageError
from edge.contracts.results import Reason
from edge.images.decode import decode_with_opencv
from edge.images.jpeg import read_jpeg_header
from edge.images.limits import MAX_SCAN_PIXELS, check_cost
from edge.sources.live.http_connection import http_error, open_http
from edge.sources.live.late_frames import LateFrames
from edge.sources.live.multipart import MultipartReader
from edge.sources.live.network_errors import lost
from edge.sources.live.options import yes_or_no
from edge.sources.live.picture_size import PictureSize
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamInfo
from edge.sources.live.silence import SilenceLimit
from edge.sources.live.source import LiveSource

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.images.jpeg import JpegInfo
    from edge.sources.live.http_connection import HttpAnswer
    from edge.sources.live.multipart import Part
    from edge.sources.live.reader import LiveOptions

PAUSE_S = 0.5
"""After a longer pause between two pictures, those that follow may have waited at the server."""
INTERVALS = 3.0
"""A stream of few pictures may pause for so many of its usual intervals."""
JPEG_COST = 12
"""Bytes that decoding takes for a pixel at most."""
IDLE_NS = 2_000_000
"""A picture whose first byte came so long after the end of the one before did not wait for its turn at the server."""
WAITS = 2
"""Such pictures in a row that show that none waits any more."""
SETTLE_NS = 1_000_000_000
"""Longest time to wait for such a picture after connecting."""
_UNTYPED = ("", "application/octet-stream")
_KEEP = 0.9


class HttpSource(LiveSource):
    """Source of an MJPEG stream over HTTP."""

    reader = "edge.sources.live.http_mjpeg:HttpMjpegReader"
    parameters = ("verify",)
    server_has_parameters = True

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        super().__init__(uri, stream)
        if not uri.host:
            raise UsageError(f"{uri.scheme}:// names no host", hint=f"write {uri.scheme}://HOST/PATH")
        uri.get("verify", yes_or_no, True)


class HttpMjpegReader:
    """Reader of one MJPEG stream; implements `LiveReader`."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._options = options
        self._verify = uri.get("verify", yes_or_no, True)
        self._answer: HttpAnswer | None = None
        self._parts: MultipartReader | None = None
        self._pauses = PauseWatch()
        self._late = LateFrames()
        self._silence = SilenceLimit(options)
        self._size = PictureSize()
        self._last_ns = 0

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: ask for the stream, and see that it is one of pictures."""
        self.close()
        self._answer = answer = open_http(self._options, verify=self._verify)
        headers = answer.response.headers
        kind = headers.get_content_type() if "content-type" in headers else ""
        boundary = headers.get_param("boundary", "")
        if kind not in _UNTYPED and not kind.startswith("multipart/"):
            raise _not_mjpeg(kind)
        self._parts = MultipartReader(
            answer.response.read1, lambda: answer.reader.arrived_ns, boundary if isinstance(boundary, str) else ""
        )
        self._pauses, self._late = PauseWatch(), LateFrames()
        self._size = PictureSize()
        self._silence.begin()
        return StreamInfo(width=0, height=0, format="mjpeg", decoder=f"OpenCV {cv2.__version__}")

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next picture that is whole and not late."""
        while True:
            part = self._next_part()
            self._silence.note_frame()
            self._pauses.check(part.arrived_ns)
            header = _header(part)
            self._size.check(header.width, header.height)
            if self._late.leaves_out(part.arrived_ns) or self._pauses.waits_for_fresh(part):
                continue
            pixels = _decoded(part, header)
            self._last_ns = captured_ns = max(part.arrived_ns, self._last_ns + 1)
            return LiveFrame(pixels, captured_ns, left_out=self._late.take_count())

    def close(self) -> None:
        """Implement `LiveReader.close`: close the connection."""
        answer, self._answer, self._parts = self._answer, None, None
        if answer is not None:
            answer.close()

    def _next_part(self) -> Part:
        """The next part, all of it within the limit of silence."""
        if self._answer is None or self._parts is None:
            raise lost("not open")
        limit_s = self._silence.limit_s * 0.9  # before the parent, which would have to end this process
        self._answer.reader.deadline = time.monotonic() + limit_s
        try:
            return self._parts.next_part()
        except TimeoutError:
            raise lost(f"no whole picture came for {limit_s:.1f} s", "is the camera on?") from None
        except (http.client.HTTPException, ValueError):  # chunks that do not end, or are none
            raise lost("the server ended the stream", "it is opened again") from None
        except OSError as error:
            raise http_error(error, limit_s) from None


class PauseWatch:
    """Watch over the arrival of pictures: after connecting, and after a pause, they are not believed to be fresh."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._usual_s = 0.0
        self._first_ns: int | None = None
        self._end_ns: int | None = None
        self._waits = 0
        self._is_fresh = False

    def waits_for_fresh(self, part: Part) -> bool:
        """Whether a picture may be one of those that had gathered at the server before we came: they come in a row."""
        if self._is_fresh:
            return False
        end, self._end_ns = self._end_ns, part.ended_ns
        if end is None or self._first_ns is None:
            self._first_ns = part.arrived_ns
            return True
        # One pause may be the server's own, for a moment without the processor, between two old pictures.
        self._waits = self._waits + 1 if part.arrived_ns - end >= IDLE_NS else 0
        self._is_fresh = self._waits >= WAITS or part.arrived_ns - self._first_ns > SETTLE_NS
        return not self._is_fresh

    def check(self, arrived_ns: int) -> None:
        """Note the arrival of a picture. Raises `SourceError` after a pause."""
        last, self._last_ns = self._last_ns, arrived_ns
        if last is None:
            return
        pause_s = (arrived_ns - last) / 1e9
        if self._usual_s and pause_s > max(PAUSE_S, INTERVALS * self._usual_s):
            raise lost(
                f"its pictures paused for {pause_s:.1f} s; those that follow may be old",
                "the connection is made anew",
            )
        self._usual_s = pause_s if not self._usual_s else _KEEP * self._usual_s + (1 - _KEEP) * pause_s


def _header(part: Part) -> JpegInfo:
    """Header of a part's JPEG. Raises `FrameDamagedError` if it is not whole, `SourceError` if it is no JPEG."""
    if part.kind not in ("", "image/jpeg", "image/jpg", "image/pjpeg", "application/octet-stream"):
        raise _not_mjpeg(part.kind)
    if not part.is_sound:
        raise FrameDamagedError("a picture is not as long as its header says")
    header = read_jpeg_header(part.body)
    if header is None:
        raise FrameDamagedError("a picture is no JPEG" if part.body else "a picture is empty")
    try:
        check_cost(header.width, header.height, JPEG_COST, "JPEG")
    except SourceError as error:
        raise FrameDamagedError(f"{error.message}; send smaller pictures", Reason.TOO_LARGE) from None
    if not header.complete:
        raise FrameDamagedError("a picture is cut off: its end is missing")
    pixels = header.width * header.height
    if header.scans * pixels > max(MAX_SCAN_PIXELS, pixels):
        raise FrameDamagedError("a picture has too many scans", Reason.TOO_LARGE)
    return header


def _decoded(part: Part, header: JpegInfo) -> NDArray[np.uint8]:
    """Picture of a part: (H, W) if it is grey, else (H, W, 3) RGB."""
    colour = cv2.IMREAD_GRAYSCALE if len(header.components) == 1 else cv2.IMREAD_COLOR_RGB
    try:
        picture = decode_with_opencv(part.body, colour | cv2.IMREAD_IGNORE_ORIENTATION)
    except SourceError as error:
        raise FrameDamagedError(error.message) from None
    if picture is None:
        raise FrameDamagedError("a picture cannot be decoded")
    return picture


def _not_mjpeg(kind: str) -> SourceError:
    what = kind if kind.isprintable() and len(kind) < 60 else "something else"
    if kind in ("image/jpeg", "image/jpg"):
        return lost("it sends one picture, and no stream", "take the address of the camera's MJPEG stream")
    return lost(f"it sends {what}, and no MJPEG", "take the camera's MJPEG address, or its rtsp:// stream")
