"""Samples of a classifier's pictures: in grey or colour, with masks of one class or many, augmented or as they are."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.tensors import TensorSpec
from edge.preprocess.picture_preprocessor import PicturePreprocessor
from edge.preprocess.preprocessor import Preprocessor
from training.augment import samples
from training.augment.geometry import mask_to_tensor
from training.augment.samples import Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.preprocess.letterbox import Letterbox
    from training.classify.recipe import ClassifierRecipe
    from training.datasets import Item

    AnyPreprocessor = Preprocessor | PicturePreprocessor


def make_preprocessor(recipe: ClassifierRecipe) -> AnyPreprocessor:
    """Make the preprocessor of a recipe: the device's own, with pixel values for tensors."""
    p = recipe.preprocess
    if recipe.colour == "grey":
        return Preprocessor(p)
    shape = (1, p.height, p.width, p.channels)
    return PicturePreprocessor(recipe.picture_recipe(), TensorSpec(shape=shape, dtype="uint8"))


def make_sample(item: Item, preprocess: AnyPreprocessor) -> Sample:
    """Preprocess an item without augmentation: the tensor is the one that the device would make."""
    tensor, box = preprocess(item.image)
    size = (preprocess.recipe.width, preprocess.recipe.height)
    return Sample(tensor[0], classes_to_tensor(item.mask, box, *size), item.label)


def augment(rng: np.random.Generator, item: Item) -> Item:
    """Augment an item in source space; of a colour picture, all channels alike.

    The image is (H, W) or (H, W, 3), the mask (H, W), uint8 before and after, of another size after.
    """
    if item.image.ndim == 2:
        return samples.augment(rng, item)
    made = []
    for channel in range(3):  # each with the same random numbers, of which none depends on pixels
        plane = np.ascontiguousarray(item.image[..., channel])
        made.append(samples.augment(copy.deepcopy(rng), samples.replace_pixels(item, plane, item.mask)))
    image = np.stack([each.image for each in made], axis=2)
    return samples.replace_pixels(item, image, made[0].mask)


def classes_to_tensor(mask: NDArray[np.uint8], box: Letterbox, width: int, height: int) -> NDArray[np.uint8]:
    """Map a source mask (H, W) of class numbers into the tensor's grid: the class that fills most of a pixel.

    Returns (``height``, ``width``) uint8.
    """
    numbers = np.unique(mask)
    if int(numbers[-1]) <= 1:
        return mask_to_tensor(mask, box, width, height)
    x, y, w, h = box.crop
    ix, iy, iw, ih = box.inner
    part = mask[y : y + h, x : x + w]
    shares = [
        cv2.resize((part == number).astype(np.float32), (iw, ih), interpolation=cv2.INTER_AREA) for number in numbers
    ]
    out = np.zeros((height, width), np.uint8)
    out[iy : iy + ih, ix : ix + iw] = numbers[np.argmax(shares, axis=0)]
    return out


def coarse_classes(mask: NDArray[np.uint8], cell: int) -> NDArray[np.uint8]:
    """Class that fills most of each ``cell`` x ``cell`` pixels of a mask (h, w): (h / cell, w / cell) uint8."""
    h, w = mask.shape
    cells = mask.reshape(h // cell, cell, w // cell, cell)
    numbers = np.unique(mask)
    counts = [(cells == number).sum(axis=(1, 3)) for number in numbers]
    return np.asarray(numbers[np.argmax(counts, axis=0)], np.uint8)
