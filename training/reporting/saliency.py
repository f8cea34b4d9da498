"""Saliency map by occlusion: parts of the picture are hidden one after the other (Zeiler & Fergus, ECCV 2014)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SHARE = 7
"""The hidden square's side is the picture's shorter one over this."""


def occlusion(
    predict: Callable[[list[NDArray[np.uint8]]], NDArray[np.float64]], tensor: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Saliency map (H, W) float32: by how much malignancy falls (over 0) or rises (under 0) when a place is blurred.

    Args:
        predict: malignancy (n,) of n tensors.
        tensor: (H, W, 3) uint8.
    """
    height, width = tensor.shape[:2]
    side = min(height, width)
    box, step = side // SHARE, max(1, side // (2 * SHARE))
    hidden = cv2.GaussianBlur(tensor, (0, 0), side / 12)
    down, along = range(0, height - box + 1, step), range(0, width - box + 1, step)
    corners = [(y, x) for y in down for x in along if tensor[y : y + box, x : x + box].any()]  # padding hides nothing
    changed = []
    for y, x in corners:
        one = tensor.copy()
        one[y : y + box, x : x + box] = hidden[y : y + box, x : x + box]
        changed.append(one)
    given = predict([tensor, *changed])
    total, count = np.zeros((height, width)), np.zeros((height, width))
    for (y, x), value in zip(corners, given[1:], strict=True):
        total[y : y + box, x : x + box] += given[0] - value
        count[y : y + box, x : x + box] += 1
    smooth: NDArray[np.float32] = cv2.GaussianBlur((total / np.maximum(count, 1)).astype(np.float32), (0, 0), step / 2)
    return smooth
