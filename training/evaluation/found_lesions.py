"""Lesions that the mask head found in each held-out picture, by the very code that runs on the device."""

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
    from training.evaluation.held_out_predictions import HeldOutPredictions

HIT = 0.3
"""Least intersection over union at which a lesion counts as found."""
MIN_AREA = 0.001
"""Smallest lesion as a share of the tensor: 25 pixels of 160 x 160, about one and a half mask cells."""


@dataclass(frozen=True, eq=False)
class FoundLesions:
    """Lesions found in held-out pictures; item i of each field belongs to picture i."""

    lesions: list[list[Lesion]]
    """In pixels of the tensor, the most probable first."""
    score: NDArray[np.float64]
    """(n,) mean lesion probability of the most probable, 0 where there is none."""
    dice: NDArray[np.float64]
    """(n,) Dice of the mask at its level with the truth."""
    hit: NDArray[np.bool_]
    """(n,) whether a part of the mask overlaps the true lesion by `HIT`."""
    masks: NDArray[np.uint8]
    """(n, H, W) 0/1, the mask at its level."""

    @property
    def count(self) -> NDArray[np.int_]:
        """Number of lesions found in each picture, (n,)."""
        return np.array([len(each) for each in self.lesions], int)

    def take(self, chosen: NDArray[np.bool_]) -> FoundLesions:
        """Select the lesions of some pictures by a boolean mask (n,)."""
        lesions = [each for each, kept in zip(self.lesions, chosen, strict=True) if kept]
        return FoundLesions(lesions, self.score[chosen], self.dice[chosen], self.hit[chosen], self.masks[chosen])


def merge(parts: list[tuple[NDArray[np.int_], FoundLesions]], n: int) -> FoundLesions:
    """Merge the lesions found in parts of ``n`` pictures, in the pictures' order; each with its rows' numbers (m,)."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    if len(order) != n:
        raise ValueError(f"expected {n} pictures, got {len(order)}")
    lesions = [each for _, found in parts for each in found.lesions]
    columns = [np.concatenate([getattr(f, k) for _, f in parts])[order] for k in ("score", "dice", "hit", "masks")]
    return FoundLesions([lesions[i] for i in order], *columns)


def lesion_only_thresholds(level: float, score: float = 0.0) -> Thresholds:
    """Thresholds of which only those of the lesion are used."""
    return Thresholds(
        lesion=level, lesion_score=score, lesion_min_area=MIN_AREA, malignancy=0.5,
        operating_point="", prevalence=0.5, anatomy=0.0,
    )  # fmt: skip


def lesions_in_masks(
    lesion: NDArray[np.uint8], size: tuple[int, int], level: float, score: float = 0.0
) -> list[list[Lesion]]:
    """Find lesions in mask heads (n, h, w) uint8, probability times 255.

    Their coordinates are pixels of a tensor of ``size`` (width, height); the most probable comes first.
    """
    whole = Letterbox((0, 0, *size), (0, 0, *size))
    asked = lesion_only_thresholds(level, score)
    return [find_lesions(m.astype(np.float32) / 255, whole, asked, size) for m in lesion]


def find_lesions_at(rows: HeldOutPredictions, level: float, least_score: float = 0.0) -> FoundLesions:
    """Find every picture's lesions at a mask level and a least score, and compare them with the true mask."""
    lesions = lesions_in_masks(rows.lesion, rows.size, level, least_score)
    score = np.array([each[0].score if each else 0.0 for each in lesions])
    masks = (rows.mask_probabilities() >= level).astype(np.uint8)
    dice = dice_scores(masks, rows.masks)
    hit = np.array([best_iou(m, t) >= HIT for m, t in zip(masks, rows.masks, strict=True)], bool)
    return FoundLesions(lesions, score, dice, hit & (score > 0), masks)


def dice_scores(found: NDArray[np.uint8], true: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Dice coefficients (n,) of two stacks of masks (n, H, W) uint8 0/1, pair by pair; 1 where both are empty."""
    both = (found & true).sum(axis=(1, 2), dtype=np.int64)
    total = found.sum(axis=(1, 2), dtype=np.int64) + true.sum(axis=(1, 2), dtype=np.int64)
    return np.where(total == 0, 1.0, 2 * both / np.maximum(total, 1))
