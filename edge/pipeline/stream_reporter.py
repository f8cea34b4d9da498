"""State of one stream between frames: its exam, its lesion or label tracks, and its coverage, reported together."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.config.uri import parse_uri
from edge.contracts.results import Reason, Status
from edge.pipeline.coverage import SILENCE_NS, CoverageTracker
from edge.pipeline.exam import ExamTracker
from edge.pipeline.feature_log import FeatureLog
from edge.pipeline.label_tracker import LabelEvent, LabelTracker
from edge.pipeline.stream_messages import StreamMessages
from edge.pipeline.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config.settings import Settings, StreamSettings
    from edge.config.tracking_settings import TrackingSettings
    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.feedback import Answer
    from edge.contracts.finding import EndReason
    from edge.contracts.frame_result import Result
    from edge.contracts.frames import Frame, SourceEvent
    from edge.contracts.ports import FrameLink
    from edge.pipeline.coverage import CoverageChange
    from edge.pipeline.messages import Messages
    from edge.pipeline.tracker import TrackEvent

log = logging.getLogger(__name__)

MAX_BEST_FRAMES = 8
"""Most frames of a stream that are kept as the best of a track."""
MAX_BEST_BYTES = 32 << 20
"""Most memory that they take, of each stream; what is too large is not kept."""
_NUMBER = re.compile(r"[\d.,]*\d")


class StreamReporter:
    """Turns results and source events of one stream into its findings or labels, and its coverage."""

    def __init__(
        self,
        stream: StreamSettings,
        settings: Settings,
        messages: Messages,
        frame_link: FrameLink,
        clip_step: RecurrentStep | None = None,
    ) -> None:
        """Begin with the state `no_result`, `starting`.

        ``settings``: of tracking, exams and research. ``clip_step``: of the tracker.
        """
        self._name = stream.name
        lesions = messages.judges == "lesion"
        self._tracker: Tracker | LabelTracker = (
            Tracker(tracking_of(settings), clip_step) if lesions else LabelTracker(settings.tracking)
        )
        self._features: FeatureLog | None = (
            FeatureLog(settings.research, stream.name) if lesions and settings.research.features else None
        )
        self._exam = ExamTracker(settings.exam.idle_timeout_s)
        self._coverage = CoverageTracker()
        self._messages = StreamMessages(stream, messages, frame_link, self._break_off)
        self._clip = 0
        self._geometry: int | None = None
        self._notes: tuple[str, ...] = ()
        self._last_frame: Frame | None = None
        self._best_frames: dict[int, Frame] = {}
        self._heard_ns = time.monotonic_ns()
        """When something of the stream was last reported: a frame of a slow runtime may be old by then."""
        self.stopped = False
        """Asked to stop: what is still on its way is not reported."""
        self._told: SourceEvent | None = None
        self._times_told = 0
        self._set_state(Status.NO_RESULT, Reason.STARTING, time.monotonic_ns(), None)

    @property
    def exam_id(self) -> str:
        """Random id of the exam that holds now."""
        return self._exam.exam_id

    def reports(self) -> bool:
        """Whether results and events are reported now: the stream is not stopped, and there is room for messages."""
        return not self.stopped and self._has_room()

    def result(self, frame: Frame, result: Result) -> None:
        """Report a frame that was answered; ask `reports` first."""
        self._heard_ns = time.monotonic_ns()
        if self._last_frame is not None and frame.origin.clip != self._clip:
            self._end_tracks("clip_changed")
        elif self._last_frame is not None and frame.geometry != self._geometry:
            self._end_tracks("geometry_changed")
        self._close_silent_state(result.captured_ns)  # a gap ends what was there before, not what this frame shows
        self._geometry = frame.geometry
        if frame.origin.notes and (frame.origin.notes != self._notes or frame.origin.clip != self._clip):
            log.warning("stream %s: %s", self._name, "; ".join(frame.origin.notes))
        self._clip, self._notes = frame.origin.clip, frame.origin.notes
        previous_exam, another_exam = self._exam.exam_id, self._exam.starts_new_exam(frame)
        if another_exam:
            self._end_tracks("exam_changed", previous_exam)
        if result.status in (Status.FINDING, Status.CLEAR):
            self._exam.note_judged(result.captured_ns)
        self._last_frame, self._told = frame, None
        if isinstance(self._tracker, Tracker):
            self._publish(self._tracker.update(result, frame.clip_ns, still=frame.origin.still), self._exam.exam_id)
            self._keep_best_frames(frame, self._tracker.best_frames())
            if self._features is not None:
                self._features.add(self._tracker, result, frame.clip_ns, self._exam.exam_id)
        else:
            self._publish(self._tracker.update(result), self._exam.exam_id)
        self._set_state(result.status, result.reason, result.captured_ns, result.frame_seq, anew=another_exam)

    def track_ids(self, result: Result) -> tuple[str | None, ...]:
        """Id of the published track of each lesion of ``result``, or of each label given; None: there is none yet.

        Ask after `result`, and before the next.
        """
        if isinstance(self._tracker, LabelTracker):
            ids = self._tracker.ids()
            return tuple(ids.get(label) for label in result.given)
        if not result.lesions:
            return ()
        shown = {id(track.lesion): track.finding_id for track in self._tracker.shown()}
        return tuple(shown.get(id(lesion)) for lesion in result.lesions)

    def keep_feedback(self, answer: Answer) -> bool:
        """Keep a person's word on a finding of this exam; False: it is of another exam, or there is no room."""
        return answer.exam_id == self._exam.exam_id and self._messages.feedback(answer)

    def best_frame(self, seq: int) -> Frame | None:
        """Frame that was published as the best of a track that is still open (``clip.best_frame``), else None."""
        return self._best_frames.get(seq)

    def _keep_best_frames(self, frame: Frame, best: set[int]) -> None:
        """Keep ``frame`` while it is the best of a track; let those go that are it no longer."""
        if best or self._best_frames:
            frames = {**self._best_frames, frame.seq: frame}
            kept = [frames[seq] for seq in frames if seq in best][-MAX_BEST_FRAMES:]
            while sum(each.pixels.nbytes for each in kept) > MAX_BEST_BYTES:
                kept.pop(0)
            self._best_frames = {each.seq: each for each in kept}

    def event(self, event: SourceEvent) -> None:
        """Report that the source gave no frame, and why; ask `reports` first."""
        now = time.monotonic_ns()
        self._heard_ns = now
        self._log_event(event)
        previous_exam, another_exam = self._exam.exam_id, self._exam.enter_begun_exam(now)
        # All frames before it have been reported. What costs a frame of a clip ends nothing that the others show.
        goes_on = event.kind == "skipped" and event.reason is not Reason.FROZEN and not another_exam
        if goes_on:
            self._publish(self._tracker.skip(), self._exam.exam_id)
        else:
            self._end_tracks("stream_ended" if event.kind == "ended" else "not_judged", previous_exam)
        self._set_state(Status.NO_RESULT, event.reason, now, None)

    def _log_event(self, event: SourceEvent) -> None:
        """Log an event; the same again and again only at its 2nd, 4th, 8th time: a camera may be off for days.

        Losses whose words differ in their numbers only, such as an age, are the same. Of what is skipped each counts: a
        number may be a frame's.
        """
        told = replace(event, detail=_NUMBER.sub("0", event.detail)) if event.kind == "lost" else event
        self._times_told = self._times_told + 1 if told == self._told else 1
        self._told = told
        if self._times_told & (self._times_told - 1):
            return
        again = f" (time {self._times_told} in a row)" if self._times_told > 1 else ""
        log.log(
            logging.INFO if event.kind == "ended" else logging.WARNING,
            "stream %s: %s (%s) %s%s", self._name, event.kind, event.reason.value, event.detail, again,
        )  # fmt: skip

    def begin_exam(self, at_ns: int) -> str:
        """Begin an exam with what is captured at ``at_ns`` or later; the id of the new exam."""
        return self._exam.begin(at_ns)

    def stop(self) -> None:
        """Report that the stream is stopped, and nothing more of it."""
        self._end_tracks("stopped")
        self._set_state(Status.NO_RESULT, Reason.STOPPED, time.monotonic_ns(), None)
        self.stopped = True

    def start(self) -> None:
        """Report the stream again after `stop`."""
        self.stopped = False
        self._set_state(Status.NO_RESULT, Reason.STARTING, time.monotonic_ns(), None)

    def check_silence(self, now_ns: int) -> None:
        """Report `no_frames` where no frame has come for too long. To be called at every turn of the loop."""
        if self._has_room() and now_ns - self._heard_ns >= SILENCE_NS:
            self._close_silent_state(now_ns)
            if self._tracker.tracks():  # after `no_result` no state is closed
                self._end_silent_tracks(self._exam.exam_id)

    def finish(self) -> None:
        """Report that the daemon stops, unless the stream has ended before."""
        self._end_tracks("stopped")
        if self._features is not None:
            self._features.close()
        if not self._coverage.holds(Status.NO_RESULT, Reason.STREAM_ENDED):
            self._set_state(Status.NO_RESULT, Reason.STOPPED, time.monotonic_ns(), None)

    def _has_room(self) -> bool:
        return self._messages.has_room(self._exam.exam_id)

    def _break_off(self) -> CoverageChange:
        """A message found no room: the gap in the coverage that begins now."""
        self._forget_tracks()
        return self._coverage.break_off(time.monotonic_ns())

    def _end_tracks(self, reason: EndReason, exam_id: str | None = None) -> None:
        self._publish(self._tracker.end_all(reason), exam_id or self._exam.exam_id)
        self._best_frames = {}
        if self._features is not None:
            self._features.begin_anew()

    def _forget_tracks(self) -> None:
        """Drop all tracks untold: no message has room, and lesions still there will be new to consumers."""
        self._tracker.end_all("not_judged")
        self._best_frames = {}

    def _publish(self, events: Sequence[TrackEvent | LabelEvent], exam_id: str) -> None:
        for event in events:
            assert self._last_frame is not None  # noqa: S101  (no track without a frame)
            if isinstance(event, LabelEvent):
                self._messages.label(event, self._last_frame, exam_id)
            else:
                self._messages.finding(event, self._last_frame, exam_id)
        if events and self._messages.has_gap:
            self._forget_tracks()  # what began since the message that found no room was not told either

    def _close_silent_state(self, now_ns: int) -> None:
        change = self._coverage.check_silence(now_ns)
        if change is not None:
            previous_exam = self._exam.exam_id
            if self._exam.enter_begun_exam(now_ns):
                self._end_tracks("not_judged", previous_exam)
            else:
                self._end_silent_tracks(previous_exam)
            self._messages.coverage(change, self._exam.exam_id)

    def _end_silent_tracks(self, exam_id: str) -> None:
        """End the tracks of a silent stream, but not of a file: its time is its own, and its end will be told."""
        if self._last_frame is not None and self._last_frame.origin.path is None:
            self._end_tracks("not_judged", exam_id)

    def _set_state(
        self, status: Status, reason: Reason | None, at_ns: int, frame: int | None, *, anew: bool = False
    ) -> None:
        if not self._has_room():
            return
        self._close_silent_state(at_ns)
        if self._messages.has_gap:
            return
        change = self._coverage.observe(status, reason, at_ns, frame, anew=anew)
        if change is not None:
            self._messages.coverage(change, self._exam.exam_id)


def tracking_of(settings: Settings) -> TrackingSettings:
    """Settings of tracking that hold: what ``scripted://`` answers is written, so that each single frame counts."""
    scripted = parse_uri(settings.runtime.uri).scheme == "scripted"
    return settings.tracking.by_single_frames() if scripted else settings.tracking
