"""Label tracker with hysteresis: results with labels or areas in, lifecycle events of the labels out. Pure.

It is to labels what `edge.pipeline.tracker` is to lesions: a label ends only after several judged frames without it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.results import Status
from edge.pipeline.same_lesion import iou

if TYPE_CHECKING:
    from edge.config.tracking_settings import TrackingSettings
    from edge.contracts.finding import EndReason, Lifecycle
    from edge.contracts.frame_result import Result
    from edge.contracts.labels import LabelScore


@dataclass(slots=True)
class LabelTrack:
    """One label over time: as last seen, and as last published."""

    label_id: str
    label: LabelScore
    result: Result
    published_label: LabelScore
    published_result: Result
    missed: int = 0
    """Judged frames in a row without it."""
    unjudged: int = 0
    """Frames in a row that were not judged at all."""


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """Lifecycle event of one label that is to be published."""

    lifecycle: Lifecycle
    label_id: str
    label: LabelScore
    result: Result
    """The result that the label was last seen in."""
    end_reason: EndReason | None = None


class LabelTracker:
    """Tracks the labels of one stream. No track crosses an exam or a clip: call `end_all` between two.

    A label that means `clear` is tracked as any other: that it was given is to be known, too.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._tracks: dict[str, LabelTrack] = {}

    def update(self, result: Result) -> list[LabelEvent]:
        """Match the next frame's labels with the tracks; events in the order in which they are to be published."""
        if result.status not in (Status.FINDING, Status.CLEAR):
            return self._not_judged()
        scores = {label.name: label for label in result.scores}
        events = [self._seen(scores[name], result) for name in result.given]
        for name, track in list(self._tracks.items()):
            if name in result.given:
                continue
            track.missed, track.unjudged = track.missed + 1, 0
            if track.missed >= self._settings.gone_frames:
                events.append(self._end(track, "gone"))
        return [event for event in events if event is not None]

    def skip(self) -> list[LabelEvent]:
        """Take note of a frame of the clip that could not be read: as one that was not judged."""
        return self._not_judged()

    def end_all(self, reason: EndReason) -> list[LabelEvent]:
        """End every label that is still given, for ``reason``; the events of it."""
        return [self._end(track, reason) for track in list(self._tracks.values())]

    def tracks(self) -> int:
        """Number of labels that are still given."""
        return len(self._tracks)

    def ids(self) -> dict[str, str]:
        """Ids of the labels that are still given, by the label."""
        return {name: track.label_id for name, track in self._tracks.items()}

    def _seen(self, label: LabelScore, result: Result) -> LabelEvent | None:
        """The event of a label that this frame has; None: nothing in it has changed that is told."""
        track = self._tracks.get(label.name)
        if track is None:
            track = self._tracks[label.name] = LabelTrack(str(uuid.uuid4()), label, result, label, result)
            return LabelEvent("new", track.label_id, label, result)
        track.label, track.result, track.missed, track.unjudged = label, result, 0, 0
        if not self._changed(track):
            return None
        track.published_label, track.published_result = label, result
        return LabelEvent("update", track.label_id, label, result)

    def _not_judged(self) -> list[LabelEvent]:
        events = []
        for track in list(self._tracks.values()):
            track.unjudged += 1
            if track.unjudged >= self._settings.gone_frames:
                events.append(self._end(track, "not_judged"))
        return events

    def _end(self, track: LabelTrack, reason: EndReason) -> LabelEvent:
        del self._tracks[track.label.name]
        return LabelEvent("end", track.label_id, track.label, track.result, reason)

    def _changed(self, track: LabelTrack) -> bool:
        moved = abs(track.label.score - track.published_label.score)
        since_ns = track.result.captured_ns - track.published_result.captured_ns
        return (
            moved >= self._settings.update_malignancy
            or since_ns >= self._settings.update_every_s * 1e9
            or self._moved_elsewhere(track)
        )

    def _moved_elsewhere(self, track: LabelTrack) -> bool:
        """Whether the label's area, of a segmentation network, is another than was last told: in place or in size."""
        now, then = (each.area_of(track.label.name) for each in (track.result, track.published_result))
        if now is None or then is None:
            return False
        least = self._settings.update_iou
        smaller, larger = sorted((now.share, then.share))
        return iou(now.box, then.box) < least or smaller < least * larger
