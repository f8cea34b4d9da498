"""Reader of network streams by PyAV: FFmpeg with small delays, and with a word for each failure.

FFmpeg gives a packet of H.264 or H.265 when the next one begins: only then it knows where the first ended. So when a
frame arrived is told by the packet before it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import av
import av.error
import av.logging
import numpy as np

from edge.contracts.errors import SourceSetupError
from edge.images.limits import MAX_PICTURE_PIXELS, check_picture_size
from edge.sources.live.damage import DamageWatch
from edge.sources.live.deinterlace import one_field
from edge.sources.live.late_frames import LateFrames
from edge.sources.live.network_errors import STATUS_IN_LOG, lost, status_error, system_error
from edge.sources.live.network_url import receive_options, with_credentials
from edge.sources.live.picture_size import PictureSize
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamInfo
from edge.sources.live.stream_clock import StreamClock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.config.uri import Uri
    from edge.contracts.errors import SourceError
    from edge.sources.live.reader import LiveOptions

HELD = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video", "av1"})
"""Codecs of which FFmpeg holds a packet until the next one begins."""
INTRA = frozenset({"mjpeg"})
"""Codecs of which no frame is predicted from another."""
READ_TIMEOUT_S = 10.0
"""For a call of FFmpeg: the parent's limit of silence is much shorter, and follows the stream's frame rate."""
FORMATS = {"rtsp": "rtsp", "rtsps": "rtsp", "udp": "mpegts", "srt": "mpegts"}

_STATUS = {"Unauthorized": 401, "Forbidden": 403, "NotFound": 404, "BadRequest": 400, "TooMany": 429, "Client": 499}
"""Status by parts of the names of PyAV's exceptions."""


