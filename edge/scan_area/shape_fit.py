"""Shape fit: the sector, curved, linear or trapezoid outline that a part of a speckle map belongs to.

Edges are fitted to the part's sides; where two lean apart, they meet in an apex, and top and bottom are arcs around it or
straight. What the fit explains badly keeps its convex hull, which all of the four shapes have but for the probe's face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from edge.scan_area.polygon import clip, filled, hull, overlap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import ScanShape

    Values = NDArray[np.float64]

UPRIGHT = 0.045
"""Slope of a side, in columns a row, up to which it is vertical."""
FITS = 0.9
"""Least overlap of a fitted outline with the part's hull."""
POINTED = 0.12
"""A sector's face, as a share of its radius; from more on it is a curved array's."""
SOLID = 0.6
"""Least share of the hull that a part fills: less is no scan that could be told."""
ARC_POINTS = 24


@dataclass(frozen=True, slots=True, eq=False)
class FittedShape:
    """Outline of a scan in pixel edges of the searched picture, (n, 2), and its shape."""

    outline: Values
    shape: ScanShape


def fit_shape(part: NDArray[np.uint8]) -> FittedShape | None:
    """Fit an outline to a part, (h, w) uint8 1 or 0. None: it is too ragged for one."""
    around = hull(part)
    convex = filled(around, part.shape[:2])
    area = int(part.sum())
    if area < SOLID * int(convex.sum()):
        return None
    best = max(_candidates(part, convex), key=lambda one: _score(one, part, convex), default=None)
    if best is not None and _score(best, part, convex) >= FITS:
        return best
    return FittedShape(around, best.shape if best is not None else "linear")


def _score(fitted: FittedShape, part: NDArray[np.uint8], convex: NDArray[np.uint8]) -> float:
    """Overlap with the part, or with its hull where the part is ragged."""
    mask = filled(fitted.outline, part.shape[:2])
    return max(overlap(mask, part), overlap(mask, convex))


def _candidates(part: NDArray[np.uint8], convex: NDArray[np.uint8]) -> list[FittedShape]:
    rows = np.flatnonzero(convex.any(axis=1))
    columns = np.flatnonzero(convex.any(axis=0))
    left, top, right, bottom = (float(v) for v in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
    box = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    found = [FittedShape(box, "linear")]
    sides = _sides(convex, rows)
    if sides is None:
        return found
    (left_at, left_slope), (right_at, right_slope) = sides
    if max(-left_slope, right_slope) < UPRIGHT:
        return found
    if right_slope - left_slope < UPRIGHT:
        return found
    apex_y = (left_at - right_at) / (right_slope - left_slope)
    apex = (left_at + left_slope * apex_y, apex_y)
    angles = (np.arctan(left_slope), np.arctan(right_slope))
    slanted = [_trapezoid(apex, (left_slope, right_slope), top, bottom), _fan(part, convex, apex, angles)]
    for shape in slanted:
        if shape is not None:
            outline = clip(shape.outline, left, top, right, bottom)
            if len(outline) >= 3:
                found.append(FittedShape(outline, shape.shape))
    return found


def _sides(convex: NDArray[np.uint8], rows: NDArray[np.intp]) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Left and right edge as (column at row 0, columns a row); None if one is too short to tell."""
    width = convex.shape[1]
    first = convex[rows].argmax(axis=1).astype(np.float64)
    last = width - convex[rows][:, ::-1].argmax(axis=1).astype(np.float64)
    left = _side(rows + 0.5, first, first > 1)
    right = _side(rows + 0.5, -last, last < width - 1)
    return None if left is None or right is None else (left, (-right[0], -right[1]))


def _side(rows: Values, edge: Values, free: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Line of a left edge, from the top to where it is leftmost; ``free``: not at the picture's own edge."""
    upper = np.arange(len(rows)) <= int(np.flatnonzero(edge <= edge.min() + 1)[-1])
    if (free & upper).sum() >= 0.15 * len(rows):
        upper &= free  # a fan that the picture's edge cuts: only what it has not cut tells its slope
    rows, edge = rows[upper], edge[upper]
    skipped = len(rows) // 8  # corners are rounded
    rows, edge = rows[skipped : len(rows) - skipped], edge[skipped : len(edge) - skipped]
    if len(rows) < 6:
        return None
    kept = np.ones(len(rows), bool)
    slope = at = 0.0
    for _ in range(3):
        slope, at = np.polyfit(rows[kept], edge[kept], 1)
        off = np.abs(edge - (at + slope * rows))
        kept = off <= max(1.0, 2 * float(np.median(off)))
        if kept.sum() < 6:
            return None
    return float(at), float(slope)


def _trapezoid(apex: tuple[float, float], slopes: tuple[float, float], top: float, bottom: float) -> FittedShape:
    x, y = apex
    ends = [(x + slope * (row - y), row) for row in (top, bottom) for slope in slopes]
    return FittedShape(np.array([ends[0], ends[1], ends[3], ends[2]]), "trapezoid")


def _fan(
    part: NDArray[np.uint8], convex: NDArray[np.uint8], apex: tuple[float, float], angles: tuple[float, float]
) -> FittedShape | None:
    """Part of a ring around ``apex`` between two angles; the face's edge is that of the part, the far one the hull's."""
    turns = np.linspace(angles[0], angles[1], ARC_POINTS + 4)[2:-2]
    longest = float(np.hypot(*convex.shape)) + abs(apex[1])
    radii = np.arange(0.5, longest, 1.0)
    near, far = [], []
    for turn in turns:
        x, y = (apex[0] + radii * np.sin(turn)).astype(np.intp), (apex[1] + radii * np.cos(turn)).astype(np.intp)
        within = (x >= 0) & (y >= 0) & (x < part.shape[1]) & (y < part.shape[0])
        inner = np.flatnonzero(part[y[within], x[within]])
        outer = np.flatnonzero(convex[y[within], x[within]])
        if len(inner) and len(outer):
            near.append(float(radii[within][inner[0]]) - 0.5)
            far.append(float(radii[within][outer[-1]]) + 0.5)
    if len(near) < ARC_POINTS // 2:
        return None
    face, end = float(np.median(near)), float(np.percentile(far, 75))
    shape = "sector" if face < POINTED * end else "curved"
    if shape == "sector":
        face = 0.0 if face < 0.06 * end else face
    sweep = np.linspace(angles[0], angles[1], ARC_POINTS)
    arcs = [np.stack([apex[0] + r * np.sin(a), apex[1] + r * np.cos(a)], 1) for r, a in ((end, sweep), (face, sweep[::-1]))]
    outline = np.concatenate(arcs) if face else np.concatenate([arcs[0], [apex]])
    return FittedShape(outline, cast("ScanShape", shape))
