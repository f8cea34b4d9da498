"""Features of lesions and frames over time, computed from the frames' results alone; pure, without pixels.

What each feature means is said once, in `edge.contracts.clip_model.FEATURES`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.results import Reason, Status
from edge.pipeline.clip_judgement import SHARPNESS, logit

if TYPE_CHECKING:
    from edge.contracts.frame_result import Result
    from edge.contracts.results import Lesion

    Vector = tuple[float, float, float, float, float, float, float]

REFUSED = frozenset({Reason.WRONG_ANATOMY, Reason.NOT_ULTRASOUND})
MAX_SECONDS = 60.0
"""A longer pause is told as this."""


@dataclass(slots=True)
class FeatureMemory:
    """Memory of one track, or of the frames of a stream, between two vectors: where its lesion was, and when."""

    at_ns: int | None = None
    centre: tuple[float, float] | None = None

    def vector(self, result: Result, lesion: Lesion | None, at_ns: int) -> Vector:
        """Features of the next frame. ``lesion``: None: the frame does not show it. ``at_ns``: its place in the clip.

        Ask `has_features` first.
        """
        pause = 0 if self.at_ns is None else max(0, at_ns - self.at_ns)
        self.at_ns = at_ns
        passed = 0.0 if result.reason in REFUSED else 1.0
        said = 0.0 if result.malignancy is None else logit(result.malignancy)
        seconds = min(MAX_SECONDS, pause / 1e9)
        if lesion is None:
            self.centre = None
            return (said, 0.0, 0.0, 0.0, 0.0, seconds, passed)
        x, y, w, h = lesion.box
        centre = x + w / 2, y + h / 2
        width, height = result.image_size if result.region is None else result.region.box[2:]
        moved = 0.0
        if self.centre is not None:
            moved = math.dist(centre, self.centre) / max(width, height, 1)
        self.centre = centre
        area = math.sqrt(min(1.0, w * h / max(width * height, 1)))
        sharp = min(1.0, max(0.0, lesion.descriptors.get(SHARPNESS, 0.0)))
        return (said, lesion.score, area, sharp, moved, seconds, passed)


def has_features(result: Result) -> bool:
    """Whether a frame says anything: one that could not be computed does not, and the pause counts as seconds."""
    return result.status is not Status.NO_RESULT


def surest_lesion(result: Result) -> Lesion | None:
    """Lesion of the highest presence, by which a frame itself is described; None: it shows none."""
    return max(result.lesions, key=lambda lesion: lesion.score, default=None)
