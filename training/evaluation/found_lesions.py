"""What the mask head found in each picture, by the very code that runs on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.manifest import Thresholds
from edge.postprocess.lesions import find_lesions
from edge.preprocess.letterbox import Letterbox
from training.evaluation.metrics import best_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.results import Lesion
    from training.evaluation.held_out_predictions import Rows

HIT = 0.3
"""Intersection over union at which a found lesion counts as found."""
MIN_AREA = 0.001
"""Smallest lesion as a share of the tensor: 25 pixels of 160 x 160, about one and a half mask cells."""


@dataclass(frozen=True, eq=False)
class FoundLesions:
    """By picture."""

    lesions: list[list[Lesion]]
    """In pixels of the tensor, the surest first."""
    presence: NDArray[np.float64]
    """Mean presence of the surest, 0 where there is none."""
    dice: NDArray[np.float64]
    """Of the mask at its level with the truth."""
    hit: NDArray[np.bool_]
    """A piece of the mask lies on the true lesion."""
    masks: NDArray[np.uint8]
    """(n, H, W) 0/1, the mask at its level."""

    @property
    def count(self) -> NDArray[np.int_]:
        """Lesions found in each."""
        return np.array([len(each) for each in self.lesions], int)

    def take(self, chosen: NDArray[np.bool_]) -> FoundLesions:
        """Those of some pictures, by a mask."""
        lesions = [each for each, kept in zip(self.lesions, chosen, strict=True) if kept]
        return FoundLesions(lesions, self.presence[chosen], self.dice[chosen], self.hit[chosen], self.masks[chosen])


def merge(parts: list[tuple[NDArray[np.int_], FoundLesions]], n: int) -> FoundLesions:
    """What was found in parts of ``n`` pictures, in their order; each part with its rows' numbers."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    if len(order) != n:
        raise ValueError(f"expected {n} pictures, got {len(order)}")
    lesions = [each for _, found in parts for each in found.lesions]
    columns = [np.concatenate([getattr(f, k) for _, f in parts])[order] for k in ("presence", "dice", "hit", "masks")]
    return FoundLesions([lesions[i] for i in order], *columns)


def limits(level: float, score: float = 0.0) -> Thresholds:
    """Thresholds of which only the lesion's matter."""
    return Thresholds(
        lesion=level, lesion_score=score, lesion_min_area=MIN_AREA, malignancy=0.5,
        operating_point="", prevalence=0.5, anatomy=0.0,
    )  # fmt: skip


def find(lesion: NDArray[np.uint8], size: tuple[int, int], level: float, score: float = 0.0) -> list[list[Lesion]]:
    """Lesions of mask heads (n, h, w) uint8, probability times 255, in pixels of a tensor of ``size``."""
    whole = Letterbox((0, 0, *size), (0, 0, *size))
    asked = limits(level, score)
    return [find_lesions(m.astype(np.float32) / 255, whole, asked, size) for m in lesion]


def look(rows: Rows, level: float, score: float = 0.0) -> FoundLesions:
    """Every picture's lesions at a mask level and a least presence."""
    lesions = find(rows.lesion, rows.size, level, score)
    presence = np.array([each[0].score if each else 0.0 for each in lesions])
    masks = (rows.masks_found() >= level).astype(np.uint8)
    dice = dices(masks, rows.masks)
    hit = np.array([best_iou(m, t) >= HIT for m, t in zip(masks, rows.masks, strict=True)], bool)
    return FoundLesions(lesions, presence, dice, hit & (presence > 0), masks)


def dices(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of (n, H, W) 0/1 masks each with each; 1 where both are empty."""
    both = (found & true).sum(axis=(1, 2), dtype=np.int64)
    total = found.sum(axis=(1, 2), dtype=np.int64) + true.sum(axis=(1, 2), dtype=np.int64)
    return np.where(total == 0, 1.0, 2 * both / np.maximum(total, 1))
