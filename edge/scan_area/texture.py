"""Speckle map of a screen: where the picture has the texture of a scan, and not that of text, bars, ticks or traces.

Speckle changes along both axes from one pixel to the next, and seldom from black to white; bars and frames change along
one axis only, glyphs from black to white, and what lies around them does not change at all.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SMALL_SIDE = 400
"""Longer side in pixels, about, of the reduced pictures that are searched."""
SPECKLE = 2
"""Least range of grey values within three pixels, along each axis, of what counts as texture."""
EDGE = 80
"""Such a range from which on a pixel lies at the edge of a glyph, line or symbol."""
GLYPH_SHARE = 0.3
"""Text where more than this share of the textured pixels around are such edges."""
TEXT_WINDOW = 11
"""Side of the window in which that is counted, in pixels of the reduced picture: about a letter."""
DENSE = 0.4
"""Share of textured pixels around one that makes it part of a scan."""
DENSE_WINDOW = 7
"""Side of the window in which that is counted."""
MARK = 32
"""Such a range from which on there may be something to read, were it text."""
AXES = (np.ones((1, 3), np.uint8), np.ones((3, 1), np.uint8))


def reduction(height: int, width: int) -> int:
    """Factor by which a picture of that size in pixels is reduced."""
    return max(1, round(max(height, width) / SMALL_SIDE))


def reduced(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Every ``factor``-th pixel of (H, W) or (H, W, 3), in grey. Means would take away the faintest noise."""
    small = np.ascontiguousarray(pixels[::factor, ::factor])
    return small if small.ndim == 2 else np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)


def speckle_map(smalls: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Two maps of the newest of some reduced pictures, (h, w) uint8 1 or 0.

    The first: part of a scan, with small gaps closed. The second: something that could be read, were it text.
    """
    across, along = (cv2.subtract(cv2.dilate(smalls[-1], axis), cv2.erode(smalls[-1], axis)) for axis in AXES)
    contrast = cv2.min(across, along)
    textured = (contrast >= SPECKLE).astype(np.uint8)
    changes = [(cv2.absdiff(*pair) >= SPECKLE).astype(np.uint8) for pair in pairwise(smalls)]
    if len(changes) > 1:  # noise is new each time; a trace or a clock changes a pixel now and then
        textured |= (2 * np.sum(changes, axis=0, dtype=np.uint8) > len(changes)).astype(np.uint8)
    glyphs = _share((contrast >= EDGE).astype(np.uint8), TEXT_WINDOW)
    textured[glyphs > GLYPH_SHARE * np.maximum(_share(textured, TEXT_WINDOW), 1e-3)] = 0
    dense = _share(cv2.morphologyEx(textured, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), DENSE_WINDOW) > DENSE
    return dense.astype(np.uint8), (contrast >= MARK).astype(np.uint8)


def _share(marks: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Share of marked pixels within a window of ``side`` around each; beyond the picture it goes on as at its edge."""
    return np.asarray(cv2.boxFilter(marks, cv2.CV_32F, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)
