"""Overlap of reported and true lesions on the tensor's grid: intersection over union (IoU), Dice."""

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

HIT_IOU = 0.3
"""Intersection over union from which on a reported lesion counts as the true one."""
FALSE_LESION_IOU = 0.1
"""Under this a reported lesion is a false one; between the two it is a bad outline, neither hit nor false."""


@dataclass(frozen=True, slots=True)
class OverlapResult:
    """Lesions of one picture as the device would report them: the score and the IoU with the truth of each."""

    scores: tuple[float, ...]
    """Of each lesion: the mean presence, 0 to 1."""
    ious: tuple[float, ...]
    """Of each lesion: intersection over union with the true one, 0 to 1."""

    def with_min_score(self, score: float) -> OverlapResult:
        """The lesions that are reported if ``score`` is the least one allowed."""
        kept = [(s, i) for s, i in zip(self.scores, self.ious, strict=True) if s >= score]
        return OverlapResult(tuple(s for s, _ in kept), tuple(i for _, i in kept))

    @property
    def hit(self) -> bool:
        """Whether the true lesion was reported, by an IoU of at least `HIT_IOU`."""
        return max(self.ious, default=0.0) >= HIT_IOU

    @property
    def false_lesions(self) -> int:
        """How many reported lesions are false: their IoU is under `FALSE_LESION_IOU`."""
        return sum(i < FALSE_LESION_IOU for i in self.ious)


def match_lesions(mask: NDArray[np.float32], truth: NDArray[np.uint8], thresholds: Thresholds) -> OverlapResult:
    """Compare the lesions that a device would report for a mask with the true lesion.

    ``mask``: (h, w) float32, presence of lesion from 0 to 1. ``truth``: (height, width) uint8 on the tensor's grid, 1
    where there is lesion, else 0.
    """
    height, width = truth.shape
    placement = Letterbox((0, 0, width, height), (0, 0, width, height))
    lesions = find_lesions(mask, placement, thresholds, (width, height))
    return OverlapResult(tuple(each.score for each in lesions), tuple(_iou(each.outline, truth) for each in lesions))


def dice(mask: NDArray[np.float32], truth: NDArray[np.uint8], level: float) -> float:
    """Dice coefficient of a mask cut at ``level``: twice the overlap over the sum of sizes; 1 where both are empty.

    ``mask``: (h, w) float32, 0 to 1, resized to the size of ``truth``: (height, width) uint8, 1 where there is lesion.
    """
    found = cv2.resize(mask, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) >= level
    total = int(found.sum()) + int(truth.sum())
    return 2.0 * int((found & (truth > 0)).sum()) / total if total else 1.0


def _iou(outline: list[tuple[float, float]], truth: NDArray[np.uint8]) -> float:
    """Intersection over union of a polygon (x, y in pixels of the tensor) with ``truth`` (height, width) uint8."""
    # Outlines have a pixel's centre at 0.5, fillPoly at 0; four bits of fraction.
    points = np.rint((np.array(outline) - 0.5) * 16).astype(np.int32)
    drawn = cv2.fillPoly(np.zeros(truth.shape, np.uint8), [points], 1, shift=4)
    either = int((drawn | truth).sum())
    return int((drawn & truth).sum()) / either if either else 0.0
