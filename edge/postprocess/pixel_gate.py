"""Pixel gate: quality measures that tell a scan from a black, flat or coloured picture before the model is asked.

The rules that compare them with their limits are in `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box

SAMPLES = 64
"""Looked at along each axis, at most: 4,096 pixels tell black from tissue as well as a million do."""
BACKGROUND = 12
"""Grey values up to this are background (noise and compression of a black picture stay under it)."""
TEXTURE_STEP = 4
"""Second difference, in grey values, that is texture: more than a gradient or JPEG ringing on a flat area gives."""
COLOUR_SPAN = 64
"""Largest less smallest channel that is strong colour, if it is also COLOUR_SHARE of the largest."""
COLOUR_SHARE = 0.4


class PixelSample:
    """Evenly spread sample of the pixels of a picture's crop."""

    __slots__ = ("colour", "grey")

    def __init__(self, pixels: NDArray[np.uint8], crop: Box) -> None:
        """Take the sample from the crop of a picture.

        Args:
            pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
            crop: (x, y, w, h) in pixels, within the picture and not empty.
        """
        x, y, w, h = crop
        step_x, step_y = max(1, w // SAMPLES), max(1, h // SAMPLES)
        sample = np.ascontiguousarray(pixels[y : y + h : step_y, x : x + w : step_x])
        self.colour: NDArray[np.uint8] | None = sample if sample.ndim == 3 else None
        """(h, w, 3) uint8 RGB; None: the picture is grey."""
        self.grey: NDArray[np.uint8] = sample if sample.ndim == 2 else cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
        """(h, w) uint8."""


def bright_pixels(sample: PixelSample) -> int:
    """Number of pixels of the sample that are brighter than `BACKGROUND`."""
    return int(np.count_nonzero(sample.grey > BACKGROUND))


def coloured_share(sample: PixelSample) -> float:
    """Share of the sample with strong colour, 0 to 1; 0 for a grey picture."""
    if sample.colour is None:
        return 0.0
    red, green, blue = cv2.split(sample.colour)
    top = cv2.max(cv2.max(red, green), blue)
    span = cv2.subtract(top, cv2.min(cv2.min(red, green), blue))
    wide = span >= COLOUR_SPAN
    if not wide.any():
        return 0.0  # most scans
    return float(np.count_nonzero(wide & (span >= COLOUR_SHARE * top)) / span.size)


def texture_share(sample: PixelSample) -> float:
    """Share of the sample that is neither flat nor on a slope, 0 to 1, along the axis where it is smaller."""
    v = sample.grey.astype(np.int16)
    rows = np.abs(v[:, :-2] - 2 * v[:, 1:-1] + v[:, 2:])
    cols = np.abs(v[:-2] - 2 * v[1:-1] + v[2:])
    return min(float(np.count_nonzero(d > TEXTURE_STEP) / d.size) for d in (rows, cols))
