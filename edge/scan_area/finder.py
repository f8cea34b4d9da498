"""Finder of scan areas: the outlines of the scans that a screen shows, by texture and change. Never guesses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.region import Region
from edge.scan_area.edge_refine import refine
from edge.scan_area.parts import SMALLEST, scan_parts
from edge.scan_area.polygon import clip
from edge.scan_area.scan_model import ScanModel
from edge.scan_area.shape_fit import fit_shape, hull_shape
from edge.scan_area.texture import reduced, reduction, speckle_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.scan_area.polygon import Polygon

    Pixels = NDArray[np.uint8]
    Bounds = tuple[int, int, int, int]

SMALLEST_IN_REGION = 0.0015
"""Smallest scan in a region that the source gives: it says that there is one, and all but its tip may be dark."""
REACH = 8
"""Pixels by which sides are refined, beside what the reduction makes: a codec's block."""
LEAST_SIDE = 24
"""Shorter side in reduced pixels of a picture in which anything is looked for."""


@dataclass(frozen=True, slots=True)
class FoundScan:
    """A scan that was found, and how well its sides were seen."""

    region: Region
    """With ``outline`` and ``shape``, the box around the outline, and ``source="detected"``."""
    sharp: bool
    """Whether all of its sides end sharply, so that its size is that of the scan, and not of what is bright in it."""
    depth_px: float
    """Pixels from the probe's face to the far end; 0 where only a hull was found."""


def find_scan_regions(frames: Sequence[Pixels]) -> tuple[Region, ...]:
    """Find the scans on a screen.

    Args:
        frames: pictures of one stream, oldest first, all of one size: (H, W) grey or (H, W, 3) RGB, uint8. One will do;
            with three or more it counts where the picture keeps changing.

    Returns:
        One region a scan, the largest first, each with ``outline``, ``shape`` and the box around it. Empty: there is
        none, or it cannot be told where it is.
    """
    factor = reduction(*frames[-1].shape[:2])
    return tuple(each.region for each in find_scans(frames[-1], [reduced(pixels, factor) for pixels in frames]))


def find_scans(pixels: Pixels, smalls: Sequence[Pixels]) -> list[FoundScan]:
    """Find the scans in a picture (H, W[, 3]), the largest first. ``smalls``: it and earlier ones, as `reduced`."""
    height, width = pixels.shape[:2]
    return _find(pixels, smalls, (0, 0, width, height), SMALLEST)


def tighten(pixels: Pixels, smalls: Sequence[Pixels], region: Region) -> FoundScan | None:
    """Find the largest scan within the box of a region that the source gives; None if there is none to be seen.

    The region found is the one given, with an outline: its box and its millimetres stay. Arguments as of `find_scans`.
    """
    height, width = pixels.shape[:2]
    found = _find(pixels, smalls, _within(region.box, width, height), SMALLEST_IN_REGION)
    if not found:
        return None
    seen = found[0].region
    return replace(found[0], region=msgspec.structs.replace(region, outline=seen.outline, shape=seen.shape))


def _find(pixels: Pixels, smalls: Sequence[Pixels], part: Bounds, smallest: float) -> list[FoundScan]:
    """Find scans within ``part`` of the picture: left, top, right, bottom in pixels."""
    left, top, right, bottom = part
    factor = reduction(*pixels.shape[:2])
    # Whole reduced pixels, of the same grid as the whole picture's.
    columns, rows = slice(-(-left // factor), -(-right // factor)), slice(-(-top // factor), -(-bottom // factor))
    searched = [np.ascontiguousarray(small[rows, columns]) for small in smalls]
    if min(searched[-1].shape) < LEAST_SIDE:
        return []
    speckle, marks = speckle_map(searched)
    found = []
    for mask in scan_parts(speckle, smallest):
        fitted = fit_shape(mask, marks)
        scan = None if fitted is None else _scan(fitted, pixels, factor, (columns.start, rows.start), part)
        if scan is not None:
            found.append(scan)
    return found


def _scan(
    fitted: ScanModel | Polygon, pixels: Pixels, factor: int, origin: tuple[int, int], part: Bounds
) -> FoundScan | None:
    """The scan in pixels of the source picture; None if nothing is left of it in ``part``.

    ``origin``: of the part that was searched, in reduced pixels.
    """
    if isinstance(fitted, ScanModel):
        model, sharp = refine(fitted.moved(*origin).scaled(factor), pixels, REACH + 3 * factor, factor + 2)
        outline, shape, depth_px = model.outline(), model.shape, model.depth_px
    else:
        outline, shape, sharp, depth_px = (fitted + origin) * factor, hull_shape(fitted), False, 0.0
    outline = clip(outline, *part)
    if len(outline) < 3:
        return None
    # Outlines are of pixels, all of which belong to them: the far edge of the last one is one further.
    points = np.clip(np.round(outline - 0.5), part[:2], (part[2] - 1, part[3] - 1)).astype(int).tolist()
    kept = [(x, y) for (x, y), before in zip(points, [points[-1], *points[:-1]], strict=True) if [x, y] != before]
    if len(kept) < 3:
        return None
    (left, top), (right, bottom) = np.min(kept, axis=0).tolist(), np.max(kept, axis=0).tolist()
    box = (left, top, right - left + 1, bottom - top + 1)
    return FoundScan(Region(box=box, source="detected", outline=tuple(kept), shape=shape), sharp, depth_px)


def _within(box: Box, width: int, height: int) -> Bounds:
    """Left, top, right and bottom of a box, clipped to the picture."""
    x, y, w, h = box
    left, top = min(max(0, x), width), min(max(0, y), height)
    return left, top, max(left, min(width, x + w)), max(top, min(height, y + h))
