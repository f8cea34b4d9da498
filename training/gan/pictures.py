"""Pictures that a generator learns from, at the scale that the network to be trained sees them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import ConfigError
from edge.preprocess.preprocessor import Preprocessor
from training.datasets import Item, load_breast_sets
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.gan.settings import GanRecipe

PHANTOMS = 200
BREAST, PHANTOM = "breast", "phantoms"


@dataclass(frozen=True, eq=False)
class ScaledPicture:
    """Picture of a data set, resized to the generator's scale."""

    id: str
    label: int
    """0 benign, 1 malignant, negative: not known."""
    pixels: NDArray[np.uint8]
    """(h, w) uint8 grey."""
    mask: NDArray[np.uint8]
    """(h, w) uint8, 1 where there is lesion."""
    scale: float
    """Its pixels by pixel of the source."""


def load_pictures(data: Path | None, recipe: GanRecipe) -> tuple[str, list[Item]]:
    """Read the data set's name and its pictures, each with its side of the split; no ``data``: rendered phantoms.

    ``data`` is the folder of ``bus-bra/`` and ``busi/``, or a folder of class folders with masks. Raises ConfigError
    where there are no pictures with a lesion's mask.
    """
    if data is None:
        name, items = PHANTOM, [phantom(recipe.seed, number) for number in range(PHANTOMS)]
    elif (data / "bus-bra").is_dir():
        from training.breast.protocol import assign_splits

        name, items = BREAST, assign_splits(recipe.protocol, load_breast_sets(data))
    else:
        name, items = data.name, _folder(data, recipe)
    if not any(item.mask.any() for item in items):
        raise ConfigError(
            f"{name} holds no picture with a lesion's mask",
            hint="put masks beside the pictures (a_mask.png) or into masks/ with the same path",
        )
    return name, items


def scale_of(image: NDArray[np.uint8], preprocess: Preprocessor, factor: float) -> float:
    """Generator's pixels by pixel of the source picture (H, W) uint8: the network's own scale times ``factor``."""
    _, box = preprocess(image)
    return factor * max(box.inner[2] / box.crop[2], box.inner[3] / box.crop[3])


def to_scale(item: Item, preprocess: Preprocessor, factor: float) -> ScaledPicture:
    """Resize an item's picture and mask to the generator's scale."""
    scale = scale_of(item.image, preprocess, factor)
    return ScaledPicture(
        item.id, item.label, resize(item.image, scale), (resize(255 * item.mask, scale) > 127).astype(np.uint8), scale
    )


def resize(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Resize (H, W) uint8 by ``scale``, averaging where it shrinks."""
    height, width = picture.shape
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)


def scaled_training_pictures(items: Sequence[Item], recipe: GanRecipe) -> list[ScaledPicture]:
    """Resize all pictures of the training side; validation and test pictures are left out."""
    preprocess = Preprocessor(recipe.preprocess)
    return [to_scale(item, preprocess, recipe.scale) for item in items if item.split == "train"]


def _folder(data: Path, recipe: GanRecipe) -> list[Item]:
    import msgspec

    from training.classify.folder import list_folder
    from training.classify.recipe import load_classifier
    from training.classify.split import split_pictures

    folder = msgspec.structs.replace(load_classifier("folder"), preprocess=recipe.preprocess)
    listed, _ = list_folder(data, folder)
    if not listed:
        raise ConfigError(f"{data} holds no pictures", hint="a folder for each class: DIR/class-name/*.png, jpg or dcm")
    return [one.load() for one in split_pictures(listed, folder.split, recipe.seed)]
