"""Finder of scan areas: the outlines of the scans that a screen shows, by texture and change. Never guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.region import Region
from edge.scan_area.parts import SMALLEST, scan_parts
from edge.scan_area.polygon import clip
from edge.scan_area.edge_refine import refine
from edge.scan_area.scan_model import ScanModel
from edge.scan_area.shape_fit import fit_shape, hull_shape
from edge.scan_area.texture import reduced, reduction, speckle_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.scan_area.polygon import Polygon

SMALLEST_IN_REGION = 0.004
"""Smallest scan within a region that the source gives: it says that there is one, and it may be dark all but its tip."""
REACH = 8
"""Pixels by which sides are refined, beside what the reduction makes: a codec's block."""


def find_scan_regions(frames: Sequence[NDArray[np.uint8]], smallest: float = SMALLEST) -> tuple[Region, ...]:
    """Find the scans on a screen.

    Args:
        frames: pictures of one stream, oldest first, all of one size: (H, W) grey or (H, W, 3) RGB, uint8. One will do;
            with several it counts where the picture changed between them.
        smallest: least area of a scan, as a share of the picture's.

    Returns:
        One region a scan, the largest first, each with ``outline``, ``shape``, the box around it and ``source="detected"``;
        empty: there is none, or it cannot be told where it is.
    """
    height, width = frames[-1].shape[:2]
    factor = reduction(height, width)
    if min(height, width) < 8 * factor:
        return ()
    speckle, marks = speckle_map([reduced(pixels, factor) for pixels in frames])
    found = []
    for part in scan_parts(speckle, smallest):
        fitted = fit_shape(part, marks)
        if fitted is not None:
            found.append(_region(fitted, frames[-1], factor))
    return tuple(region for region in found if region is not None)


def _region(fitted: ScanModel | Polygon, pixels: NDArray[np.uint8], factor: int) -> Region | None:
    """Region in pixels of the source picture; None if nothing is left of it there."""
    height, width = pixels.shape[:2]
    if isinstance(fitted, ScanModel):
        model = refine(fitted.scaled(factor), pixels, REACH + 3 * factor)
        outline, shape = model.outline(), model.shape
    else:
        outline, shape = fitted * factor, hull_shape(fitted)
    outline = clip(outline, 0, 0, width, height)
    if len(outline) < 3:
        return None
    # The last pixel of a polygon in pixels belongs to it, the far edge of that pixel is one further.
    points = np.clip(np.round(outline - 0.5), 0, (width - 1, height - 1)).astype(int)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    kept = [tuple(point) for point, before in zip(points.tolist(), np.roll(points, 1, axis=0).tolist()) if point != before]
    if len(kept) < 3:
        return None
    box = (left, top, right - left + 1, bottom - top + 1)
    return Region(box=box, source="detected", outline=tuple(kept), shape=shape)


def tighten_regions(frames: Sequence[NDArray[np.uint8]], regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """Give each region of a source an outline, found by the pixels within its box; box and millimetres stay.

    A region in which nothing is found keeps none. ``frames``: as for `find_scan_regions`.
    """
    height, width = frames[-1].shape[:2]
    tightened = []
    for region in regions:
        left, top, right, bottom = _within(region.box, width, height)
        inside = [pixels[top:bottom, left:right] for pixels in frames]
        found = find_scan_regions(inside, SMALLEST_IN_REGION) if right > left and bottom > top else ()
        if found and found[0].outline is not None:
            outline = tuple((x + left, y + top) for x, y in found[0].outline)
            region = msgspec.structs.replace(region, outline=outline, shape=found[0].shape)
        tightened.append(region)
    return tuple(tightened)


def _within(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a box, clipped to the picture."""
    x, y, w, h = box
    return max(0, x), max(0, y), min(width, x + w), min(height, y + h)
