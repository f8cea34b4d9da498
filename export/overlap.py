"""Reported lesions held against the true ones, on the tensor's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.postprocess.lesions import find_lesions
from edge.preprocess.letterbox import Letterbox

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.manifest import Thresholds

HIT = 0.3
"""Intersection over union from which on a reported lesion counts as the true one."""
STRAY = 0.1
"""Under this a reported lesion is a false one; between the two it is a bad outline, neither hit nor false."""


@dataclass(frozen=True, slots=True)
class OverlapResult:
    """Lesions of one picture as the device would report them: score and overlap with the truth of each."""

    scores: tuple[float, ...]
    ious: tuple[float, ...]

    def at(self, score: float) -> OverlapResult:
        """Those that are reported if ``score`` is the least."""
        kept = [(s, i) for s, i in zip(self.scores, self.ious, strict=True) if s >= score]
        return OverlapResult(tuple(s for s, _ in kept), tuple(i for _, i in kept))

    @property
    def hit(self) -> bool:
        """Whether the true lesion was reported."""
        return max(self.ious, default=0.0) >= HIT

    @property
    def strays(self) -> int:
        """How many reported lesions are not there."""
        return sum(i < STRAY for i in self.ious)


def find(mask: NDArray[np.float32], truth: NDArray[np.uint8], thresholds: Thresholds) -> OverlapResult:
    """Lesions of a mask (h, w), 0 to 1, against ``truth`` (height, width), 1 where there is lesion."""
    height, width = truth.shape
    placement = Letterbox((0, 0, width, height), (0, 0, width, height))
    lesions = find_lesions(mask, placement, thresholds, (width, height))
    return OverlapResult(tuple(each.score for each in lesions), tuple(_iou(each.outline, truth) for each in lesions))


def dice(mask: NDArray[np.float32], truth: NDArray[np.uint8], level: float) -> float:
    """Twice the overlap over the sum of sizes, of a mask (h, w) cut at ``level``; 1 where both are empty."""
    found = cv2.resize(mask, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) >= level
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & (truth > 0)).sum()) / total if total else 1.0


def _iou(outline: list[tuple[float, float]], truth: NDArray[np.uint8]) -> float:
    """Intersection over union of a polygon with ``truth``."""
    # Outlines have a pixel's centre at 0.5, fillPoly at 0; four bits of fraction.
    points = np.rint((np.array(outline) - 0.5) * 16).astype(np.int32)
    drawn = cv2.fillPoly(np.zeros(truth.shape, np.uint8), [points], 1, shift=4)
    either = int((drawn | truth).sum())
    return int((drawn & truth).sum()) / either if either else 0.0
