"""Network sources ``rtsp://``, ``rtsps://``, ``udp://`` and ``srt://``: streams that FFmpeg receives and decodes.

    rtsp://host:554/path?transport=tcp|udp&delay_ms=40
    rtsps://host:322/path?verify=no        a certificate that nobody vouches for is refused otherwise
    udp://0.0.0.0:5000            MPEG-TS that is sent to this device, or to a multicast group
    srt://host:9000

By PyAV where it is installed (extra ``live``), else by the FFmpeg in OpenCV, which says less and waits longer. Further
parameters of an RTSP URI are the camera's own.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from edge.sources.live.options import yes_or_no
from edge.sources.live.source import LiveSource

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions, LiveReader

READER = "edge.sources.live.network:make_reader"


class RtspSource(LiveSource):
    """Source of an RTSP stream, ``rtsp://`` or ``rtsps://``: H.264, H.265, MJPEG, by TCP unless told otherwise."""

    reader = READER
    parameters = ("transport", "verify")
    server_has_parameters = True

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        super().__init__(uri, stream)
        if not uri.host:
            raise UsageError(f"{uri.scheme}:// names no host", hint=f"write {uri.scheme}://HOST/PATH")
        uri.get("transport", _transport, "tcp")
        uri.get("verify", yes_or_no, True)


class UdpSource(LiveSource):
    """Source of MPEG-TS that is sent by UDP, ``udp://address:port``: to this device, or to a multicast group."""

    reader = READER

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        super().__init__(uri, stream)
        if uri.port is None:
            raise UsageError("udp:// names no port", hint="for example udp://0.0.0.0:5000")


class SrtSource(LiveSource):
    """Source of MPEG-TS by SRT, ``srt://host:port``, where the FFmpeg that is installed knows SRT; else refused."""

    reader = READER
    server_has_parameters = True

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        super().__init__(uri, stream)
        if not uri.host or uri.port is None:
            raise UsageError("srt:// names no host and port", hint="write srt://HOST:PORT")


def make_reader(uri: Uri, options: LiveOptions) -> LiveReader:
    """Make the reader, in the child: by PyAV if it is installed, else by OpenCV."""
    if find_spec("av") is not None:
        from edge.sources.live.pyav_reader import PyavReader

        return PyavReader(uri, options)
    from edge.sources.live.opencv_reader import OpencvReader

    return OpencvReader(uri, options)


def _transport(text: str) -> str:
    if text not in ("tcp", "udp"):
        raise ValueError
    return text
