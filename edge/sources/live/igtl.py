"""OpenIGTLink source, ``igtl://host:18944?device=Image``: PLUS, 3D Slicer, and scanners that speak through them.

The only live source whose pictures say how large a pixel is, and say it anew when depth changes. Nothing is installed
for it: pyigtl's client looks for messages every 10 ms, spins when the server has gone, and takes bodies of any size.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from edge.contracts.errors import SourceError, UsageError
from edge.images.limits import check_picture_size
from edge.sources.live.igtl_messages import HEADER, MessageError, MessageHeader, parse_header, parse_image
from edge.sources.live.late_frames import LateFrames
from edge.sources.live.network_errors import lost
from edge.sources.live.picture_size import PictureSize
from edge.sources.live.reader import FrameDamagedError, LiveFrame, StreamInfo
from edge.sources.live.source import LiveSource
from edge.sources.live.stream_clock import StreamClock

if TYPE_CHECKING:
    from edge.config.settings import StreamSettings
    from edge.config.uri import Uri
    from edge.sources.live.reader import LiveOptions

PORT = 18944
"""The protocol's usual port."""
MOST_BYTES = 256 << 20
"""Largest message that is taken: more than any picture that is read."""
SILENCE_S = 10.0
"""After so long without an image the reader gives up, if its parent did not before."""
STRANGERS_S = 3.0
"""So long other messages may come, and none of the device that was asked for."""
MOST_NAMED = 8


class IgtlSource(LiveSource):
    """Source of the images of one device of an OpenIGTLink server, with their spacing."""

    reader = "edge.sources.live.igtl:IgtlReader"
    parameters = ("device",)

    def __init__(self, uri: Uri, stream: StreamSettings) -> None:
        if not uri.host or uri.path.strip("/"):
            raise UsageError("igtl:// needs a host and nothing behind it", hint="for example igtl://plus-pc:18944")
        super().__init__(uri, stream)


class IgtlReader:
    """Reader of one OpenIGTLink server's images, newest as they come."""

    def __init__(self, uri: Uri, options: LiveOptions) -> None:
        self._address = (uri.host, uri.port or PORT)
        self._wanted = uri.params.get("device")
        self._device = self._wanted
        """The device whose images are taken: the first that sends one, where none was asked for."""
        self._connect_s = options.open_timeout_s
        self._deadline = 0.0
        """When the image that is waited for must be there, by `time.monotonic`, however slowly its bytes drip."""
        self._socket: socket.socket | None = None
        self._clock = StreamClock()
        self._late = LateFrames()
        self._size = PictureSize()
        self._first: LiveFrame | None = None
        self._strangers: dict[str, float] = {}

    def open(self) -> StreamInfo:
        """Implement `LiveReader.open`: connect, and wait for the first image."""
        self.close()
        host, port = self._address
        self._deadline = time.monotonic() + self._connect_s
        try:
            self._socket = socket.create_connection(self._address, self._connect_s)
        except OSError as error:
            raise SourceError(
                f"{host}:{port} cannot be reached: {error.strerror or error}",
                hint="is the server running, and does it listen there?",
                reason="source_lost",
            ) from None
        self._device, self._clock, self._late = self._wanted, StreamClock(), LateFrames()
        self._size = PictureSize()
        self._strangers.clear()
        while self._first is None:
            self._first = self._read_first()
        height, width = self._first.pixels.shape[:2]
        return StreamInfo(
            width=width,
            height=height,
            format="grey" if self._first.pixels.ndim == 2 else "rgb",
            details={"device": self._device or "", "protocol": "OpenIGTLink", "time stamps": "the sender's"},
        )

    def read(self) -> LiveFrame:
        """Implement `LiveReader.read`: the next image of the device; other messages are passed over."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        self._deadline = time.monotonic() + SILENCE_S
        return self._next_image()

    def _next_image(self) -> LiveFrame:
        while True:
            header, arrived_ns = self._receive_header()
            body = self._receive(header.body_bytes)
            if not self._is_ours(header):
                continue
            try:
                image = parse_image(header, memoryview(body))
                check_picture_size(image.pixels.shape[1], image.pixels.shape[0])
            except (MessageError, SourceError) as error:
                raise FrameDamagedError(str(error)) from None
            self._size.check(image.pixels.shape[1], image.pixels.shape[0])
            captured_ns = arrived_ns
            if header.sent_ns:
                self._clock.note(header.sent_ns, arrived_ns)
                captured_ns = self._clock.captured_ns(header.sent_ns)
            if self._late.leaves_out(captured_ns):
                continue
            return LiveFrame(image.pixels, captured_ns, regions=(image.region,), left_out=self._late.take_count())

    def _no_image(self) -> SourceError:
        limit_s = self._connect_s if self._size.known is None else SILENCE_S
        return lost(f"no image came within {limit_s:g} s", "does the server send images, and is it not paused?")

    def _read_first(self) -> LiveFrame:
        """The first image; one that cannot be read is an error here, since all others will be alike."""
        try:
            return self._next_image()
        except FrameDamagedError as error:
            raise SourceError(f"it sends {error.detail}", reason="source_lost") from None

    def close(self) -> None:
        """Implement `LiveReader.close`: end the connection."""
        self._first = None
        connection, self._socket = self._socket, None
        if connection is not None:
            connection.close()

    def _is_ours(self, header: MessageHeader) -> bool:
        """Whether a message is an image of our device. Raises `SourceError` if others alone come for long."""
        if header.type == "IMAGE" and self._device in (None, header.device):
            self._device = header.device
            self._strangers.clear()
            return True
        now = time.monotonic()
        if len(self._strangers) < MOST_NAMED:
            self._strangers.setdefault(f"{header.device or 'no name'} ({header.type})", now)
        if now - min(self._strangers.values()) < STRANGERS_S:
            return False
        wanted = "image" if self._device is None else f"image of the device {self._device!r}"
        raise SourceError(
            f"no {wanted} comes, but messages of {', '.join(self._strangers)}",
            hint="say device=NAME of one that is an IMAGE, or have the sender send images",
            reason="source_lost",
        )

    def _receive_header(self) -> tuple[MessageHeader, int]:
        """The next message's header, and when its first byte came."""
        data = bytearray(HEADER.size)
        self._receive_into(memoryview(data)[:1])
        arrived_ns = time.monotonic_ns()
        self._receive_into(memoryview(data)[1:])
        try:
            header = parse_header(data)
        except MessageError as error:
            raise SourceError(f"not OpenIGTLink: {error}", hint="is it the right port?", reason="source_lost") from None
        if header.body_bytes > MOST_BYTES:
            raise SourceError(
                f"a message of {header.body_bytes} bytes is announced, more than {MOST_BYTES}",
                hint="is it the right port?",
                reason="source_lost",
            )
        return header, arrived_ns

    def _receive(self, count: int) -> bytearray:
        body = bytearray(count)
        self._receive_into(memoryview(body))
        return body

    def _receive_into(self, view: memoryview) -> None:
        if self._socket is None:
            raise SourceError("not connected", reason="source_lost")
        while view:
            try:
                self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
                count = self._socket.recv_into(view)
            except OSError as error:
                if not isinstance(error, TimeoutError):
                    raise lost(f"the server is lost: {error.strerror}", "it is connected to again") from None
                raise self._no_image() from None
            if not count:
                raise lost("the server has closed the connection", "it is connected to again")
            view = view[count:]
