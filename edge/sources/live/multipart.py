"""Multipart stream (``multipart/x-mixed-replace``): splits what an MJPEG server sends into its parts.

Servers differ: with a length or without, with the boundary as it was announced or with two dashes more, and some
announce none. A part without a length ends where the next boundary begins.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.sources.live.network_errors import lost

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PART = 16 << 20
"""Largest picture in bytes, coded."""
MAX_DIGITS = 16
MAX_HEADERS = 64
MAX_BETWEEN = 64 << 10
"""Most bytes before a boundary that are skipped."""
CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stream."""

    body: bytes
    kind: str
    """Media type, in lower case; empty: not said."""
    arrived_ns: int
    """When its first byte arrived."""
    ended_ns: int
    """When its last byte arrived."""
    is_sound: bool
    """Whether it was as long as its header said."""


class MultipartReader:
    """Reads one part after the other from a stream of bytes."""

    def __init__(self, read: Callable[[int], bytes], arrived_ns: Callable[[], int], boundary: str) -> None:
        """Begin a stream.

        Args:
            read: gives what has come, at most so many bytes, and waits if it is nothing; empty at the end.
            arrived_ns: when what `read` gave last had arrived.
            boundary: as the server announced it; empty: what the first line says.
        """
        self._read, self._arrived_ns = read, arrived_ns
        self._boundary = boundary.strip('"').encode("latin-1", "replace").lstrip(b"-")
        self._buffer = bytearray()
        self._at = 0
        """Position in the stream of the buffer's first byte."""
        self._arrivals: deque[tuple[int, int]] = deque(maxlen=4096)
        """(position, when what begins there had arrived)."""

    def next_part(self) -> Part:
        """Wait for the next part. Raises `SourceError` if the stream ends, or is none of parts."""
        self._skip_to_boundary()
        arrived_ns = self._fill_for_stamp()
        headers = self._headers()
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        length = headers.get(b"content-length", b"").strip()
        if length.isdigit() and length.strip(b"0"):
            if len(length) > MAX_DIGITS or int(length) > MAX_PART:
                raise lost(f"a picture of over {MAX_PART >> 20} MB is more than is read", "send smaller pictures")
            body = self._exactly(int(length))
            sound = self._is_boundary_next() and self._delimiter() not in body
            return Part(body, kind, arrived_ns, self._arrivals[-1][1], sound)
        body = self._until_boundary()
        return Part(body, kind, arrived_ns, self._arrivals[-1][1], is_sound=True)

    def _skip_to_boundary(self) -> None:
        skipped = 0
        while skipped <= MAX_BETWEEN:
            line = self._line()
            mark = line.strip()
            if mark.startswith(b"--") or (self._boundary and mark == self._boundary):
                name = mark.lstrip(b"-")
                if not self._boundary:
                    self._boundary = name
                if name == self._boundary:
                    return
                if name.rstrip(b"-") == self._boundary:
                    raise lost("the server ended the stream", "it is opened again")
            skipped += len(line)
        raise lost("what it sends is no stream of pictures", "check the path of the URI: MJPEG is read")

    def _headers(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for _ in range(MAX_HEADERS):
            line = self._line().strip()
            if not line:
                return found
            name, _, value = line.partition(b":")
            found[name.strip().lower()] = value
        raise lost("a part of its stream has too many headers", "check the server")

    def _delimiter(self) -> bytes:
        return b"\n--" + self._boundary

    def _is_boundary_next(self) -> bool:
        """Whether a boundary follows, as far as it has come already; nothing is waited for."""
        rest = bytes(self._buffer[:64]).lstrip(b"\r\n")
        return not rest or rest.startswith((b"--", self._boundary)) or b"--".startswith(rest)

    def _until_boundary(self) -> bytes:
        searched = 0
        while True:
            end = self._buffer.find(b"\n--" + self._boundary, max(0, searched - len(self._boundary) - 4))
            if end >= 0:
                body = self._take(end)
                return body[:-1] if body.endswith(b"\r") else body
            searched = len(self._buffer)
            if searched > MAX_PART:
                raise lost(f"a picture of over {MAX_PART >> 20} MB is more than is read", "send smaller pictures")
            self._fill()

    def _line(self) -> bytes:
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > MAX_BETWEEN:
                raise lost("what it sends is no stream of pictures", "check the path of the URI: MJPEG is read")
            self._fill()
        return self._take(end + 1)

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._fill()
        return self._take(count)

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        self._at += count
        return taken

    def _fill(self) -> None:
        got = self._read(CHUNK)
        if not got:
            raise lost("the server ended the stream", "it is opened again")
        self._arrivals.append((self._at + len(self._buffer), self._arrived_ns()))
        self._buffer += got

    def _fill_for_stamp(self) -> int:
        """When the next byte arrived; waits for it."""
        if not self._buffer:
            self._fill()
        while len(self._arrivals) > 1 and self._arrivals[1][0] <= self._at:
            self._arrivals.popleft()
        return self._arrivals[0][1]
