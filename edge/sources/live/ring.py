"""Ring of the newest frames in shared memory, from a live source's child process to its parent.

The child writes into the slots in turn and never waits. The parent copies the newest; a copy during which the slot was
written anew is found by its version number (a seqlock), and made again from the frame that is the newest then.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from dataclasses import dataclass

import msgspec
import numpy as np

from edge.contracts.decoding import UnreadableError, decode_json
from edge.contracts.errors import SourceError
from edge.contracts.region import Region
from edge.sources.live.reader import LiveFrame

SLOTS = 3
"""One is written while another is copied; the third gives the copy a whole frame interval."""
HEADER_BYTES = 4096
"""Before the slots: the number of frames written, then `SLOT_HEADER_BYTES` a slot."""
SLOT_HEADER_BYTES = 1024
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
_FIELDS = 9
"""64-bit numbers of a slot's header: its version, number, captured_ns, media_ns, all that were left out, height, width,
channels, and bytes of its regions."""
_NO_TIME = -(1 << 62)
_TRIES = 8


def make_ring_memory(slot_bytes: int) -> int:
    """Make shared memory for frames of up to ``slot_bytes``; returns its file descriptor."""
    fd = os.memfd_create("sonoedge-live", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, HEADER_BYTES + SLOTS * slot_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, SEALS)
    return fd


class RingMemory:
    """Views of the shared memory that both sides of a ring have; a slot holds numbers, a note of bytes, and pixels."""

    def __init__(
        self, fd: int, fields: int = _FIELDS, header_bytes: int = HEADER_BYTES, slot_header: int = SLOT_HEADER_BYTES
    ) -> None:
        """Map ``fd``: ``header_bytes`` for all headers, of which a slot has ``slot_header``, with ``fields`` numbers.

        Raises `SourceError` for memory that could shrink, or is too small.
        """
        size = os.fstat(fd).st_size
        if size <= header_bytes or fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS != SEALS:
            raise SourceError("the live source's process gave no proper memory")
        self.slot_bytes = (size - header_bytes) // SLOTS
        memory = mmap.mmap(fd, size)
        self.words = np.frombuffer(memory, np.int64, 8)
        """Numbers of the whole ring; the first is `count`."""
        self.count = self.words[:1]
        """How many frames were written."""
        starts = [slot_header * slot + 64 for slot in range(SLOTS)]
        self.fields = [np.frombuffer(memory, np.int64, fields, start) for start in starts]
        self.notes = [np.frombuffer(memory, np.uint8, slot_header - 8 * fields, start + 8 * fields) for start in starts]
        self.pixels = [
            np.frombuffer(memory, np.uint8, self.slot_bytes, header_bytes + slot * self.slot_bytes)
            for slot in range(SLOTS)
        ]


class RingWriter:
    """The child's side of the ring."""

    def __init__(self, fd: int, written: int = 0, left_out: int = 0) -> None:
        """``written``, ``left_out``: frames before this ring; the counts go on."""
        self._memory = RingMemory(fd)
        self._memory.count[0] = self.written = written
        self.left_out = left_out
        self.slot_bytes = self._memory.slot_bytes

    def write(self, frame: LiveFrame) -> None:
        """Write a frame of at most ``slot_bytes`` over the oldest."""
        pixels = frame.pixels
        slot = self.written % SLOTS
        fields = self._memory.fields[slot]
        regions = msgspec.json.encode(frame.regions) if frame.regions else b""
        if len(regions) > self._memory.notes[slot].size:
            raise SourceError(f"a frame with {len(frame.regions)} regions is not taken")
        fields[0] += 1  # odd: being written
        self._memory.pixels[slot][: pixels.nbytes].reshape(pixels.shape)[...] = pixels
        self._memory.notes[slot][: len(regions)] = np.frombuffer(regions, np.uint8)
        self.left_out += frame.left_out  # of all until now: frames that are overwritten take no count along
        fields[1:] = (
            self.written,
            frame.captured_ns,
            _NO_TIME if frame.media_ns is None else frame.media_ns,
            self.left_out,
            pixels.shape[0],
            pixels.shape[1],
            0 if pixels.ndim == 2 else pixels.shape[2],
            len(regions),
        )
        fields[0] += 1
        self.written += 1
        self._memory.count[0] = self.written


@dataclass(frozen=True, slots=True, eq=False)
class TakenFrame:
    """A frame that the parent took from the ring; its pixels are a copy that no one writes to."""

    frame: LiveFrame
    number: int
    """0-based number among all frames that the child wrote. ``frame.left_out`` counts among all, too."""


class RingReader:
    """The parent's side of the ring. What the child wrote is checked: it may have gone mad."""

    def __init__(self, fd: int) -> None:
        self._memory = RingMemory(fd)

    def newest(self, taken: int) -> TakenFrame | None:
        """Copy the newest frame; None if its number is below ``taken``: no new one is there."""
        for _ in range(_TRIES):
            written = int(self._memory.count[0])
            if written <= taken:
                return None
            slot = (written - 1) % SLOTS
            version, number, *described = (int(field) for field in self._memory.fields[slot])
            if version % 2 or number != written - 1:
                continue  # it is being written: by now another is the newest
            frame = self._copied(slot, described)
            if int(self._memory.fields[slot][0]) == version:
                return TakenFrame(frame, number)
        return None

    def _copied(self, slot: int, described: list[int]) -> LiveFrame:
        captured_ns, media_ns, left_out, height, width, channels, regions_bytes = described
        shape = (height, width) if channels == 0 else (height, width, channels)
        size = height * width * (channels or 1)
        if channels not in (0, 3) or min(height, width) < 1 or size > self._memory.slot_bytes:
            raise SourceError(f"the live source's process gave a frame of shape {shape}")
        pixels = self._memory.pixels[slot][:size].reshape(shape).copy()
        pixels.flags.writeable = False
        regions: tuple[Region, ...] = ()
        if regions_bytes:
            try:
                regions = decode_json(self._memory.notes[slot][:regions_bytes].tobytes(), tuple[Region, ...])
            except UnreadableError as error:
                raise SourceError(f"the live source's process gave regions that cannot be read: {error}") from None
        return LiveFrame(pixels, captured_ns, None if media_ns == _NO_TIME else media_ns, regions, left_out)
