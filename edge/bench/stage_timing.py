"""Stage timing: wrappers around the daemon's own source, analyser and outbox that note when each step happened.

The daemon's code is wrapped, not replaced: what is measured is what runs on a device.
"""

from __future__ import annotations

import contextlib
import time
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.app.frame_link import MAX_PACKET, OutboxFrameLink, decode_acknowledged
from edge.bench.samples import SPANS, Samples
from edge.contracts.finding import Finding
from edge.contracts.frames import Frame
from edge.pipeline.analyser import Analyser

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from edge.contracts.envelope import Durable, Envelope
    from edge.contracts.frame_result import Result
    from edge.contracts.frames import SourceEvent
    from edge.contracts.manifest import BundleManifest
    from edge.contracts.ports import Source
    from edge.pipeline.analyser import Answer, FrameJob
    from edge.pipeline.guard import RuntimeGuard


@dataclass(slots=True)
class FrameTimestamps:
    """Timestamps of one frame on its way, on the monotonic clock in nanoseconds; 0: not reached."""

    began: int = 0
    """What all is counted from: the capture, or, of a file, when the frame was asked for."""
    read: int = 0
    """The source gave it."""
    taken: int = 0
    """The loop took it."""
    marks: tuple[int, int, int, int] | None = None
    """See `Analyser.marks_ns`; None: it was refused before."""
    started: int = 0
    submitted: int = 0
    waited: int = 0
    finishing: int = 0


class StageTimer:
    """Collects the timestamps of all frames of a run, and makes rows of `Samples` of them."""

    def __init__(self, streams: Sequence[str]) -> None:
        self.samples = Samples()
        self.began_ns = 0
        """Of the first frame."""
        self._numbers = {name: number for number, name in enumerate(streams)}
        self._kind: dict[str, tuple[bool, bool]] = {}
        self._open: dict[tuple[str, int], FrameTimestamps] = {}

    def set_source_kind(self, name: str, *, captures: bool, decodes: bool) -> None:
        """Set what the time of reading from stream ``name`` is: capture, decoding, or neither.

        Neither: the frame lies ready, or the two cannot be told apart.
        """
        self._kind[name] = (captures, decodes)

    def frame_read(self, frame: Frame, began_ns: int) -> None:
        """Note that a source has given ``frame``. Called by its capture thread."""
        self._open[frame.stream, frame.seq] = FrameTimestamps(began_ns, time.monotonic_ns())

    def timestamps_of(self, frame: Frame) -> FrameTimestamps:
        """Timestamps of a frame on its way."""
        return self._open.setdefault((frame.stream, frame.seq), FrameTimestamps(frame.captured_ns, frame.captured_ns))

    def frame_finished(self, frame: Frame, result: Result, stamps: FrameTimestamps) -> None:
        """Make a row of a frame that has a result, and forget those that the capture has dropped before it."""
        now = time.monotonic_ns()
        for key in [key for key in list(self._open) if key[0] == frame.stream and key[1] <= frame.seq]:
            del self._open[key]
        self.began_ns = self.began_ns or stamps.began
        word = result.status.value if result.reason is None else f"{result.status.value}: {result.reason.value}"
        self.samples.add(
            self._numbers[frame.stream],
            frame.seq,
            (stamps.began - self.began_ns) / 1e9,
            (now - self.began_ns) / 1e9,
            word,
            self._times(frame.stream, stamps, now),
        )

    def _times(self, stream: str, stamps: FrameTimestamps, now: int) -> dict[str, float]:
        captures, decodes = self._kind.get(stream, (False, False))
        times: dict[str, float] = {"queue": (stamps.taken - stamps.read) / 1e6}
        if captures:
            times["capture"] = (stamps.read - stamps.began) / 1e6
        if decodes:
            times["decode"] = (stamps.read - stamps.began) / 1e6
        if stamps.marks is not None:
            begun, cropped, resized, copied = stamps.marks
            times["crop"], times["resize"] = (cropped - begun) / 1e6, (resized - cropped) / 1e6
            times["quantise"] = (copied - resized + stamps.submitted - stamps.started) / 1e6
        if stamps.waited:
            times["invoke"] = (stamps.waited - stamps.submitted) / 1e6
        times["age"] = (stamps.taken - stamps.began) / 1e6
        times["post"] = (now - stamps.finishing) / 1e6
        times["result"] = (now - stamps.began) / 1e6
        before = 0.0 if captures or decodes else (stamps.read - stamps.began) / 1e6
        known = sum(value for name, value in times.items() if name not in SPANS) + before
        times["turn"] = max(0.0, times["result"] - known)
        return times


class TimedSource:
    """`Source` that wraps another one and notes when it was asked and when it gave a frame."""

    def __init__(self, source: Source, timer: StageTimer, *, from_ask: bool) -> None:
        """``from_ask``: a frame's time begins when it is asked for (files); else at its capture."""
        self._source, self._timer, self._from_ask = source, timer, from_ask
        self.live = source.live

    def open(self) -> None:
        """Implement `Source.open`: open the wrapped source."""
        self._source.open()

    def read(self, timeout_s: float) -> Frame | SourceEvent | None:
        """Implement `Source.read`: the next frame or event of the wrapped source."""
        asked_ns = time.monotonic_ns()
        item = self._source.read(timeout_s)
        if isinstance(item, Frame):
            self._timer.frame_read(item, asked_ns if self._from_ask else item.captured_ns)
        return item

    def close(self) -> None:
        """Implement `Source.close`: close the wrapped source."""
        self._source.close()


