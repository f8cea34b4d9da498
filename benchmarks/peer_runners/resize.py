"""Resizes a picture to a model's input, as someone does who writes a few lines around an interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray


def resize_to_input(picture: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Resize a picture to a model's input.

    Args:
        picture: (H, W, 3) uint8 RGB or (H, W) uint8 grey.
        shape: (1, h, w, c) of the input; c is 1 (grey) or 3 (RGB).

    Returns:
        (1, h, w, c) uint8.
    """
    _, height, width, channels = shape
    if picture.ndim == 2 and channels == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    elif picture.ndim == 3 and channels == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return small.reshape(1, height, width, channels)
