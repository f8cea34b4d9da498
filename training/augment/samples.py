"""Training samples from data-set items: preprocessed as on the device, with augmentation or without."""

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
    """One training sample: the input tensor of a picture, and the targets that the network shall learn."""

    tensor: NDArray[np.uint8]
    """(height, width, 3) uint8, grey repeated in its channels."""
    mask: NDArray[np.uint8]
    """(height, width), 0/1, in the tensor's grid."""
    label: int
    """Number of the class; negative: the class head learns nothing from it."""
    mask_weight: float = 1.0
    """Weight of this sample in the mask's loss."""


def to_sample(item: Item, preprocess: Preprocessor, mask_weight: float = 1.0) -> Sample:
    """Preprocess an item without augmentation: the tensor is the one that the device would make."""
    tensor, box = preprocess(item.image)
    recipe = preprocess.recipe
    return Sample(
        tensor[0], geometry.mask_to_tensor(item.mask, box, recipe.width, recipe.height), item.label, mask_weight
    )


def augment(rng: np.random.Generator, item: Item) -> Item:
    """Augment an item in source space, by geometry and appearance; the mask stays where the lesion is.

    Image and mask are (H, W) uint8 before and after, of another size after.
    """
    resampler = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)))
    matrix, size = _window_with_lesion(rng, item.mask)
    image, mask = geometry.warp(item.image, item.mask, matrix, size, resampler)
    image = appearance.vary_speckle(rng, appearance.vary_gain(rng, image))
    if rng.random() < 0.25:
        image = appearance.burn_in_marks(rng, image, mask)
    if rng.random() < 0.25:
        image, (x, y) = appearance.place_on_screen(rng, image)
        placed = np.zeros_like(image)
        placed[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
        mask = placed
    return replace_pixels(item, appearance.resample_and_compress(rng, image), mask)


def _window_with_lesion(
    rng: np.random.Generator, mask: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Random matrix (2, 3) and size (width, height) that keep three quarters of the lesion: the label is about it."""
    height, width = mask.shape
    area = int(mask.sum())
    for _ in range(8):
        matrix, size = geometry.random_matrix(rng, width, height)
        kept = cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_NEAREST).sum() / abs(np.linalg.det(matrix[:, :2]))
        if kept >= 0.75 * area:
            return matrix, size
    return np.eye(2, 3), (width, height)


def replace_pixels(item: Item, image: NDArray[np.uint8], mask: NDArray[np.uint8], label: int | None = None) -> Item:
    """Copy the item with another image and mask (H, W) uint8, and with another label if one is given."""
    label = item.label if label is None else label
    return Item(item.id, item.group, item.source, item.split, label, image, mask, item.device)


def lesion_free(rng: np.random.Generator, item: Item) -> Item | None:
    """Cut a crop clear of the lesion out of the item, without a label; None where there is no room."""
    window = geometry.lesion_free_window(rng, item.mask)
    if window is None:
        return None
    x, y, w, h = window
    scale = rng.uniform(1.0, 2.0)
    size = (round(w * scale), round(h * scale))
    image = cv2.resize(item.image[y : y + h, x : x + w], size, interpolation=cv2.INTER_CUBIC)
    return replace_pixels(item, image, np.zeros_like(image), UNLABELLED)
