"""Contact sheet of a data set for ``training look``: what the network is shown, as one picture of many."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import UsageError
from edge.preprocess.preprocessor import Preprocessor
from training.augment.samples import Sample, augment, to_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from training.datasets import Item

GAP, CAPTION = 4, 14
OUTLINE = (60, 220, 60)
COLUMNS_ASPECT = 1.5


def contact_sheet(
    items: Sequence[Item], names: Sequence[str], recipe: PreprocessRecipe, seed: int, augmented: bool = True
) -> NDArray[np.uint8]:
    """Draw a contact sheet: each item as the network is shown it, its mask's outline in green, its label below.

    Returns (H, W, 3) uint8 BGR.

    Args:
        items: pictures.
        names: the text below each.
        recipe: preprocessing that makes the tensor.
        seed: seed of the augmentation.
        augmented: False: as the device would see them.
    """
    preprocess = Preprocessor(recipe)
    samples = []
    for number, item in enumerate(items):
        rng = np.random.default_rng((seed, number))
        samples.append(to_sample(augment(rng, item) if augmented else item, preprocess))
    columns = max(1, min(len(items), round(math.sqrt(len(items) * COLUMNS_ASPECT))))
    rows = math.ceil(len(items) / columns)
    cell_w, cell_h = recipe.width + GAP, recipe.height + GAP + CAPTION
    sheet = np.full((rows * cell_h + GAP, columns * cell_w + GAP, 3), 40, np.uint8)
    for number, (sample, name) in enumerate(zip(samples, names, strict=True)):
        y, x = GAP + number // columns * cell_h, GAP + number % columns * cell_w
        sheet[y : y + recipe.height, x : x + recipe.width] = draw_mask_outline(sample)
        place = (x, y + recipe.height + CAPTION - 3)
        text = name.encode("ascii", "replace").decode()[: max(1, recipe.width // 7)]
        cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (220, 220, 220), 1, cv2.LINE_AA)
    return sheet


def draw_mask_outline(sample: Sample) -> NDArray[np.uint8]:
    """Draw a sample's tensor with its mask's outline: (height, width, 3) uint8 BGR."""
    picture = np.repeat(sample.tensor[..., :1], 3, axis=2)
    contours, _ = cv2.findContours(sample.mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, OUTLINE, 1)
    return picture


def write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) uint8 BGR as PNG. Raises UsageError if the file cannot be written."""
    done, data = cv2.imencode(".png", picture)
    try:
        path.write_bytes(data.tobytes() if done else b"")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="give another --out") from error
