"""Sequences of features that the recurrent network learns from: of tracks and frames in sweeps, and of views."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.config.tracking_settings import TrackingSettings
from edge.pipeline.tracker import Tracker
from training.cines.score import SHOWN, hits
from training.clips.float_step import manifest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.clip_model import ClipManifest
    from training.cines.answers import CineAnswers
    from training.clips.float_step import Answer

HALF = 0.5
"""A track is the lesion's if it lies on it in so many of the frames that it is seen in."""


@dataclass(frozen=True, eq=False)
class FeatureSequence:
    """Features of one track, or of a clip's frames, step by step, with what is true of it."""

    group: str
    """The patient."""
    fold: int
    x: NDArray[np.float32]
    """(steps, 7) features, as the device's step is given them."""
    malignant: float
    """1 malignant, 0 benign, -1 not known."""
    present: NDArray[np.float32]
    """(steps,) 1: it is a lesion's track, or the clip has shown one by then; 0: not; -1: not known."""
    weight: float = 1.0


class StepRecorder:
    """A recurrent step that computes nothing and keeps what it is given; a state is the track's number."""

    def __init__(self) -> None:
        self.seen: list[list[NDArray[np.float32]]] = []
        """Features of each track, in the order in which the tracks began; a clip's frames have a number too."""
        self.frame_numbers: list[int] = []
        """Numbers of those that are of a clip's frames: the first row of each step."""

    @property
    def manifest(self) -> ClipManifest:
        """Description of a step that decides nothing."""
        return manifest_of(None)

    def begin(self) -> NDArray[np.int8]:
        """State of a new track."""
        self.seen.append([])
        return np.array([len(self.seen) - 1], np.int64).view(np.int8)

    def step(self, features: NDArray[np.float32], states: NDArray[np.int8]) -> Answer:
        """Keep the features of each row under its state's number."""
        names = np.ascontiguousarray(states).view(np.int64)[:, 0].tolist()
        if names[0] not in self.frame_numbers:
            self.frame_numbers.append(names[0])
        for name, row in zip(names, features, strict=True):
            self.seen[name].append(row)
        nothing = np.zeros(len(features), np.float32)
        return states, nothing, nothing


def number_of(state: NDArray[np.int8] | None) -> int | None:
    """Number that a recorded state names; None: there was no step yet."""
    return None if state is None else int(np.ascontiguousarray(state).view(np.int64)[0])


def cine_sequences(cine: CineAnswers, fold: int) -> list[FeatureSequence]:
    """Sequences of one sweep: of its frames, and of every track that it has, with the truth of each."""
    recorder = StepRecorder()
    tracker = Tracker(TrackingSettings(), recorder)
    on: dict[int, list[bool]] = defaultdict(list)
    shown: list[float] = []
    for (at_ns, result), answer in zip(cine.results(), cine.frames, strict=True):
        tracker.update(result, at_ns)
        if recorder.seen and len(recorder.seen[0]) > len(shown):
            before = shown[-1] if shown else 0.0
            shown.append(float(bool(before) or (cine.lesion and answer.shown >= SHOWN)))
        for track in tracker.open_tracks():
            number = number_of(track.state.state)
            if number is not None and track.result is result:
                on[number].append(hits(track.lesion.box, answer.box))
    label = float(cine.label) if cine.lesion else -1.0
    found = []
    for number, rows in enumerate(recorder.seen):
        if not rows:
            continue
        x = np.array(rows, np.float32)
        if number == 0:
            found.append(FeatureSequence(cine.group, fold, x, label, np.array(shown, np.float32), 0.5))
        else:
            its = bool(on[number]) and float(np.mean(on[number])) >= HALF
            present = np.full(len(x), float(its), np.float32)
            found.append(FeatureSequence(cine.group, fold, x, label if its else -1.0, present))
    return found


def padded(parts: Sequence[FeatureSequence]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Features (rows, steps, 7), labels and weights of labels (rows, steps, 2) of sequences of any length.

    Each sequence counts as much as any other, however long it is.
    """
    steps = max(len(each.x) for each in parts)
    x = np.zeros((len(parts), steps, parts[0].x.shape[1]), np.float32)
    labels, counts = np.zeros((2, len(parts), steps, 2), np.float32)
    for row, each in enumerate(parts):
        n = len(each.x)
        x[row, :n] = each.x
        labels[row, :n, 0], labels[row, :n, 1] = max(each.malignant, 0.0), np.maximum(each.present, 0)
        counts[row, :n, 0] = each.weight / n * (each.malignant >= 0)
        counts[row, :n, 1] = each.weight / n * (each.present >= 0)
    return x, labels, counts
