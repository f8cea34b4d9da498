"""Reporter: hands each result and source event of the loop to the parts that report it.

StreamReporter      findings and coverage of one stream: exam, lesion tracks, result state
LatestResultSender  the latest result of each stream for screens, at a limited rate
Stats               counters and times of all streams
ReportTimer         when the counters are reported to the publisher
Tap                 frames and results for a viewer
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from edge.config.consistency import tracking_warnings
from edge.contracts.results import Reason, Status
from edge.pipeline.latest_results import LatestResultSender
from edge.pipeline.report_timer import ReportTimer
from edge.pipeline.stats import Stats
from edge.pipeline.stream_reporter import StreamReporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.config.settings import Settings
    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.feedback import Answer
    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame, SourceEvent
    from edge.contracts.ports import FrameLink, Tap
    from edge.pipeline.messages import Messages

log = logging.getLogger(__name__)


class Reporter:
    """Reports all streams of one daemon. Called by the loop only, from one thread."""

    def __init__(
        self,
        settings: Settings,
        messages: Messages,
        frame_link: FrameLink,
        taps: Sequence[Tap] = (),
        heartbeat: Callable[[Stats], None] | None = None,
        each_turn: Callable[[], None] | None = None,
        on_unjudged: Callable[[str, Reason], None] | None = None,
        clip_step: RecurrentStep | None = None,
    ) -> None:
        """``heartbeat`` is called about once a second with the counters, ``each_turn`` at every turn of the loop.

        ``on_unjudged`` is called with the stream and the reason of each frame or file that is reported as no result.
        ``clip_step`` joins the frames of each stream's lesions, where the model's bundle has one.
        """
        self._each_turn = each_turn
        self._on_unjudged = on_unjudged
        self._taps = taps
        self._latest_results = LatestResultSender(messages, frame_link, settings.publish.results_per_s)
        self.stats = Stats()
        self._timer = ReportTimer(heartbeat, self.stats)
        self._lost: set[str] = set()
        """Streams whose last word was that they are lost."""
        for warning in tracking_warnings(settings):
            log.warning("%s (%s)", warning.message, warning.hint)
        self._streams = {
            stream.name: StreamReporter(stream, settings, messages, frame_link, clip_step)
            for stream in settings.streams
        }

    def result(self, frame: Frame, result: Result) -> None:
        """Report the result of a frame to everything below; only the counters while its stream is stopped."""
        self.stats.add(result)
        stream = self._streams[result.stream]
        if not stream.reports():
            if not stream.stopped:
                self._tell_unjudged(result.stream, Reason.NOT_RECORDED)
            return
        self._timer.note_runtime(result)
        if result.stream in self._lost:
            self._lost.discard(result.stream)
            self._timer.hurry()
        stream.result(frame, result)
        self._latest_results.offer(result, stream.exam_id)
        if self._taps:
            track_ids = stream.track_ids(result)
            for tap in self._taps:
                tap.offer(frame, result, stream.exam_id, track_ids)
        if result.status is Status.NO_RESULT:
            self._tell_unjudged(result.stream, result.reason)

    def event(self, stream: str, event: SourceEvent) -> None:
        """Report that a source gave no frame, and why."""
        if self._streams[stream].reports():
            self._streams[stream].event(event)
            if event.kind == "lost":
                self._lost.add(stream)
                self._timer.hurry()  # `state` names it
            for tap in self._taps:
                tap.event(stream, event, self._streams[stream].exam_id)
            if event.kind != "ended":
                self._tell_unjudged(stream, event.reason)

    def _tell_unjudged(self, stream: str, reason: Reason | None) -> None:
        if self._on_unjudged is not None:
            self._on_unjudged(stream, reason or Reason.FAILED)

    def begin_exam(self, stream: str, at_ns: int) -> str:
        """Begin an exam of another patient with what is captured at ``at_ns`` or later; the id of the new exam."""
        return self._streams[stream].begin_exam(at_ns)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of all streams."""
        return tuple(self._streams)

    def exam_id(self, stream: str) -> str:
        """Id of the exam that ``stream`` is in."""
        return self._streams[stream].exam_id

    def keep_feedback(self, stream: str, answer: Answer) -> bool:
        """Keep what a person said of a finding of the exam that ``stream`` is in; False: another exam, or no room."""
        return self._streams[stream].keep_feedback(answer)

    def stop_stream(self, stream: str) -> None:
        """Report that ``stream`` is stopped, and nothing more of it."""
        self._streams[stream].stop()
        self._timer.hurry()

    def start_stream(self, stream: str) -> None:
        """Report ``stream`` again after `stop_stream`."""
        if self._streams[stream].stopped:
            self._streams[stream].start()
            self._timer.hurry()

    def stopped_streams(self) -> list[str]:
        """Names of the streams that `stop_stream` stopped."""
        return [name for name, stream in self._streams.items() if stream.stopped]

    def tick(self) -> None:
        """Do the periodic work: commands, silence check, report of counters. Call at every turn."""
        if self._each_turn is not None:
            self._each_turn()
        now = time.monotonic_ns()
        for stream in self._streams.values():
            stream.check_silence(now)
        self._timer.tick(now)

    def finish(self) -> None:
        """Report the end of every stream: the loop ends."""
        for stream in self._streams.values():
            stream.finish()
        self._timer.finish()
