"""Windows of filled and of untouched pictures at the network's scale, for everything that judges fillings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from edge.preprocess.preprocessor import Preprocessor
from training.augment.fillings import Filling, paste
from training.augment.geometry import mask_to_tensor
from training.gan.fill_pictures import fill_pictures
from training.gan.holes import bounding_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from training.datasets import Item
    from training.gan.fillers import Filler

SIDE = 48
"""Side of a window in pixels of the network's tensor."""


@dataclass(frozen=True, eq=False)
class FilledPicture:
    """One picture before and after it was filled, as the network is shown it."""

    item: Item
    kind: str
    """``erased`` or ``beside``; see `training.augment.fillings`."""
    filling: Filling
    real: NDArray[np.uint8]
    """(height, width) uint8 grey: the tensor of the picture as it is."""
    filled: NDArray[np.uint8]
    """(height, width) uint8 grey: the tensor of the filled picture."""
    hole: NDArray[np.uint8]
    """(height, width) uint8 0/1, in the tensor's grid."""

    def window(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Window (48, 48) uint8 of a tensor (height, width), around the hole."""
        x, y, w, h = bounding_box(self.hole)
        height, width = picture.shape
        top = int(np.clip(y + h // 2 - SIDE // 2, 0, height - SIDE))
        left = int(np.clip(x + w // 2 - SIDE // 2, 0, width - SIDE))
        return picture[top : top + SIDE, left : left + SIDE]


def fill_and_preprocess(
    items: Sequence[Item], filler: Filler, recipe: PreprocessRecipe, seed: int
) -> list[FilledPicture]:
    """Fill each picture once over its lesion and once beside it, and preprocess it before and after."""
    preprocess, by_id = Preprocessor(recipe), {item.id: item for item in items}
    out = []
    for (name, kind, _), filling in tqdm(fill_pictures(items, filler, 1, seed).items(), desc="compare", mininterval=5):
        item = by_id[name]
        real, box = preprocess(item.image)
        filled = preprocess(paste(item.image, filling))[0]
        hole = np.zeros_like(item.mask)
        h, w = filling.weight.shape
        hole[filling.y : filling.y + h, filling.x : filling.x + w] = filling.weight > 127
        small = mask_to_tensor(hole, box, recipe.width, recipe.height)
        if small.any():
            out.append(FilledPicture(item, kind, filling, real[0, ..., 0], filled[0, ..., 0], small))
    return out
