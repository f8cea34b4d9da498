"""Tap of the frame process: writes each judged frame, blacked out, into shared memory for the viewer.

Black outside of the scan's outlines before a pixel enters the memory; of a frame whose scan area is unknown only the
words go. Nothing here waits, and nothing that goes wrong here reaches the loop.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.decoding import UnreadableError, decode_json
from edge.process.log_limit import LogLimiter
from edge.scan_area.blackout import CroppedBlackout
from edge.sources.live.ring import RingMemory
from edge.tap.channel import HEADER_BYTES, SLOT_HEADER_BYTES, SLOTS, ChannelFds
from edge.tap.messages import MAX_PACKET, OrderResult, SeenFrame, TapEvent, TapReport, ViewerOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame, SourceEvent

log = logging.getLogger(__name__)

FIELDS = 6
"""64-bit numbers of a slot: version, number, height, width, channels (0: no picture), bytes of the note."""
ALIVE = 1
"""Place of the ring's number that says when the frame process last turned its loop (monotonic nanoseconds)."""
SHORTEST_NS = 12_000_000
"""Frames captured sooner after the last one that was written are left out: no screen shows more."""
ALIVE_EVERY_NS = 50_000_000


def map_ring(fd: int) -> RingMemory:
    """Map the shared memory of one stream's ring. Raises `SourceError` if it is none."""
    return RingMemory(fd, FIELDS, HEADER_BYTES, SLOT_HEADER_BYTES)


