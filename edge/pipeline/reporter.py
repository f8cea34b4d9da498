"""Turns results and source events into messages, and hands them over. Holds the state of each stream."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.contracts.results import Reason, Status
from edge.pipeline.coverage import CoverageTracker
from edge.pipeline.exam import ExamTracker
from edge.pipeline.stats import Stats
from edge.pipeline.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import Settings, StreamSettings
    from edge.contracts.envelope import Durable
    from edge.contracts.finding import RuntimeRef
    from edge.contracts.frames import Frame, SourceEvent
    from edge.contracts.ports import FrameLink, Tap
    from edge.contracts.results import Result
    from edge.pipeline.coverage import CoverageChange
    from edge.pipeline.messages import Messages
    from edge.pipeline.tracker import EndReason, TrackEvent

log = logging.getLogger(__name__)

RUNTIME_REASONS = (Reason.RUNTIME_HUNG, Reason.RUNTIME_LOST, Reason.SELF_TEST_FAILED)


@dataclass(slots=True)
class StreamReport:
    """What is known of one stream between frames."""

    settings: StreamSettings
    tracker: Tracker
    exam: ExamTracker
    coverage: CoverageTracker = field(default_factory=CoverageTracker)
    clip: int = 0
    last_frame: Frame | None = None
    live_after_ns: int = 0
    untold: CoverageChange | None = None
    """There was no room for a message of this stream: this comes first when there is room again."""
    stopped: bool = False
    """Asked to stop: what is still on its way is not told."""


class Reporter:
    """Of one daemon. Called by the loop only, from one thread."""

    def __init__(
        self,
        settings: Settings,
        messages: Messages,
        frame_link: FrameLink,
        taps: Sequence[Tap] = (),
        heartbeat: Callable[[Stats], None] | None = None,
        each_turn: Callable[[], None] | None = None,
    ) -> None:
        """``heartbeat`` is called about once a second with the counters, ``each_turn`` at every turn of the loop."""
        self._each_turn = each_turn
        self._messages, self._frame_link, self._taps, self._heartbeat = messages, frame_link, taps, heartbeat
        self._live_every_ns = int(1e9 / settings.publish.results_per_s)
        self._next_beat_ns = 0
        self._runtime_mood: tuple[RuntimeRef | None, bool] = (None, False)
        self.stats = Stats()
        self._streams = {
            stream.name: StreamReport(stream, Tracker(settings.tracking), ExamTracker(settings.exam.idle_timeout_s))
            for stream in settings.streams
        }
        for name, report in self._streams.items():
            self._cover(name, report, Status.NO_RESULT, Reason.STARTING, time.monotonic_ns(), None)

    def result(self, frame: Frame, result: Result) -> None:
        """A frame was answered."""
        name, report = result.stream, self._streams[result.stream]
        self.stats.add(result)
        if report.stopped or not self._room_for(name, report):
            return
        if result.runtime is not None or result.reason in RUNTIME_REASONS:
            mood = (result.runtime, result.reason in RUNTIME_REASONS)
            if mood != self._runtime_mood:  # what computes has changed: `state` shall say so at once
                self._runtime_mood, self._next_beat_ns = mood, 0
        if report.last_frame is not None and frame.origin.clip != report.clip:
            self._publish(report, report.tracker.end_all("clip_changed"))
        report.clip = frame.origin.clip
        previous_exam, another_exam = report.exam.exam_id, report.exam.starts_with(frame)
        if another_exam:
            self._publish(report, report.tracker.end_all("exam_changed"), previous_exam)
        if result.malignancy is not None:
            report.exam.judged(result.captured_ns)
        report.last_frame = frame
        self._publish(report, report.tracker.update(result))
        self._cover(name, report, result.status, result.reason, result.captured_ns, result.frame_seq, anew=another_exam)
        if result.captured_ns >= report.live_after_ns:
            report.live_after_ns = result.captured_ns + self._live_every_ns
            self._frame_link.latest(topics.results(name), self._messages.live(result, report.exam.exam_id))
        for tap in self._taps:
            tap.offer(frame, result)

    def event(self, stream: str, event: SourceEvent) -> None:
        """A source gave no frame, and says why."""
        report, now = self._streams[stream], time.monotonic_ns()
        if report.stopped or not self._room_for(stream, report):
            return
        log.log(
            logging.INFO if event.kind == "ended" else logging.WARNING,
            "stream %s: %s (%s) %s", stream, event.kind, event.reason.value, event.detail,
        )  # fmt: skip
        self._end(report, "stream_ended" if event.kind == "ended" else "not_judged")
        report.exam.crosses(now)  # all frames before it have been told
        self._cover(stream, report, Status.NO_RESULT, event.reason, now, None)

    def begin_exam(self, stream: str, at_ns: int) -> str:
        """What is captured at ``at_ns`` or later is about another patient; the id of the new exam."""
        return self._streams[stream].exam.begin(at_ns)

    def stop_stream(self, stream: str) -> None:
        """Tell nothing more of ``stream`` but that it is stopped."""
        report = self._streams[stream]
        self._end(report, "stopped")
        self._cover(stream, report, Status.NO_RESULT, Reason.STOPPED, time.monotonic_ns(), None)
        report.stopped, self._next_beat_ns = True, 0

    def start_stream(self, stream: str) -> None:
        """Tell of ``stream`` again."""
        report = self._streams[stream]
        if report.stopped:
            report.stopped, self._next_beat_ns = False, 0
            self._cover(stream, report, Status.NO_RESULT, Reason.STARTING, time.monotonic_ns(), None)

    def stopped_streams(self) -> list[str]:
        """Those that `stop_stream` stopped."""
        return [name for name, report in self._streams.items() if report.stopped]

    def tick(self) -> None:
        """Called at every turn of the loop."""
        if self._each_turn is not None:
            self._each_turn()
        now = time.monotonic_ns()
        for name, report in self._streams.items():
            if self._room_for(name, report):
                self._cover_silence(name, report, now)
        if self._heartbeat is not None and now >= self._next_beat_ns:
            self._next_beat_ns = now + 1_000_000_000
            self._heartbeat(self.stats)

    def finish(self) -> None:
        """The loop ends: say so of every stream."""
        for name, report in self._streams.items():
            self._end(report, "stopped")
            if not report.coverage.holds(Status.NO_RESULT, Reason.STREAM_ENDED):
                self._cover(name, report, Status.NO_RESULT, Reason.STOPPED, time.monotonic_ns(), None)
        if self._heartbeat is not None:
            self._heartbeat(self.stats)

    def _end(self, report: StreamReport, reason: EndReason) -> None:
        self._publish(report, report.tracker.end_all(reason))

    def _keep(self, report: StreamReport, suffix: str, message: Durable) -> None:
        """Hand over what must not be lost. No room: from here on nothing is known, and that will be the next word."""
        if report.untold is None and not self._frame_link.durable(suffix, message):
            log.error("stream %s: no room for what was found; it is told as not_recorded", report.settings.name)
            report.tracker.end_all("not_judged")  # lesions still there will be new to consumers
            report.untold = report.coverage.break_off(time.monotonic_ns())

    def _room_for(self, name: str, report: StreamReport) -> bool:
        """Whether messages of this stream are taken; tells of the gap once they are again."""
        if report.untold is not None:
            gap = self._messages.coverage(report.untold, name, report.exam.exam_id)
            if self._frame_link.durable(topics.coverage(name), gap):
                report.untold = None
        return report.untold is None

    def _publish(self, report: StreamReport, events: list[TrackEvent], exam_id: str | None = None) -> None:
        for event in events:
            assert report.last_frame is not None  # noqa: S101  (no track without a frame)
            message = self._messages.finding(event, report.last_frame, report.settings, exam_id or report.exam.exam_id)
            self._keep(report, topics.findings(report.settings.name), message)

    def _cover_silence(self, name: str, report: StreamReport, now_ns: int) -> None:
        change = report.coverage.silence(now_ns)
        if change is not None:
            self._end(report, "not_judged")
            report.exam.crosses(now_ns)
            self._tell_coverage(name, report, change)

    def _cover(
        self,
        name: str,
        report: StreamReport,
        status: Status,
        reason: Reason | None,
        at_ns: int,
        frame: int | None,
        anew: bool = False,
    ) -> None:
        if not self._room_for(name, report):
            return
        self._cover_silence(name, report, at_ns)
        if report.untold is not None:
            return
        change = report.coverage.observe(status, reason, at_ns, frame, anew=anew)
        if change is not None:
            self._tell_coverage(name, report, change)

    def _tell_coverage(self, name: str, report: StreamReport, change: CoverageChange) -> None:
        self._keep(report, topics.coverage(name), self._messages.coverage(change, name, report.exam.exam_id))
