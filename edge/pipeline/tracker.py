"""Lesion tracker with hysteresis over seconds: results of one stream in, lifecycle events (new, update, end) out.

A lesion is `new` once a share of the frames of some seconds showed it, each counted by how surely; one that is seen
less surely takes longer. Only while the anatomy gate lets most frames of the last seconds pass is anything new. It ends
after some seconds without it. An update needs a change over a threshold or a time since the last message. Time is the
stream's own, so that a frame rate changes nothing. Pure; knows no messages.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.contracts.results import Reason, Status
from edge.pipeline.clip_judgement import ClipJudgement
from edge.pipeline.clip_states import ClipState, ClipStates
from edge.pipeline.recent_frames import RecentFrames
from edge.pipeline.same_lesion import Reach, iou, match

if TYPE_CHECKING:
    from edge.config.tracking_settings import TrackingSettings
    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.finding import EndReason, Lifecycle
    from edge.contracts.frame_result import Result
    from edge.contracts.results import Lesion

ANOTHER_ORGAN = frozenset({Reason.WRONG_ANATOMY, Reason.NOT_ULTRASOUND})
"""Reasons by which the gate says that this is no picture of the model's organ."""
UNSURE, SURE = 0.7, 0.9
"""A frame whose lesion has the presence `SURE` or more counts whole, one with `UNSURE` or less not at all."""
LONGER, STEADY = 3, 0.9
"""A lesion that is never seen surely is new too, once it is in the share `STEADY` of `LONGER` times the seconds."""


@dataclass(slots=True)
class Track:
    """One lesion over time: as last seen, as last published, and what all of its frames say together."""

    lesion: Lesion
    result: Result
    seen: RecentFrames
    """Frames of the confirmation window with it, weighted by presence."""
    seen_longer: RecentFrames
    reach: Reach
    """Where pieces of it turn up."""
    finding_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    clip: ClipJudgement = field(default_factory=ClipJudgement)
    published: tuple[Lesion, Result] | None = None
    """None: not confirmed, so nobody knows of it."""
    state: ClipState = field(default_factory=ClipState)
    """Of the recurrent step; unused where there is none."""
    missed_ns: int = 0
    """Time of judged frames without it since it was last seen."""
    unjudged_ns: int = 0
    """Time of frames that were not judged at all since it was last seen."""


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """Lifecycle event of one lesion that is to be published."""

    lifecycle: Lifecycle
    finding_id: str
    lesion: Lesion
    result: Result
    """The result that the lesion was last seen in."""
    end_reason: EndReason | None = None
    clip: ClipJudgement | None = None
    """What all frames of the track say together; changes as the track goes on."""