class _StreamWriter:
    """Writer of one stream's ring."""

    def __init__(self, fd: int) -> None:
        self._memory = map_ring(fd)
        self._blackout = CroppedBlackout()
        self._written = int(self._memory.count[0])
        self._last_ns = -(1 << 62)
        self._exam_id = ""
        self._not_before_ns = 0
        for fields in self._memory.fields:  # whoever wrote before may have died while it did
            fields[0] += int(fields[0]) % 2

    def turn(self, now_ns: int) -> None:
        """Note that the loop turns."""
        self._memory.words[ALIVE] = now_ns

    def wipe(self, not_before_ns: int = 0) -> None:
        """Wipe all pictures and results: they are the last patient's, and so is what was captured before this time."""
        self._not_before_ns = max(self._not_before_ns, not_before_ns)
        for slot, fields in enumerate(self._memory.fields):
            size = int(fields[2] * fields[3] * fields[4])
            fields[0] += 1
            self._memory.pixels[slot][:size].fill(0)
            self._memory.notes[slot][: int(fields[5])].fill(0)
            fields[2:] = 0
            fields[0] += 1

    def write(self, frame: Frame, result: Result, exam_id: str, track_ids: Sequence[str | None]) -> bool:
        """Write a frame over the oldest, unless it follows too soon; whether it was."""
        if result.captured_ns < self._not_before_ns or 0 <= result.captured_ns - self._last_ns < SHORTEST_NS:
            return False
        self._last_ns = result.captured_ns
        if exam_id != self._exam_id:
            self._exam_id = exam_id
            self.wipe()
        pixels = frame.pixels
        height, width = pixels.shape[:2]
        box = self._blackout.box(frame.regions, width, height)
        step, shape = 1, (0, 0, 0)
        if box is not None:
            channels = 1 if pixels.ndim == 2 else 3
            while -(-box[2] // step) * -(-box[3] // step) * channels > self._memory.slot_bytes:
                step += 1
            shape = (-(-box[3] // step), -(-box[2] // step), channels)
        note = msgspec.json.encode(seen_frame(frame, result, exam_id, track_ids, box, step))
        if len(note) > self._memory.notes[0].size:
            raise ValueError(f"a result of {len(note)} bytes")
        slot = self._written % SLOTS
        fields = self._memory.fields[slot]
        fields[0] += 1  # odd: being written
        if box is not None:
            out = self._memory.pixels[slot][: shape[0] * shape[1] * shape[2]]
            self._blackout.write(pixels, step, out.reshape(shape[:2] if pixels.ndim == 2 else shape))
        self._memory.notes[slot][: len(note)] = np.frombuffer(note, np.uint8)
        fields[1:] = (self._written, *shape, len(note))
        fields[0] += 1
        self._written += 1
        self._memory.count[0] = self._written
        return True


class FrameTap:
    """The frame process' side of the channel to the viewer. A `Tap`."""

    def __init__(self, fds: ChannelFds, streams: Sequence[str]) -> None:
        """Map the memory of all ``streams``, in the order in which the supervisor has them."""
        self._streams = {name: _StreamWriter(fd) for name, fd in zip(streams, fds.rings, strict=True)}
        self._socket = socket.socket(fileno=fds.link)
        self._socket.setblocking(False)
        self._ready = fds.ready
        self._limited_log = LogLimiter(log, every_s=60.0)
        self._turned_ns = 0
        self.orders()  # for whoever was here before

    def offer(self, frame: Frame, result: Result, exam_id: str, track_ids: Sequence[str | None]) -> None:
        """Implement `Tap.offer`: write the frame into shared memory."""
        try:
            if self._streams[frame.stream].write(frame, result, exam_id, track_ids):
                os.eventfd_write(self._ready, 1)
        except Exception as error:  # what is not shown is still judged
            self._limited_log.warning("offer", "a frame is not shown: %r", error)

    def event(self, stream: str, event: SourceEvent, exam_id: str) -> None:
        """Implement `Tap.event`: send what happened to the viewer."""
        self._send(
            TapEvent(stream=stream, kind=event.kind, reason=event.reason, at_ns=time.monotonic_ns(), exam_id=exam_id)
        )

    def begin_exam(self, stream: str, exam_id: str, at_ns: int) -> None:
        """Wipe what is there of the exam that ends at ``at_ns``, and tell the viewer of the one that begins."""
        self._streams[stream].wipe(at_ns)
        self._send(TapEvent(stream=stream, kind="exam", at_ns=at_ns, exam_id=exam_id))

    def turn(self) -> None:
        """Note that the loop turns: the viewer tells a frame process that hangs by it. Cheap."""
        now_ns = time.monotonic_ns()
        if now_ns - self._turned_ns >= ALIVE_EVERY_NS:
            self._turned_ns = now_ns
            for stream in self._streams.values():
                stream.turn(now_ns)

    def report(self, report: TapReport) -> None:
        """Send a report to the viewer."""
        self._send(report)

    def orders(self) -> list[ViewerOrder]:
        """Orders of people at the page since the last call."""
        found = []
        with contextlib.suppress(OSError):  # nothing, or the viewer is away
            while packet := self._socket.recv(MAX_PACKET):
                with contextlib.suppress(UnreadableError):
                    found.append(decode_json(packet, ViewerOrder))
        return found

    def answer(self, result: OrderResult) -> None:
        """Send the answer to an order."""
        self._send(result)

    def _send(self, message: TapEvent | TapReport | OrderResult) -> None:
        with contextlib.suppress(OSError):  # full, or the viewer is away: the next report tells
            self._socket.send(msgspec.json.encode(message))


def seen_frame(
    frame: Frame,
    result: Result,
    exam_id: str,
    track_ids: Sequence[str | None],
    box: tuple[int, int, int, int] | None,
    step: int,
) -> SeenFrame:
    """Make the note of one frame for the viewer; ``box``: the part that is shown, ``step``: see `SeenFrame`."""
    return SeenFrame(
        stream=frame.stream,
        seq=result.frame_seq,
        captured_ns=result.captured_ns,
        exam_id=exam_id,
        size=(frame.pixels.shape[1], frame.pixels.shape[0]),
        box=box,
        step=step,
        geometry=frame.geometry,
        status=result.status,
        reason=result.reason,
        malignancy=result.malignancy,
        suspicious=result.suspicious,
        call_uncertain=result.call_uncertain,
        uncertainty=result.uncertainty,
        lesions=result.lesions,
        region=result.region,
        track_ids=tuple(track_ids),
        scores=result.scores,
        given=result.given,
        runtime=result.runtime,
        latency_ms=result.latency_ms.get("total", 0.0),
    )
