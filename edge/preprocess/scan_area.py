"""Which part of a picture holds the scan, when the source does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.geometry import Box, Region

CELL = 8
"""Side in pixels of the cells that are looked at: single bright pixels (text, a marker) do not make a scan area."""


def clip_box(box: Box, width: int, height: int) -> Box | None:
    """``box`` cut to the picture; None if nothing is left. Some scanners write regions larger than the picture."""
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(width, box[0] + box[2]), min(height, box[1] + box[3])
    return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


def largest_region(regions: tuple[Region, ...], width: int, height: int) -> Region | None:
    """The region that covers most of the picture, its box clipped to it; None if there is none."""
    clipped = [(b, r) for r in regions if (b := clip_box(r.box, width, height)) is not None]
    if not clipped:
        return None
    box, region = max(clipped, key=lambda item: item[0][2] * item[0][3])
    return type(region)(box=box, mm_x=region.mm_x, mm_y=region.mm_y, source=region.source)


def find_scan_area(grey: NDArray[np.uint8], background: int) -> Box:
    """Bounding box of the largest connected part that is brighter than ``background``.

    Args:
        grey: (H, W) uint8.
        background: grey values up to this are background.

    Returns:
        (x, y, w, h) in pixels; the whole picture if nothing stands out, or if what does is under a tenth of it
        (then the picture is the gate's business, not the crop's).
    """
    height, width = grey.shape
    rows, cols = height // CELL, width // CELL
    whole = (0, 0, width, height)
    if rows < 2 or cols < 2:
        return whole
    cells = grey[: rows * CELL, : cols * CELL]
    for factor in (4, 2, 1):  # halving three times is bit-equal on every machine, and quick
        cells = cv2.resize(cells, (cols * factor, rows * factor), interpolation=cv2.INTER_AREA)
    bright = (cells > background).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    if count < 2:
        return whole
    x, y, w, h, area = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))].tolist()
    if area * 10 < rows * cols:
        return whole
    # A cell at the edge may stand for a remainder narrower than a cell.
    right = width if x + w == cols else (x + w) * CELL
    bottom = height if y + h == rows else (y + h) * CELL
    return (x * CELL, y * CELL, right - x * CELL, bottom - y * CELL)
