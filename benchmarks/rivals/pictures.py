"""A picture brought to the size of a model's input, as who writes a few lines around an interpreter does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fit(picture: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """``picture`` (H, W, 3) RGB or (H, W) grey, uint8, as (1, h, w, c) uint8; ``shape`` is that, c is 1 or 3."""
    _, height, width, channels = shape
    if picture.ndim == 2 and channels == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    elif picture.ndim == 3 and channels == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return small.reshape(1, height, width, channels)
