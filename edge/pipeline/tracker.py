"""Lesion tracker with hysteresis: results of one stream in, lifecycle events (new, update, end) out.

Hysteresis: a lesion ends only after several frames without it, and an update needs a change over a threshold or a time
since the last message. Pure; knows no messages.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.results import Status

if TYPE_CHECKING:
    from edge.config.settings import TrackingSettings
    from edge.contracts.finding import EndReason, Lifecycle
    from edge.contracts.frame_result import Result
    from edge.contracts.region import Box
    from edge.contracts.results import Lesion


@dataclass(slots=True)
class Track:
    """One lesion over time: as last seen, and as last published."""

    finding_id: str
    lesion: Lesion
    result: Result
    published_lesion: Lesion
    published_result: Result
    missed: int = 0
    """Judged frames in a row without it."""
    unjudged: int = 0
    """Frames in a row that were not judged at all."""


@dataclass(frozen=True, slots=True)
class TrackEvent:
    """Lifecycle event of one lesion that is to be published."""

    lifecycle: Lifecycle
    finding_id: str
    lesion: Lesion
    result: Result
    """The result that the lesion was last seen in."""
    end_reason: EndReason | None = None


class Tracker:
    """Tracks the lesions of one stream. No track crosses an exam or a clip: call `end_all` between two."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._tracks: list[Track] = []

    def update(self, result: Result) -> list[TrackEvent]:
        """Match the next frame's lesions with the tracks; events in the order in which they are to be published."""
        if result.status not in (Status.FINDING, Status.CLEAR):
            return self._not_judged()
        events: list[TrackEvent] = []
        unmatched = list(self._tracks)
        for lesion in result.lesions:
            track = self._nearest(lesion, unmatched)
            if track is None:
                track = Track(str(uuid.uuid4()), lesion, result, lesion, result)
                self._tracks.append(track)
                events.append(TrackEvent("new", track.finding_id, lesion, result))
                continue
            unmatched.remove(track)
            track.lesion, track.result, track.missed, track.unjudged = lesion, result, 0, 0
            if self._changed(track):
                track.published_lesion, track.published_result = lesion, result
                events.append(TrackEvent("update", track.finding_id, lesion, result))
        for track in unmatched:
            track.missed, track.unjudged = track.missed + 1, 0
            if track.missed >= self._settings.gone_after_frames:
                events.append(self._end(track, "gone"))
        return events

    def end_all(self, reason: EndReason) -> list[TrackEvent]:
        """End every track that is still open, for ``reason``; the events of it."""
        return [self._end(track, reason) for track in list(self._tracks)]

    def _not_judged(self) -> list[TrackEvent]:
        events = []
        for track in list(self._tracks):
            track.unjudged += 1
            if track.unjudged >= self._settings.gone_after_frames:
                events.append(self._end(track, "not_judged"))
        return events

    def _end(self, track: Track, reason: EndReason) -> TrackEvent:
        self._tracks.remove(track)
        return TrackEvent("end", track.finding_id, track.lesion, track.result, reason)

    def _nearest(self, lesion: Lesion, tracks: list[Track]) -> Track | None:
        best = max(tracks, key=lambda track: iou(track.lesion.box, lesion.box), default=None)
        if best is None or iou(best.lesion.box, lesion.box) < self._settings.match_iou:
            return None
        return best

    def _changed(self, track: Track) -> bool:
        now, then = track.result, track.published_result
        assert now.malignancy is not None  # noqa: S101  (a finding)
        assert then.malignancy is not None  # noqa: S101  (a finding)
        return (
            now.suspicious != then.suspicious
            or now.call_uncertain != then.call_uncertain
            or abs(now.malignancy - then.malignancy) >= self._settings.update_malignancy
            or iou(track.lesion.box, track.published_lesion.box) < self._settings.update_iou
            or now.captured_ns - then.captured_ns >= self._settings.update_every_s * 1e9
        )


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x, y, w, h); 0 where both are empty."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
