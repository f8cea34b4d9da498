"""Pictures that no model should be asked about: black, flat, too small, not grey enough to be a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.results import Reason

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box

MIN_SIDE = 16
"""Shortest side, in pixels, that can hold a lesion and its surroundings."""
SAMPLES = 64
"""Looked at along each axis, at most: 4,096 pixels tell black from tissue as well as a million do."""
BACKGROUND = 12
"""Grey values up to this are background (noise and compression of a black picture stay under it)."""
MIN_BRIGHT = 0.02
"""Least share brighter than background. Breast, heart, lung and eye scans have 0.23 and more."""
TEXTURE_STEP = 4
"""Second difference, in grey values, that is texture: more than a gradient or JPEG ringing on a flat area gives."""
MIN_TEXTURE = 0.02
"""Least share with texture along both axes. Scans have 0.07 and more; bars, gradients and menus next to none."""
COLOUR_SPAN = 64
"""Largest less smallest channel that is strong colour, if it is also COLOUR_SHARE of the largest."""
COLOUR_SHARE = 0.4
MAX_COLOURED = 0.6
"""Largest share of strong colour. A big Doppler box has about 0.15; photographs and colour bars pass one half easily,
but some scanners tint the whole picture, so that pale pictures are left to the model's anatomy head."""


def pixel_gate(pixels: NDArray[np.uint8], crop: Box) -> Reason | None:
    """Why this picture must not be judged, by its pixels alone; None if nothing speaks against it.

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
        crop: (x, y, w, h) of the part that the model would see, in pixels, within the picture.

    Returns:
        `Reason.TOO_SMALL`, `BLACK`, `NOT_ULTRASOUND` or `FLAT`, the first that holds; else None.
    """
    x, y, w, h = crop
    if min(w, h) < MIN_SIDE:
        return Reason.TOO_SMALL
    step_x, step_y = max(1, w // SAMPLES), max(1, h // SAMPLES)
    sample = np.ascontiguousarray(pixels[y : y + h : step_y, x : x + w : step_x])
    grey = sample if sample.ndim == 2 else cv2.cvtColor(sample, cv2.COLOR_RGB2GRAY)
    if np.count_nonzero(grey > BACKGROUND) < MIN_BRIGHT * grey.size:
        return Reason.BLACK
    if sample.ndim == 3 and _coloured(sample) > MAX_COLOURED:
        return Reason.NOT_ULTRASOUND
    if _texture(grey) < MIN_TEXTURE:
        return Reason.FLAT
    return None


def _coloured(rgb: NDArray[np.uint8]) -> float:
    """Share of (h, w, 3) samples with strong colour."""
    red, green, blue = cv2.split(rgb)
    top = cv2.max(cv2.max(red, green), blue)
    span = cv2.subtract(top, cv2.min(cv2.min(red, green), blue))
    wide = span >= COLOUR_SPAN
    if not wide.any():
        return 0.0  # most scans
    return float(np.count_nonzero(wide & (span >= COLOUR_SHARE * top)) / span.size)


def _texture(grey: NDArray[np.uint8]) -> float:
    """Share of (h, w) samples that are neither flat nor on a slope, along the axis where it is smaller."""
    v = grey.astype(np.int16)
    rows = np.abs(v[:, :-2] - 2 * v[:, 1:-1] + v[:, 2:])
    cols = np.abs(v[:-2] - 2 * v[1:-1] + v[2:])
    return min(float(np.count_nonzero(d > TEXTURE_STEP) / d.size) for d in (rows, cols))