class Tracker:
    """Tracks the lesions of one stream. No track crosses an exam or a clip: call `end_all` between two."""

    def __init__(self, settings: TrackingSettings, step: RecurrentStep | None = None) -> None:
        """``step``: of the model's bundle; it decides what its manifest says in place of the rules."""
        self._settings = settings
        self._states = None if step is None else ClipStates(step)
        self._confirm_ns = round(settings.confirm.seconds * 1e9)
        self._gone_ns = round(settings.gone_s * 1e9)
        self._tracks: list[Track] = []
        self._begin()

    def _begin(self) -> None:
        """Begin a clip or an exam, of which nothing is known yet."""
        self._now_ns = 0
        self._last_ns: int | None = None
        self._skipped = False
        if self._states is not None:
            self._states.begin_anew()
        self._frames, self._frames_longer = RecentFrames(self._confirm_ns), RecentFrames(LONGER * self._confirm_ns)
        gate_ns = round(self._settings.confirm.gate_s * 1e9)
        self._gated, self._refused = RecentFrames(gate_ns), RecentFrames(gate_ns)

    def update(self, result: Result, at_ns: int | None = None, *, still: bool = False) -> list[TrackEvent]:
        """Match the next frame's lesions with the tracks; events in the order in which they are to be published.

        ``at_ns``: the frame's place in its clip; None: when it was captured. ``still``: the clip is this one picture,
        which nothing can confirm: what it shows is new at once.
        """
        at_ns = result.captured_ns if at_ns is None else at_ns
        lost = self._skipped and self._last_ns is not None and at_ns - self._last_ns >= self._gone_ns
        ended = self.end_all("not_judged") if lost else []
        self._skipped = False
        step_ns = self._advance(result, at_ns)
        judged = result.status in (Status.FINDING, Status.CLEAR)
        known, reach = [track.lesion for track in self._tracks], [track.reach.box for track in self._tracks]
        pairs, unknown = match(known, reach, result.lesions, self._settings.match_iou)
        for number, track in enumerate(list(self._tracks)):
            if number in pairs:
                self._sighted(track, pairs[number], result, at_ns)
            else:
                self._unseen(track, step_ns, judged=judged)
        for lesion in unknown:
            seen, longer = RecentFrames(self._confirm_ns), RecentFrames(LONGER * self._confirm_ns)
            track = Track(lesion, result, seen, longer, Reach(lesion.box, self._now_ns))
            self._tracks.append(track)
            self._sighted(track, lesion, result, at_ns)
        self._take_step(result, at_ns)
        return ended + self._events(result, still)

    def _take_step(self, result: Result, at_ns: int) -> None:
        """Let the recurrent step, if there is one, see the frame: all tracks at once."""
        if self._states is None:
            return
        rows = [(track.state, track.lesion if track.result is result else None) for track in self._tracks]
        self._states.advance(rows, result, at_ns)
        if self._states.manifest.joins:
            for track in self._tracks:
                track.clip.by_step = track.state.malignancy

    def frame_state(self) -> ClipState | None:
        """What the recurrent step says of the clip so far, by its frames; None where there is none."""
        return None if self._states is None else self._states.frame

    def skip(self) -> list[TrackEvent]:
        """Note that some of the clip could not be read: if it was long, the lesions of before have ended."""
        self._skipped = True
        return []

    def tracks(self) -> int:
        """Number of open tracks, told of or not."""
        return len(self._tracks)

    def end_all(self, reason: EndReason) -> list[TrackEvent]:
        """End every track that is still open, for ``reason``; the events of it.

        A clip that has ended before anything could be confirmed in it is judged by what there was.
        """
        events = []
        over = reason in ("clip_changed", "stream_ended")
        for track in list(self._tracks):
            if over and track.published is None and self._confirmed_by_all(track):
                events.append(self._publish(track, "new"))
            events += self._end(track, reason)
        self._begin()
        return events

    def open_tracks(self) -> list[Track]:
        """Tracks that have not ended, told of or not."""
        return list(self._tracks)

    def shown(self) -> list[Track]:
        """Tracks that were published and have not ended."""
        return [track for track in self._tracks if track.published is not None]

    def best_frames(self) -> set[int]:
        """``frame_seq`` of the best frame of each open track."""
        return {track.clip.best.frame_seq for track in self._tracks if track.clip.best is not None}

    def _advance(self, result: Result, at_ns: int) -> int:
        """Move the tracker's clock to a frame, never backwards; the step in nanoseconds."""
        step_ns = 0 if self._last_ns is None else max(0, at_ns - self._last_ns)
        self._last_ns = at_ns
        self._now_ns += min(step_ns, self._confirm_ns or step_ns)  # a clip of a frame in seconds has windows too
        self._frames.add(self._now_ns)
        self._frames_longer.add(self._now_ns)
        self._gated.add(self._now_ns)
        if result.reason in ANOTHER_ORGAN:
            self._refused.add(self._now_ns)
        return step_ns

    def _sighted(self, track: Track, lesion: Lesion, result: Result, at_ns: int) -> None:
        track.lesion, track.result, track.missed_ns, track.unjudged_ns = lesion, result, 0, 0
        track.seen.add(self._now_ns, min(1.0, max(0.0, (lesion.score - UNSURE) / (SURE - UNSURE))))
        track.seen_longer.add(self._now_ns)
        track.reach.add(lesion.box, self._now_ns)
        track.clip.add(lesion, result, at_ns)

    def _unseen(self, track: Track, step_ns: int, *, judged: bool) -> None:
        step_ns = min(step_ns, (self._gone_ns + 1) // 2)  # one frame after a pause is not seconds without it
        if judged:
            track.missed_ns += step_ns
        else:
            track.unjudged_ns += step_ns

    def _events(self, result: Result, still: bool) -> list[TrackEvent]:
        events = []
        for track in list(self._tracks):
            if track.result is result:
                if track.published is None:
                    if still or self._confirmed(track):
                        events.append(self._publish(track, "new"))
                elif self._changed(track):
                    events.append(self._publish(track, "update"))
            elif track.published is None:
                if not track.seen.count(self._now_ns):
                    self._tracks.remove(track)
            elif track.missed_ns >= self._gone_ns:
                events += self._end(track, "gone")
            elif track.unjudged_ns >= self._gone_ns:
                events += self._end(track, "not_judged")
        return events

    def _confirmed(self, track: Track) -> bool:
        """Whether a lesion that is seen now was seen for long enough, where the gate lets most frames pass."""
        now_ns, share = self._now_ns, self._settings.confirm.share
        if not self._confirm_ns:
            return True
        if 2 * self._refused.count(now_ns) > self._gated.count(now_ns):
            return False
        new_from = None if self._states is None else self._states.manifest.new_from
        if new_from is not None:
            return (track.state.presence or 0.0) >= new_from
        surely = track.seen.weight(now_ns) >= share * self._frames.count(now_ns)
        if surely and now_ns - track.seen.first_ns >= share * self._confirm_ns:
            return True
        long_ns = STEADY * LONGER * self._confirm_ns
        often = track.seen_longer.count(now_ns) >= STEADY * self._frames_longer.count(now_ns)
        return often and now_ns - track.seen_longer.first_ns >= long_ns

    def _confirmed_by_all(self, track: Track) -> bool:
        """Whether a clip that was too short to confirm the lesion showed it in enough of all its frames."""
        now_ns = self._now_ns
        if now_ns < self._confirm_ns and (
            track.seen.count(now_ns) >= self._settings.confirm.share * self._frames.count(now_ns)
        ):
            return True
        often = track.seen_longer.count(now_ns) >= STEADY * self._frames_longer.count(now_ns)
        return now_ns < LONGER * self._confirm_ns and often

    def _publish(self, track: Track, lifecycle: Lifecycle) -> TrackEvent:
        track.published = track.lesion, track.result
        return TrackEvent(lifecycle, track.finding_id, track.lesion, track.result, None, track.clip)

    def _end(self, track: Track, reason: EndReason) -> list[TrackEvent]:
        self._tracks.remove(track)
        if track.published is None:
            return []
        return [TrackEvent("end", track.finding_id, track.lesion, track.result, reason, track.clip)]

    def _changed(self, track: Track) -> bool:
        assert track.published is not None  # noqa: S101  (asked only of what was published)
        now, (lesion, then) = track.result, track.published
        assert now.malignancy is not None  # noqa: S101  (a finding)
        assert then.malignancy is not None  # noqa: S101  (a finding)
        return (
            now.suspicious != then.suspicious
            or now.call_uncertain != then.call_uncertain
            or abs(now.malignancy - then.malignancy) >= self._settings.update_malignancy
            or iou(track.lesion.box, lesion.box) < self._settings.update_iou
            or now.captured_ns - then.captured_ns >= self._settings.update_every_s * 1e9
        )
