"""Contact sheets of a generator: triptychs of picture, hole and filling, side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.gan.patches import to_grey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.patches import Patches

GAP = 4
BACKGROUND = 40
OUTLINE = (60, 220, 60)


def patch_sheet(patches: Patches, made: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw a batch of patches and their fillings ``made`` (n, side, side, 1): (H, W, 3) uint8 BGR."""
    rows = []
    for pixels, hole, filled in zip(patches.pixels, patches.hole, made, strict=True):
        rows.append(triptych(to_grey(pixels[..., 0]), (hole[..., 0] > 0).astype(np.uint8), to_grey(filled[..., 0])))
    return tile(rows)


def triptych(picture: NDArray[np.uint8], hole: NDArray[np.uint8], filled: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw picture, outline of the hole, and filling beside each other; (h, w) uint8 each, to (h, 3 w + 8, 3) BGR."""
    shown = [np.repeat(each[..., None], 3, axis=2) for each in (picture, picture * (1 - hole), filled)]
    contours, _ = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    shown[1] = np.ascontiguousarray(shown[1])
    cv2.drawContours(shown[1], contours, -1, OUTLINE, 1)
    gap = np.full((picture.shape[0], GAP, 3), BACKGROUND, np.uint8)
    return np.hstack([shown[0], gap, shown[1], gap, shown[2]])


def tile(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Lay pictures (h, w, 3) uint8 BGR out on one sheet, each in a cell of the largest one's size."""
    height, width = (max(each.shape[axis] for each in pictures) + 2 * GAP for axis in (0, 1))
    columns = max(1, round(math.sqrt(len(pictures) * 1.5 * height / width)))
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full((rows * height, columns * width, 3), BACKGROUND, np.uint8)
    for number, each in enumerate(pictures):
        y, x = number // columns * height + GAP, number % columns * width + GAP
        sheet[y : y + each.shape[0], x : x + each.shape[1]] = each
    return sheet
