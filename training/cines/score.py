"""Scores of a tracker on made cines, beside what single frames say: false `new`, delay, one track, flicker, spread."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.results import Status
from edge.pipeline.same_lesion import iou, within
from edge.pipeline.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.config.tracking_settings import TrackingSettings
    from edge.contracts.clip_model import RecurrentStep
    from edge.contracts.region import Box
    from training.cines.answers import CineAnswers, FrameAnswer

SHOWN = 0.5
"""A frame shows the lesion if so much of it is in view."""
FOUND = 1 / 3
"""A lesion is found by single frames if so many of the frames that show it have it."""

HALF = 0.5
"""A track is the lesion's if it lies on it in so many of the frames that it is seen in."""


@dataclass
class CineScore:
    """What happened in one cine at one frame rate."""

    name: str
    group: str
    lesion: bool
    seconds: float
    false_new: int = 0
    """Tracks that were told of and are not the lesion's."""
    single_new: int = 0
    """The same, if every frame had its say: runs of frames with something beside the lesion."""
    found: bool = False
    """Whether single frames find the lesion."""
    tracks: int = 0
    """Tracks told of that are the lesion's."""
    delay_s: float | None = None
    """From the first frame that found the lesion to the first with a track on it."""
    steady_s: float = 0.0
    changes: int = 0
    """Changes of status on the steady part, by tracks."""
    single_changes: int = 0
    """The same by single frames."""
    spread: float | None = None
    """Standard deviation of the joined malignancy over the steady part."""
    single_spread: float | None = None


@dataclass
class _Watched:
    """What is noted frame by frame."""

    told: set[str] = field(default_factory=set)
    on: Counter[str] = field(default_factory=Counter)
    """Frames in which each track that was told of lay on the lesion, and was seen at all."""
    seen: Counter[str] = field(default_factory=Counter)
    first_found: float | None = None
    first_shown: float | None = None
    found: int = 0
    showing: int = 0
    status: list[bool] = field(default_factory=list)
    single_status: list[bool] = field(default_factory=list)
    joined: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)


def hits(box: Box, truth: Box | None) -> bool:
    """Whether a box lies on the lesion: overlaps it by a fifth, or half of the smaller lies within the other."""
    return truth is not None and (iou(box, truth) >= 0.2 or within(box, truth) >= 0.5)


def score_cine(cine: CineAnswers, settings: TrackingSettings, step: RecurrentStep | None = None) -> CineScore:
    """Run the tracker over one cine, with a recurrent step if there is one, and note what it did."""
    tracker, seen = Tracker(settings, step), _Watched()
    for (at_ns, result), answer in zip(cine.results(), cine.frames, strict=True):
        told = [event.finding_id for event in tracker.update(result, at_ns) if event.lifecycle == "new"]
        seen.told.update(told)
        _note(seen, tracker, answer, at_ns / 1e9)
    score = CineScore(cine.name, cine.group, cine.lesion, cine.seconds)
    on_lesion = {name for name in seen.told if seen.on[name] >= HALF * seen.seen[name] > 0}
    score.false_new = len(seen.told - on_lesion)
    score.single_new = _single_news(cine.frames)
    score.found = seen.showing > 0 and seen.found >= FOUND * seen.showing
    score.tracks = len(on_lesion)
    if seen.first_found is not None and seen.first_shown is not None:
        score.delay_s = max(0.0, seen.first_shown - seen.first_found)
    score.steady_s = len(seen.status) / cine.rate
    score.changes, score.single_changes = _changes(seen.status), _changes(seen.single_status)
    if len(seen.joined) > 1 and len(seen.single) > 1:
        score.spread, score.single_spread = float(np.std(seen.joined)), float(np.std(seen.single))
    return score


def _note(seen: _Watched, tracker: Tracker, answer: FrameAnswer, at_s: float) -> None:
    shown = tracker.shown()
    now = [track for track in shown if not track.missed_ns and not track.unjudged_ns]
    on_lesion = [track for track in now if hits(track.lesion.box, answer.box)]
    seen.seen.update(track.finding_id for track in now)
    seen.on.update(track.finding_id for track in on_lesion)
    if on_lesion and seen.first_shown is None:
        seen.first_shown = at_s
    if answer.box is not None and answer.shown >= SHOWN:
        seen.showing += 1
        if any(hits(found.box, answer.box) for found in answer.lesions):
            seen.found += 1
            seen.first_found = at_s if seen.first_found is None else seen.first_found
    if answer.steady:
        seen.status.append(bool(shown))
        seen.single_status.append(answer.status is Status.FINDING)
        if on_lesion:
            seen.joined.append(max(on_lesion, key=lambda track: track.clip.frames).clip.malignancy)
        if answer.status is Status.FINDING and answer.malignancy is not None:
            seen.single.append(answer.malignancy)


def _single_news(frames: Iterable[FrameAnswer]) -> int:
    """How often a run of frames begins that have something which does not lie on the lesion."""
    beside = [any(not hits(found.box, frame.box) for found in frame.lesions) for frame in frames]
    return sum(now and not before for before, now in zip([False, *beside], beside, strict=False))


def _changes(status: list[bool]) -> int:
    return sum(now != before for before, now in pairwise(status))
