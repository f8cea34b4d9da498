"""Reader port of live sources: what stands in the child process behind one kind of URI, and what it gives.

A reader may hang, crash or be killed at any time: its parent (`edge.sources.live.source`) tells and starts another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

from edge.contracts.results import Reason

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Region


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Description of an opened stream: what the camera or server really gives, for doctor, `state` and the log."""

    width: int
    """Pixels; 0: not known before the first frame."""
    height: int
    fps: float | None = None
    """Frames a second as the driver or server says. None: it does not say."""
    format: str = ""
    """Codec or pixel format: ``h264``, ``mjpeg``, ``yuyv``."""
    decoder: str = ""
    """Library that decodes: ``PyAV 18.1.0``, ``OpenCV 4.11.0``."""
    details: dict[str, str] = {}
    """Further facts by name, such as the driver or the transport. Never credentials, paths or file names."""


class LiveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options that every live stream has, beside those of its kind (which stand in the URI)."""

    location: str = ""
    """The URI as it was written, without credentials and without our own parameters: what the server is asked for."""
    username: str | None = None
    password: str | None = None
    delay_ms: float = 0.0
    """Delay in the camera, scanner or encoder, which nothing here can measure: it is subtracted from the capture time.
    The parent does that, not the reader."""
    open_timeout_s: float = 5.0
    """Longest time until the stream is open."""
    first_frame_s: float = 5.0
    """Longest time from there to the first frame: a stream may begin between two key frames."""
    silence_s: float | None = None
    """Longest time between two frames; then the stream is lost. None: 0.85 s, more for streams with few frames."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """One decoded picture of a live stream, with the time at which it was captured."""

    pixels: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) RGB, uint8; valid until the next `LiveReader.read`."""
    captured_ns: int
    """CLOCK_MONOTONIC, of the kernel or by the stream's own clock; never the moment of reading."""
    media_ns: int | None = None
    regions: tuple[Region, ...] = ()
    """Calibration that came with this picture."""
    left_out: int = 0
    """Frames between the last one and this one that the driver dropped, or the reader left out since they came too
    late. They count as dropped."""


class FrameDamagedError(Exception):
    """One frame could not be decoded, or not soundly; the stream goes on."""

    def __init__(self, detail: str, reason: Reason = Reason.DECODE_ERROR) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason


class StreamEndedError(Exception):
    """The stream has ended and says so: no more will come. A server that went away is lost (`SourceError`)."""


class LiveReader(Protocol):
    """Reader of one kind of live URI, in a child process of its own. Made with a `Uri` and `LiveOptions`."""

    def open(self) -> StreamInfo:
        """Connect, and tell what the stream is. Called again after `read` has raised `SourceError`.

        Raises `SourceError` (message, hint, reason ``source_lost``), never with credentials in it.
        """

    def read(self) -> LiveFrame:
        """Wait, within limits, for the next frame.

        Raises:
            FrameDamagedError: this frame only; goes on.
            SourceError: the stream is lost (reason ``source_lost``).
            StreamEndedError: no more will come.
        """

    def close(self) -> None:
        """Release all; may be called twice."""
