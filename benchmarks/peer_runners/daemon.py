"""sonoedge as `edge-cli run` runs it: capture thread, isolated runtime, outbox on disk, publisher, broker."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import edge
from edge.app.compose import choose_model, make_guard
from edge.app.envelope import EnvelopeMaker
from edge.app.frame_link import OutboxFrameLink
from edge.config.settings import LogSettings, SinkSettings
from edge.config.tracking_settings import AT_ONCE, TrackingSettings
from edge.contracts.frames import Frame, SourceEvent
from edge.contracts.results import Reason
from edge.daemon.frame.report import make_report
from edge.daemon.job import DaemonJob
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.pipeline import loop
from edge.pipeline.analyser import Analyser
from edge.pipeline.capture import FrameCapture
from edge.pipeline.messages import Messages, Provenance
from edge.pipeline.reporter import Reporter
from edge.pipeline.stream_metadata import add_stream_metadata
from edge.process.child import Child
from peer_runners.frame_schedule import as_fast_as_taken, due_times
from peer_runners.in_process import STREAM, regions_of, settings_of
from peer_runners.peer import Peer, PeerSetup
from peer_runners.timed_publisher import ACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edge.contracts.frame_result import Result
    from edge.contracts.region import Region
    from edge.pipeline.stats import Stats

EACH_FRAME_S = 0.001
"""Paced, a lesion is published again with every frame, so that each frame has an acknowledgement to wait for."""
TIMEOUT_S = 30.0
"""For the last acknowledgements."""


class ScheduledSource:
    """`Source` whose frames come at the times that it is given; it loses none, as a file source."""

    live = False

    def __init__(self, pictures: Any, regions: tuple[Region, ...], first: int, times: Iterator[int]) -> None:
        """``first``: number of its first frame."""
        self._pictures, self._regions, self._times = pictures, regions, times
        self.next = first

    def open(self) -> None:
        """Implement `Source.open`: there is nothing to open."""

    def read(self, timeout_s: float) -> Frame | SourceEvent:
        """Implement `Source.read`: the next frame when it is due, (H, W, 3) uint8 RGB."""
        captured = next(self._times, None)
        if captured is None:
            return SourceEvent("ended", Reason.STREAM_ENDED)
        seq, self.next = self.next, self.next + 1
        return Frame(STREAM, seq, captured, None, self._pictures[seq % len(self._pictures)], self._regions)

    def close(self) -> None:
        """Implement `Source.close`: there is nothing to close."""


class LatencyTap:
    """`Tap` that notes how long each frame took from when it was due until its result had been handed over."""

    def __init__(self) -> None:
        self.taken_ms: list[float] = []
        self.due_ns: dict[int, int] = {}
        """By number of the frame."""

    def event(self, stream: str, event: SourceEvent, exam_id: str) -> None:
        """Implement `Tap.event`: frames alone are timed."""

    def offer(self, frame: Frame, result: Result, exam_id: str, track_ids: Sequence[str | None]) -> None:
        """Implement `Tap.offer`: note the time of this frame."""
        self.taken_ms.append((time.monotonic_ns() - frame.captured_ns) / 1e6)
        self.due_ns[frame.seq] = frame.captured_ns


class FlushableFrameLink(OutboxFrameLink):
    """`OutboxFrameLink` that can also wait until all is on the disk."""

    def flush(self) -> None:
        """Wait until all messages are on the disk. Raises RuntimeError if that takes too long."""
        if not self._writer.flush(TIMEOUT_S):
            raise RuntimeError("the outbox does not come to the disk")


class Daemon(Peer):
    """Peer: sonoedge's daemon. The frame process' loop runs in this process; its children are those of a daemon."""

    def __init__(self, setup: PeerSetup) -> None:
        super().__init__(setup)
        self.threads, self.version = setup.threads, edge.__version__
        self._regions, self._frames = regions_of(setup), 0
        self._folder = tempfile.TemporaryDirectory(prefix="peers-")
        self._settings = msgspec.structs.replace(
            settings_of(setup),
            state_dir=self._folder.name,
            sinks=[SinkSettings(uri=setup.broker)] if setup.broker else [],
            log=LogSettings(level="error"),
        )
        self._job = DaemonJob(settings=self._settings, run_id="peers")
        self._model = choose_model(self._settings)
        self._guard = make_guard(self._settings, self._model, isolated=True)
        self.analyser = Analyser(self._model.manifest, self._guard)
        self._ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._frame_link = FlushableFrameLink(self._folder.name, self._ends[0])
        self._acks, self._acks_out = os.pipe()
        os.set_blocking(self._acks, False)
        self._publisher: Child | None = None
        if setup.broker:
            payload = msgspec.json.encode(self._job)
            self._publisher = Child("peer_runners.timed_publisher", payload, (self._ends[1].fileno(), self._acks_out))
            self.paced(30.0, 0.5)  # it is connected when it has acknowledged something

    def golden_answer(self, picture: Any) -> None:
        """Always None: the golden vectors were replayed when it was made."""

    def throughput(self, seconds: float) -> tuple[int, float]:
        """Implement `Peer.throughput`: frames of the whole loop, and the seconds that they took."""
        began = time.monotonic()
        tap = self._run(as_fast_as_taken(seconds), self._settings.tracking)
        return len(tap.taken_ms), time.monotonic() - began

    def paced(self, fps: float, seconds: float) -> dict[str, list[float]]:
        """Implement `Peer.paced`; with a broker also ``ack``: until it had acknowledged the frame's findings."""
        self._frame_link.flush()
        first = self._next_seq()
        tap = self._run(due_times(fps, seconds), TrackingSettings(update_every_s=EACH_FRAME_S, confirm=AT_ONCE))
        taken = {"result": tap.taken_ms}
        if self._publisher is not None:
            taken["ack"] = self._acknowledged(first, tap)
        return taken

    def _run(self, times: Iterator[int], tracking: TrackingSettings) -> LatencyTap:
        """The loop, until ``times`` end. Raises RuntimeError if a frame has no result."""
        settings, tap = msgspec.structs.replace(self._settings, tracking=tracking), LatencyTap()
        feed = ScheduledSource(self.pictures, self._regions, self._frames, times)
        capture = FrameCapture({STREAM: feed}, add_stream_metadata(settings.streams), settings.streams)
        messages = Messages(
            EnvelopeMaker(self._job.device, self._job.run_id).fields,
            Provenance(self._model.manifest, self._model.ref, image_ref=False),
        )

        def report(stats: Stats) -> None:
            self._frame_link.report(make_report(self._job, self._model, self._guard, capture, stats))

        reporter = Reporter(settings, messages, self._frame_link, taps=[tap], heartbeat=report)
        loop.run(capture, self.analyser, reporter, lambda: False)
        capture.close()
        self._frames = feed.next
        numbers = reporter.stats.snapshot()
        if numbers["no_result"] or len(tap.taken_ms) != numbers["frames"]:
            raise RuntimeError(f"of {numbers['frames']} frames {numbers['no_result']} had no result")
        return tap

    def _acknowledged(self, first: int, tap: LatencyTap) -> list[float]:
        """Milliseconds of each frame that had findings, from when it was due to the last one's acknowledgement."""
        self._frame_link.flush()
        with_findings = self._findings(first)
        came: dict[int, int] = {}
        deadline = time.monotonic() + TIMEOUT_S
        while not with_findings.keys() <= came.keys():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(with_findings.keys() - came.keys())} findings were not acknowledged")
            time.sleep(0.02)
            came.update(self._read_acks())
        acknowledged: dict[int, int] = {}
        for seq, frame in with_findings.items():
            acknowledged[frame] = max(came[seq], acknowledged.get(frame, 0))
        return [(at - tap.due_ns[frame]) / 1e6 for frame, at in sorted(acknowledged.items())]

    def _findings(self, first: int) -> dict[int, int]:
        """Number of each stored finding from ``first`` on -> its frame; those that only say the end of the run not."""
        outbox = OutboxReader(Path(self._folder.name) / FILE_NAME, readonly=True)
        try:
            rows = outbox.stored(first, 1_000_000)
        finally:
            outbox.close()
        findings = {row.seq: json.loads(row.body) for row in rows if row.suffix.startswith("findings/")}
        return {seq: one["frame"]["seq"] for seq, one in findings.items() if one["lifecycle"] != "end"}

    def _next_seq(self) -> int:
        outbox = OutboxReader(Path(self._folder.name) / FILE_NAME, readonly=True)
        try:
            return outbox.next_seq()
        finally:
            outbox.close()

    def _read_acks(self) -> dict[int, int]:
        """When each number was acknowledged, of what has come since the last call."""
        records = b""
        while True:
            try:
                part = os.read(self._acks, 1 << 16)
            except BlockingIOError:
                break
            records += part
        return dict(ACK.iter_unpack(records[: len(records) // ACK.size * ACK.size]))

    def close(self) -> None:
        """Implement `Peer.close`: stop the publisher and the runtime, and delete the outbox."""
        self._frame_link.close(TIMEOUT_S)
        if self._publisher is not None:
            self._publisher.terminate()
            self._publisher.wait(TIMEOUT_S)
            self._publisher.kill()
        self.analyser.close()
        for end in self._ends:
            end.close()
        for end in (self._acks, self._acks_out):
            os.close(end)
        self._folder.cleanup()
