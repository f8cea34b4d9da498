"""Holes in the shape of lesions: what a generator learns to fill, and what it is asked to fill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.pictures import ScaledPicture

MARGIN = 4
"""Pixels by which a hole is wider than its lesion: a lesion's rim and halo shall be gone with it."""
BORDER = 4
"""Pixels between a hole and the patch's border, at least."""
SMALLEST = 8
"""Shortest side of a hole in pixels."""
TRIES = 24


def grow(mask: NDArray[np.uint8], pixels: int) -> NDArray[np.uint8]:
    """Dilate a mask (h, w) 0/1 by ``pixels`` on all sides, rounded."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def bounding_box(mask: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Bounding box (x, y, w, h) in pixels of what is set in a mask (h, w)."""
    x, y, w, h = cv2.boundingRect(mask)
    return int(x), int(y), int(w), int(h)


def lesion_shapes(pictures: Sequence[ScaledPicture]) -> list[NDArray[np.uint8]]:
    """Shapes of all lesions with their margin, (h, w) uint8 0/1 each, cut to their bounding box.

    Raises ConfigError where no picture has a lesion.
    """
    shapes = []
    for picture in pictures:
        if not picture.mask.any():
            continue
        grown = grow(np.pad(picture.mask, MARGIN), MARGIN)
        x, y, w, h = bounding_box(grown)
        shapes.append(grown[y : y + h, x : x + w])
    if not shapes:
        raise ConfigError("no training picture has a lesion's mask", hint="a generator learns holes from lesions")
    return shapes


def vary_shape(rng: np.random.Generator, shape: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Mirror, turn and resize a shape (h, w) 0/1 at random; none of its sides is longer than ``longest`` pixels."""
    if rng.random() < 0.5:
        shape = shape[:, ::-1]
    height, width = shape.shape
    side = int(np.ceil(np.hypot(height, width))) + 2
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-25, 25)), 1.0)
    matrix[:, 2] += (side - np.array([width, height])) / 2
    turned = cv2.warpAffine(np.ascontiguousarray(255 * shape), matrix, (side, side), flags=cv2.INTER_LINEAR)
    x, y, w, h = bounding_box((np.asarray(turned) > 127).astype(np.uint8))
    factor = min(rng.uniform(0.7, 1.2), longest / max(w, h))
    size = (min(longest, max(SMALLEST, round(w * factor))), min(longest, max(SMALLEST, round(h * factor))))
    small = cv2.resize(turned[y : y + h, x : x + w], size, interpolation=cv2.INTER_AREA)
    return (np.asarray(small) > 127).astype(np.uint8)


def place_hole(
    rng: np.random.Generator, shape: NDArray[np.uint8], taken: NDArray[np.uint8]
) -> NDArray[np.uint8] | None:
    """Place a shape at random where ``taken`` (h, w) 0/1 is free: the hole (h, w) uint8 0/1; None without room."""
    height, width = taken.shape
    h, w = shape.shape
    if h + 2 * BORDER > height or w + 2 * BORDER > width:
        return None
    for _ in range(TRIES):
        y = int(rng.integers(BORDER, height - h - BORDER + 1))
        x = int(rng.integers(BORDER, width - w - BORDER + 1))
        if not np.any(taken[y : y + h, x : x + w] & shape):
            hole = np.zeros_like(taken)
            hole[y : y + h, x : x + w] = shape
            return hole
    return None


def not_tissue(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mark what is black over some pixels, beside and below the scan: (h, w) uint8 0/1. No hole is put there."""
    return np.asarray(cv2.blur(pixels, (9, 9)) < 6, np.uint8)