class TimedAnalyser(Analyser):
    """`Analyser` that notes when each of its steps began and ended."""

    def __init__(self, manifest: BundleManifest, guard: RuntimeGuard, timer: StageTimer) -> None:
        super().__init__(manifest, guard)
        self._timer = timer

    def prepare(self, frame: Frame) -> FrameJob:
        """Extend `Analyser.prepare`: note when the loop took the frame and when it was prepared."""
        stamps = self._timer.timestamps_of(frame)
        stamps.taken = time.monotonic_ns()
        job = super().prepare(frame)
        stamps.marks = self.marks_ns if self.marks_ns[0] >= stamps.taken else None
        return job

    def start(self, job: FrameJob) -> None:
        """Extend `Analyser.start`: note when the frame was given to the runtime."""
        stamps = self._timer.timestamps_of(job.frame)
        stamps.started = time.monotonic_ns()
        super().start(job)
        stamps.submitted = time.monotonic_ns()

    def wait(self, job: FrameJob) -> Answer | None:
        """Extend `Analyser.wait`: note when the runtime answered."""
        answer = super().wait(job)
        if answer is not None:
            self._timer.timestamps_of(job.frame).waited = time.monotonic_ns()
        return answer

    def finish(self, job: FrameJob, answer: Answer | None) -> Result:
        """Extend `Analyser.finish`: note when post-processing began, and make the row of the frame."""
        stamps = self._timer.timestamps_of(job.frame)
        stamps.finishing = time.monotonic_ns()
        result = super().finish(job, answer)
        self._timer.frame_finished(job.frame, result, stamps)
        return result


class TimedFrameLink:
    """`FrameLink` to the outbox that notes when each message was given, was on disk, and was acknowledged.

    The outbox is a new one, so its messages are numbered 1, 2, 3 as they are given.
    """

    def __init__(self, state_dir: Path, telemetry: socket.socket, samples: Samples) -> None:
        self._samples = samples
        self._socket = telemetry
        self._row = array("q")
        """Of each message: the row of the frame that it is about; -1: it is of no frame."""
        self._put, self._stored, self._acked = array("q"), array("q"), array("q")
        self._stored_so_far = 0
        self.refused = 0
        """Messages that the outbox had no room for."""
        self._frame_link = OutboxFrameLink(state_dir, telemetry, self._on_stored)

    def durable(self, suffix: str, message: Durable) -> bool:
        """Implement `FrameLink.durable`: put a message into the outbox, and note when."""
        of_frame = isinstance(message, Finding) and message.lifecycle != "end"
        # Filled before the writer can see it: it may be stored before `durable` returns.
        self._row.append(len(self._samples) - 1 if of_frame else -1)
        self._stored.append(0)
        self._acked.append(0)
        self._put.append(time.monotonic_ns())
        if self._frame_link.durable(suffix, message):
            return True
        for column in (self._row, self._put, self._stored, self._acked):
            column.pop()
        self.refused += 1
        return False

    def latest(self, suffix: str, message: Envelope) -> None:
        """Implement `FrameLink.latest`: hand over a message that need not be kept."""
        self._frame_link.latest(suffix, message)

    def close(self, timeout_s: float) -> None:
        """Implement `FrameLink.close`: close the outbox."""
        self._frame_link.close(timeout_s)

    def read_acknowledgements(self) -> None:
        """Read which messages the publisher says were acknowledged. Called at every turn of the loop; never waits."""
        with contextlib.suppress(BlockingIOError):
            while packet := self._socket.recv(MAX_PACKET):
                acknowledged = decode_acknowledged(packet)
                if acknowledged is None:
                    continue
                for seq in acknowledged.seqs:
                    if 0 < seq <= len(self._acked) and not self._acked[seq - 1]:
                        self._acked[seq - 1] = acknowledged.at_ns

    @property
    def unacknowledged(self) -> int:
        """Number of messages that are not acknowledged yet."""
        return self._acked.count(0)

    @property
    def message_count(self) -> int:
        """Number of messages given to the outbox so far."""
        return len(self._put)

    def fill_in_delivery_times(self, began_ns: int, measured: bool) -> int:
        """Write hand-over, acknowledgement and path into the rows; return how many frames' messages did not arrive.

        Args:
            began_ns: of the first frame, which the rows' times count from.
            measured: whether there was a broker to wait for.
        """
        times, missing = self._samples.times, set()
        for row, put, stored, acked in zip(self._row, self._put, self._stored, self._acked, strict=True):
            if row < 0:
                continue
            if stored:  # of several messages of a frame, the slowest counts
                _raise(times["handover"], row, max(0.0, (stored - put) / 1e6))
            if not measured:
                continue
            if not (stored and acked):
                missing.add(row)
                continue
            began = began_ns + self._samples.captured_s[row] * 1e9
            _raise(times["ack"], row, max(0.0, (acked - stored) / 1e6))
            _raise(times["path"], row, (acked - began) / 1e6)
        for row in missing:  # one of its messages is not there: so the frame is not
            times["ack"][row] = times["path"][row] = float("nan")
        return len(missing)

    def _on_stored(self, count: int) -> None:
        """From the writer's thread: the next ``count`` messages are on disk."""
        now = time.monotonic_ns()
        for i in range(self._stored_so_far, min(self._stored_so_far + count, len(self._stored))):
            self._stored[i] = now
        self._stored_so_far += count


def _raise(column: array[float], row: int, value: float) -> None:
    if not column[row] >= value:  # NaN too
        column[row] = value
