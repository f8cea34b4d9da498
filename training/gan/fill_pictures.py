"""Fill the pictures of a data set: lesions erased, and as many holes of the same kind filled beside them."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from tqdm import tqdm

from training.gan.holes import bounding_box, grow, not_tissue, place_hole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.augment.fillings import Filling, Kind
    from training.datasets import Item
    from training.gan.eraser import Eraser
    from training.gan.fillers import Filler

MARGIN = 0.02
"""Margin of a hole around its lesion, as a share of the picture's width."""
SHRINK = (1.0, 0.85, 0.7, 0.55)
"""Sizes that a hole beside a lesion is tried in: there must be room for it."""


def hole_over(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hole (H, W) uint8 0/1 over a lesion's mask (H, W) 0/1, with its margin."""
    return grow(mask, max(2, round(MARGIN * mask.shape[1])))


def hole_beside(rng: np.random.Generator, item: Item, shape: NDArray[np.uint8], width: int) -> NDArray[np.uint8] | None:
    """Hole in the shape of another picture's lesion, clear of this one's; None where there is no room.

    ``shape``: (h, w) 0/1 with its margin, of a picture that was ``width`` pixels wide.
    """
    taken = hole_over(item.mask) | not_tissue(item.image)
    for factor in SHRINK:
        scale = factor * item.image.shape[1] / width
        size = (max(8, round(shape.shape[1] * scale)), max(8, round(shape.shape[0] * scale)))
        resized = np.asarray(cv2.resize(255 * shape, size, interpolation=cv2.INTER_AREA))
        hole = place_hole(rng, (resized > 127).astype(np.uint8), taken)
        if hole is not None:
            return hole
    return None


def fill_pictures(
    items: Sequence[Item], filler: Filler, variants: int, seed: int
) -> dict[tuple[str, Kind, int], Filling]:
    """Fill each picture ``variants`` times, its lesion erased and a hole beside it; by (item id, kind, variant).

    What is drawn of a picture depends on its id alone, so that every way to fill gets the same holes.
    """
    shapes = [(_cut(hole_over(item.mask)), item.image.shape[1]) for item in items if item.mask.any()]
    found: dict[tuple[str, Kind, int], Filling] = {}
    for item in tqdm(items, desc="fill", mininterval=5):
        taken = hole_over(item.mask) | not_tissue(item.image)
        for variant in range(variants):
            rng = np.random.default_rng((seed, variant, zlib.crc32(item.id.encode())))
            shape, width = shapes[int(rng.integers(len(shapes)))]
            holes: dict[Kind, NDArray[np.uint8] | None] = {"beside": hole_beside(rng, item, shape, width)}
            if item.mask.any():
                holes["erased"] = hole_over(item.mask)
            for kind, hole in holes.items():
                filling = None if hole is None else filler(item.image, hole, taken, rng)
                if filling is not None:
                    found[item.id, kind, variant] = filling
    return found


def draw_lesions(
    items: Sequence[Item], eraser: Eraser, variants: int, seed: int
) -> dict[tuple[str, Kind, int], Filling]:
    """Draw a lesion beside that of each picture, in the shape of another's of the same class.

    By (item id, kind, variant). Pictures without a label or a lesion get none.
    """
    labelled = [item for item in items if item.label >= 0 and item.mask.any()]
    found: dict[tuple[str, Kind, int], Filling] = {}
    for item in tqdm(labelled, desc="draw", mininterval=5):
        same = [one for one in labelled if one.label == item.label and one.group != item.group]
        for variant in range(variants if same else 0):
            rng = np.random.default_rng((seed, variant, zlib.crc32(item.id.encode())))
            model = same[int(rng.integers(len(same)))]
            hole = hole_beside(rng, item, _cut(hole_over(model.mask)), model.image.shape[1])
            if hole is None:
                continue
            margin = max(2, round(MARGIN * item.mask.shape[1]))
            lesion = np.asarray(cv2.erode(hole, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)), np.uint8)
            if lesion.any():
                drawn = eraser.draw(item.image, hole, lesion, item.label, rng)
                h, w = drawn.pixels.shape
                mask = lesion[drawn.y : drawn.y + h, drawn.x : drawn.x + w]
                found[item.id, "drawn", variant] = replace(drawn, lesion=mask)
    return found


def _cut(hole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    x, y, w, h = bounding_box(hole)
    return hole[y : y + h, x : x + w]