class PyavReader:
    """Reader of one network stream; implements `LiveReader`."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._uri, self._options = uri, options
        self._container: Any = None
        self._frames: DecodedFrames | None = None
        self._log = av.logging.Capture(local=False)
        self._lines: list[tuple[int, str, str]] = self._log.__enter__()
        av.logging.set_level(av.logging.INFO)
        av.logging.set_skip_repeated(False)

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: connect, and find the video."""
        self.close()
        self._lines.clear()
        begun = time.monotonic()
        timeouts = (self._options.open_timeout_s, READ_TIMEOUT_S)
        form = FORMATS[self._uri.scheme]
        try:
            self._container = av.open(
                with_credentials(self._options), format=form, options=receive_options(self._uri), timeout=timeouts
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            if time.monotonic() - begun >= self._options.open_timeout_s:  # FFmpeg may call that something else
                raise self._no_answer(self._options.open_timeout_s) from None
            raise self.error(error) from None
        video = self._container.streams.video
        if not video:
            raise lost("it sends no video", "check the path of the URI")
        stream = video[0]
        coder = stream.codec_context
        if coder is None:
            raise lost("its video has a codec that is not known here", "send H.264 or MJPEG")
        check_picture_size(coder.width, coder.height)
        coder.thread_count = 1
        coder.options = {"flags": "low_delay", "max_pixels": str(MAX_PICTURE_PIXELS)}
        self._frames = DecodedFrames(self, self._container, stream, self._lines)
        rate = stream.average_rate or stream.guessed_rate
        return StreamInfo(
            width=coder.width,
            height=coder.height,
            fps=None if not rate else float(rate),
            format=coder.name,
            decoder=f"PyAV {av.__version__}",
            details={"transport": self._uri.get("transport", str, "tcp")} if form == "rtsp" else {},
        )

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next sound frame that is not late."""
        if self._frames is None:
            raise lost("not open")
        return self._frames.next()

    def close(self) -> None:
        """Implement `LiveReader.close`: close the connection."""
        container, self._container = self._container, None
        if container is not None:
            self._frames = None
            container.close()

    def _no_answer(self, waited_s: float) -> SourceError:
        return lost(f"it did not answer within {waited_s:.0f} s", "is it on, and in reach?")

    def error(self, error: Exception) -> SourceError:
        """An exception of PyAV in words of ours; its own hold the URI, password included."""
        said = " ".join(text for _, _, text in self._lines)
        self._lines.clear()
        if (status := _status(error, said)) is not None:
            return status_error(status)
        if isinstance(error, av.error.ExitError) or (isinstance(error, OSError) and "timed out" in str(error)):
            return self._no_answer(READ_TIMEOUT_S)
        if isinstance(error, av.error.ProtocolNotFoundError):
            scheme = self._uri.scheme
            return SourceSetupError(
                f"the FFmpeg that is installed (PyAV {av.__version__}) does not know {scheme}://",
                hint="have it sent as MPEG-TS by UDP: udp://0.0.0.0:PORT",
            )
        if isinstance(error, (av.error.MemoryError, MemoryError)):
            return lost("it takes more memory to decode than a stream may have", "send smaller pictures")
        if "resolve" in said:
            return lost("the name of its host is not known", "check the host, and this device's network")
        if "certificate" in said:
            return lost("its certificate is not trusted", "install its authority's certificate, or write verify=no")
        if (known := system_error(getattr(error, "errno", None))) is not None:
            return known
        if isinstance(error, av.error.EOFError):
            return lost("the server ended the stream", "it is opened again")
        if isinstance(error, av.error.InvalidDataError):
            return lost(
                "what it sends is no video stream that is known here", "check the URI; H.264 and MJPEG are read"
            )
        return lost(f"the stream failed ({type(error).__name__})", "check the URI")


def _status(error: Exception, said: str) -> int | None:
    """HTTP or RTSP status that an exception tells, or else FFmpeg's log; None: it is of another kind."""
    name = type(error).__name__
    if not name.startswith("HTTP"):
        return None
    if found := STATUS_IN_LOG.search(said):
        return int(found[1])
    return next((status for part, status in _STATUS.items() if part in name), 500)


class DecodedFrames:
    """Sound frames of one connection, decoded one packet at a time, with their times of capture."""

    def __init__(self, reader: PyavReader, container: Any, stream: Any, lines: list[tuple[int, str, str]]) -> None:
        self._reader, self._stream = reader, stream
        self._packets = container.demux(stream)
        self._coder = stream.codec_context
        self._codec = self._coder.name
        self._clock = StreamClock()
        self._late = LateFrames()
        self._damage = DamageWatch(self._codec, self._coder.extradata or b"", lines, intra=self._codec in INTRA)
        self._held = self._codec in HELD
        self._came_ns: int | None = None
        """When the packet before came."""
        self._waiting: list[Any] = []
        self._size = PictureSize()
        self._last_ns = 0

    def next(self) -> LiveFrame:
        """The next sound frame. Raises `FrameDamagedError` for one that is not, `SourceError` if the stream is lost."""
        while True:
            while self._waiting:
                taken = self._taken(self._waiting.pop(0))
                if taken is not None:
                    return taken
            self._decode_next()

    def _decode_next(self) -> None:
        """Read and decode one packet."""
        try:
            packet = next(self._packets, None)
        except (av.error.FFmpegError, OSError) as error:
            raise self._reader.error(error) from None
        if packet is None or not packet.size:
            raise lost("the server ended the stream", "it is opened again")
        self._note_arrival(packet)
        self._damage.before(packet.pts, bytes(packet), corrupt=packet.is_corrupt)
        try:
            self._waiting = packet.decode()
        except av.error.InvalidDataError:
            if not self._damage.failed():
                return  # what comes before the first key frame is nothing that anyone has lost
            raise FrameDamagedError("a frame could not be decoded") from None
        except (av.error.FFmpegError, OSError) as error:
            raise self._reader.error(error) from None
        self._damage.after()

    def _note_arrival(self, packet: Any) -> None:
        """Let the clock know when the packet came; of one that was held, when it began to come."""
        now = time.monotonic_ns()
        came = self._came_ns if self._held else now
        self._came_ns = now
        if came is not None and packet.pts is not None:
            self._clock.note(self._stamp_ns(packet.pts), came)

    def _stamp_ns(self, pts: int) -> int:
        base = self._stream.time_base
        return int(pts * 1_000_000_000 * base.numerator // base.denominator)

    def _taken(self, frame: Any) -> LiveFrame | None:
        """A decoded frame with its time, if it is sound and not late."""
        self._size.check(frame.width, frame.height)
        why = self._damage.of_frame(frame.pts, key=bool(frame.key_frame), corrupt=frame.is_corrupt)
        if why is not None:
            if not self._damage.has_begun:
                return None
            raise FrameDamagedError(why)
        if frame.pts is None or not self._clock.is_settled:
            self._late.leave_out()
            return None
        captured_ns = min(self._clock.captured_ns(self._stamp_ns(frame.pts)), time.monotonic_ns())
        if self._late.leaves_out(captured_ns):
            return None
        captured_ns = self._last_ns = max(captured_ns, self._last_ns + 1)
        pixels = _pixels(frame)
        return LiveFrame(pixels, captured_ns, left_out=self._late.take_count())


def _pixels(frame: Any) -> NDArray[np.uint8]:
    """Picture as a view of the converter's memory: (H, W) if the stream is grey, else (H, W, 3) RGB; deinterlaced."""
    grey = frame.format.name.startswith("gray")
    plain = frame.reformat(format="gray" if grey else "rgb24")
    plane: Any = plain.planes[0]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    shape, strides = (plain.height, plain.width), (plane.line_size, 1)
    if not grey:
        shape, strides = (*shape, 3), (plane.line_size, 3, 1)
    pixels: NDArray[np.uint8] = np.ndarray(shape, np.uint8, plane, 0, strides)
    return one_field(pixels) if frame.interlaced_frame else pixels
