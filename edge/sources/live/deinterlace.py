"""Deinterlacing: one of the two fields of a picture is kept, and the lines of the other are filled in from it.

The fields of a woven picture are a fiftieth of a second apart: where the scan moves, neighbouring lines show different
places, which a model takes for texture. Half the lines, of one moment, are what it can be told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def one_field(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Deinterlace a woven picture, (H, W) or (H, W, 3) uint8: every second line is made of the others."""
    kept = np.ascontiguousarray(pixels[::2])
    below = np.concatenate((kept[1:], kept[-1:]))
    filled = cv2.addWeighted(kept, 0.5, below, 0.5, 0.0)
    whole = np.empty_like(pixels, order="C")
    whole[::2] = kept
    whole[1::2] = filled[: pixels.shape[0] // 2]
    return whole
