"""Crop of a picture: which part of it the model is given, by regions, or by what is bright; what it leaves unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box, Region

CELL = 8
"""Side in pixels of the cells that are looked at: single bright pixels (text, a marker) make no crop."""
MAX_PARTS = 8
"""Most parts that are returned, the largest ones: the rest is text and specks."""


def clip_box(box: Box, width: int, height: int) -> Box | None:
    """Clip ``box`` to the picture; None if nothing is left. Some scanners write regions larger than the picture."""
    x0, y0 = max(0, box[0]), max(0, box[1])
    x1, y1 = min(width, box[0] + box[2]), min(height, box[1] + box[3])
    return (x0, y0, x1 - x0, y1 - y0) if x1 > x0 and y1 > y0 else None


def largest_region(regions: tuple[Region, ...], width: int, height: int) -> Region | None:
    """Region that covers most of the picture, its box clipped to it; None if there is none.

    What was found in the pixels does not count: a recipe finds its own crop, which its bundle's hash holds fast.
    """
    clipped = [(b, r) for r in regions if r.source != "detected" and (b := clip_box(r.box, width, height)) is not None]
    if not clipped:
        return None
    box, region = max(clipped, key=lambda item: item[0][2] * item[0][3])
    return type(region)(box=box, mm_x=region.mm_x, mm_y=region.mm_y, source=region.source)


def find_crop(grey: NDArray[np.uint8], background: int) -> Box:
    """Bounding box of the largest connected part that is brighter than ``background``.

    Args:
        grey: (H, W) uint8.
        background: grey values up to this are background.

    Returns:
        (x, y, w, h) in pixels; the whole picture if nothing stands out, or if what does is under a tenth of it
        (then it is for the pixel gate to refuse the picture, not for the crop).
    """
    height, width = grey.shape
    parts = bright_parts(grey, background)
    if not parts or parts[0][1] * 10 < (height // CELL) * (width // CELL):
        return (0, 0, width, height)
    return parts[0][0]


def unseen_share(grey: NDArray[np.uint8], regions: tuple[Region, ...], crop: Box, background: int) -> float:
    """Area of the largest part with scan data that lies outside of ``crop``, as a share of the crop's area.

    Two views side by side are one picture; only one of them is judged, and no one may take it for both.

    Args:
        grey: (H, W) uint8.
        regions: of the frame; empty: parts are looked for as the crop was.
        crop: (x, y, w, h), what is judged.
        background: grey values up to this are background.
    """
    height, width = grey.shape
    clipped = [clip_box(region.box, width, height) for region in regions if region.source != "detected"]
    boxes = [box for box in clipped if box is not None] or [box for box, _ in bright_parts(grey, background)]
    return max((_area_outside(box, crop) for box in boxes), default=0) / (crop[2] * crop[3])


def bright_parts(grey: NDArray[np.uint8], background: int) -> list[tuple[Box, int]]:
    """Find connected parts brighter than ``background`` in (H, W) uint8 grey.

    Returns box in pixels and area in cells of each, the largest first, at most `MAX_PARTS`.
    """
    height, width = grey.shape
    rows, cols = height // CELL, width // CELL
    if rows < 2 or cols < 2:
        return []
    cells = grey[: rows * CELL, : cols * CELL]
    for factor in (4, 2, 1):  # halving three times is bit-equal on every machine, and quick
        cells = cv2.resize(cells, (cols * factor, rows * factor), interpolation=cv2.INTER_AREA)
    bright = (cells > background).astype(np.uint8)
    bright = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    parts = []
    for x, y, w, h, area in sorted(stats[1:].tolist(), key=lambda part: -part[4])[:MAX_PARTS]:
        # A cell at the edge may stand for a remainder narrower than a cell.
        right = width if x + w == cols else (x + w) * CELL
        bottom = height if y + h == rows else (y + h) * CELL
        parts.append(((x * CELL, y * CELL, right - x * CELL, bottom - y * CELL), area))
    return parts


def _area_outside(box: Box, crop: Box) -> int:
    """Pixels of ``box`` that ``crop`` does not cover."""
    width = min(box[0] + box[2], crop[0] + crop[2]) - max(box[0], crop[0])
    height = min(box[1] + box[3], crop[1] + crop[3]) - max(box[1], crop[1])
    return box[2] * box[3] - max(0, width) * max(0, height)
