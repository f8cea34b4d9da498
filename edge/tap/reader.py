"""Reader of the tap: the viewer's side of the channel. What is read is checked; a torn frame is never given."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.process.shared_notes import SharedNotes
from edge.tap.channel import SLOTS, ChannelFds
from edge.tap.messages import MAX_PACKET, PublisherNote, SeenFrame, ToViewer, ViewerOrder
from edge.tap.writer import ALIVE, map_ring

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_TRIES = 8


@dataclass(frozen=True, slots=True, eq=False)
class TappedFrame:
    """One frame as the viewer took it from shared memory."""

    note: SeenFrame
    pixels: NDArray[np.uint8] | None
    """A copy, (H, W) grey or (H, W, 3) RGB, black outside of the scan. None: nothing of it may be shown."""


class _StreamReader:
    """Reader of one stream's ring."""

    def __init__(self, fd: int) -> None:
        self._memory = map_ring(fd)
        self._taken = 0

    @property
    def alive_ns(self) -> int:
        """Monotonic time at which the frame process last turned its loop, in nanoseconds; 0: it never did."""
        return int(self._memory.words[ALIVE])

    def newest(self) -> TappedFrame | None:
        """Copy the newest frame; None: there is no new one, or it is being written."""
        for _ in range(_TRIES):
            written = int(self._memory.count[0])
            if written <= self._taken:
                return None
            slot = (written - 1) % SLOTS
            version, number, height, width, channels, note_bytes = (int(each) for each in self._memory.fields[slot])
            if version % 2 or number != written - 1:
                continue
            frame = self._copied(slot, (height, width, channels), note_bytes)
            if int(self._memory.fields[slot][0]) == version:
                self._taken = written
                return frame
        return None

    def _copied(self, slot: int, shape: tuple[int, int, int], note_bytes: int) -> TappedFrame | None:
        height, width, channels = shape
        size = height * width * channels
        if min(shape) < 0 or channels not in (0, 1, 3) or size > self._memory.slot_bytes:
            return None
        pixels = None
        if size:
            pixels = self._memory.pixels[slot][:size].copy().reshape(shape[:2] if channels == 1 else shape)
        try:
            return TappedFrame(decode_json(self._memory.notes[slot][:note_bytes].tobytes(), SeenFrame), pixels)
        except UnreadableError:  # written anew meanwhile
            return None


class TapReader:
    """The viewer's side of the channel to the frame process, and its view of the publisher's notes."""

    def __init__(self, fds: ChannelFds, streams: Sequence[str]) -> None:
        """Map the memory of all ``streams``, in the order in which the supervisor has them."""
        self._streams = {name: _StreamReader(fd) for name, fd in zip(streams, fds.rings, strict=True)}
        self._socket = socket.socket(fileno=fds.link)
        self._socket.setblocking(False)
        self.ready_fd = fds.ready
        self._notes = SharedNotes(fds.publisher)

    @property
    def link_fd(self) -> int:
        """Descriptor that is readable when there are messages."""
        return self._socket.fileno()

    def alive_ns(self) -> int:
        """Monotonic time at which the frame process last turned its loop, in nanoseconds; 0: it never did."""
        return max((stream.alive_ns for stream in self._streams.values()), default=0)

    def newest(self) -> list[TappedFrame]:
        """Newest frame of each stream that has a new one."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.ready_fd)
        found = [stream.newest() for stream in self._streams.values()]
        return [frame for frame in found if frame is not None]

    def messages(self) -> list[ToViewer]:
        """Messages of the frame process since the last call, in order."""
        found: list[ToViewer] = []
        with contextlib.suppress(OSError):
            while packet := self._socket.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    found.append(decode_json(packet, ToViewer))  # type: ignore[arg-type]  # a union is no class
        return found

    def publisher_note(self) -> PublisherNote | None:
        """What the publisher noted last; None: nothing yet."""
        with contextlib.suppress(UnreadableError, OSError):
            content = self._notes.read().rstrip(b"\0")
            return decode_json(content, PublisherNote) if content else None
        return None

    def order(self, order: ViewerOrder) -> bool:
        """Send an order to the frame process; False: it takes none now."""
        try:
            return self._socket.send(msgspec.json.encode(order)) > 0
        except OSError:
            return False
