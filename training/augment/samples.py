"""From items to tensors: plain, as the device would see them, and augmented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.augment import appearance, geometry
from training.datasets import UNLABELLED, Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.preprocess.preprocessor import Preprocessor


@dataclass(frozen=True, eq=False)
class Sample:
    """What the network sees of one picture, and what it shall say."""

    tensor: NDArray[np.uint8]
    """(height, width, 3)."""
    mask: NDArray[np.uint8]
    """(height, width), 0/1, in the tensor's grid."""
    label: int
    mask_weight: float = 1.0


def plain(item: Item, preprocess: Preprocessor, mask_weight: float = 1.0) -> Sample:
    """The item as the device would see it."""
    tensor, box = preprocess(item.image)
    recipe = preprocess.recipe
    return Sample(
        tensor[0], geometry.mask_to_tensor(item.mask, box, recipe.width, recipe.height), item.label, mask_weight
    )


def augment(rng: np.random.Generator, item: Item) -> Item:
    """A new view of the item, changed in source space; the mask stays where the lesion is."""
    resampler = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)))
    matrix, size = _window_with_lesion(rng, item.mask)
    image, mask = geometry.warp(item.image, item.mask, matrix, size, resampler)
    image = appearance.grain(rng, appearance.tone(rng, image))
    if rng.random() < 0.25:
        image = appearance.marks(rng, image, mask)
    if rng.random() < 0.25:
        image, (x, y) = appearance.screen(rng, image)
        placed = np.zeros_like(image)
        placed[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        mask = placed
    return replace_pixels(item, appearance.transport(rng, image), mask)


def _window_with_lesion(
    rng: np.random.Generator, mask: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """A random window that keeps three quarters of the lesion, of which the label speaks."""
    height, width = mask.shape
    area = int(mask.sum())
    for _ in range(8):
        matrix, size = geometry.random_matrix(rng, width, height)
        kept = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST).sum() / abs(np.linalg.det(matrix[:, :2]))
        if kept >= 0.75 * area:
            return matrix, size
    return np.eye(2, 3), (width, height)


def replace_pixels(item: Item, image: NDArray[np.uint8], mask: NDArray[np.uint8], label: int | None = None) -> Item:
    """The item with other pixels, and with another label if one is given."""
    label = item.label if label is None else label
    return Item(item.id, item.group, item.source, item.split, label, image, mask, item.device)


def lesion_free(rng: np.random.Generator, item: Item) -> Item | None:
    """A crop of the item clear of its lesion, without a label; None where there is no room."""
    window = geometry.lesion_free_window(rng, item.mask)
    if window is None:
        return None
    x, y, w, h = window
    scale = rng.uniform(1.0, 2.0)
    size = (round(w * scale), round(h * scale))
    image = cv2.resize(item.image[y : y + h, x : x + w], size, interpolation=cv2.INTER_CUBIC)
    return replace_pixels(item, image, np.zeros_like(image), UNLABELLED)
