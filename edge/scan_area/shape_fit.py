"""Shape fit: the sector, curved, linear or trapezoid scan that a part of a speckle map belongs to.

Edges are fitted to the part's sides; where two lean apart, they meet in an apex, and top and bottom are straight or
arcs around it. What no model explains keeps its convex hull: all of the four shapes have it but for a curved face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.scan_area.polygon import filled, hull, overlap
from edge.scan_area.scan_model import ScanModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import ScanShape
    from edge.scan_area.polygon import Polygon

    Line = tuple[float, float]
    Values = NDArray[np.float64]

UPRIGHT = 0.045
"""Slope of a side, in columns a row, up to which it is vertical."""
FITS = 0.9
"""Least overlap of a model with the part or its hull."""
FITS_DARK = 0.75
"""The same, where all that the model adds to the hull is empty: a dark corner of the scan, and no text."""
COVERS = 0.95
"""Least share of the part that lies within a model: the rest are bulges of text, and never a piece of the scan."""
EMPTY = 0.002
"""Largest share of marks in what is empty."""
SOLID = 0.6
"""Least share of the hull that a part fills: less is no scan that could be told."""
MIXED = 0.01
"""What a model of one arc and one straight side must be better by: it is rarer than the others."""
OUTER = 20
"""Percentile of the rows' first pixels at which a vertical side lies."""
TURNS = 24
"""Rays on which the arcs are looked for."""
PAIRS = 12
"""Rows at either end of a side, from which lines are drawn on trial."""
ON_LINE = 1.5
"""Pixels by which a row's edge may miss the line that it is counted for."""


def fit_shape(part: NDArray[np.uint8], marks: NDArray[np.uint8]) -> ScanModel | Polygon | None:
    """Fit a scan to a part, (h, w) uint8 1 or 0: its model, else its hull. None: it is too ragged for either.

    ``marks``, (h, w) uint8 1 or 0: where there is something that could be read.
    """
    around = hull(part)
    convex = filled(around, part.shape[:2])
    if int(part.sum()) < SOLID * int(convex.sum()):
        return None
    best, best_score = None, 0.0
    for model in _candidates(part):
        score = _score(model, part, convex, marks)
        if score > best_score:
            best, best_score = model, score
    return around if best is None else best


def _score(model: ScanModel, part: NDArray[np.uint8], convex: NDArray[np.uint8], marks: NDArray[np.uint8]) -> float:
    """Overlap with the part, which tells models apart; 0: the model fits neither the part nor its hull."""
    outline = model.outline()
    if len(outline) < 3:
        return 0.0
    mask = filled(outline, part.shape[:2])
    if int((mask & part).sum()) < COVERS * int(part.sum()):
        return 0.0
    score = overlap(mask, part)
    fits = max(score, overlap(mask, convex))
    if fits < FITS:
        added = mask & (1 - convex)
        if fits < FITS_DARK or int((added & marks).sum()) > EMPTY * max(int(added.sum()), 1):
            return 0.0
    return score - MIXED * (model.near_round != model.far_round)


def _candidates(part: NDArray[np.uint8]) -> list[ScanModel]:
    """Models to choose from, the simplest first: of equal ones the first is taken."""
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    bounds = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    width, height = part.shape[1], part.shape[0]
    lefts, rights = _first(part[rows]), width - _first(part[rows][:, ::-1])
    tops, bottoms = _first(part[:, columns].T), height - _first(part[::-1, columns].T)
    # What bulges out at a few rows is no side, nor are the few that hardly reach it.
    left, top = (float(np.percentile(edge, OUTER)) for edge in (lefts, tops))
    right, bottom = (float(np.percentile(edge, 100 - OUTER)) for edge in (rights, bottoms))
    found = [ScanModel((left, 0.0), (right, 0.0), top, bottom)]
    first, last = _side(rows, lefts), _side(rows, width - rights)
    if first is None or last is None:
        return found
    last = (width - last[0], -last[1])
    if max(-first[1], last[1]) < UPRIGHT or last[1] - first[1] < UPRIGHT:
        return found
    found.append(ScanModel(first, last, top, bottom).cut_to(*bounds))
    arcs = _arcs(part, ScanModel(first, last, top, bottom))
    if arcs is not None:
        near, far = arcs
        fan = ScanModel(first, last, near, far, near_round=True, far_round=True)
        found += [fan.cut_to(*bounds), ScanModel(first, last, top, far, far_round=True).cut_to(*bounds)]
    return found


def _first(lines: NDArray[np.uint8]) -> Values:
    """Index of the first mark in each line (n, length); there is one in each."""
    first: Values = lines.argmax(axis=1).astype(np.float64)
    return first


def _side(rows: NDArray[np.intp], edge: Values) -> Line | None:
    """Line that most rows' left edges lie on, (column at row 0, columns a row); None if it is too short to tell."""
    free = edge > 1
    if free.sum() >= 0.15 * len(rows):  # a fan that the picture's edge cuts: only what it has not cut tells its slope
        rows, edge = rows[free], edge[free]
    if len(rows) < 12:
        return None
    y = rows + 0.5
    upper = np.linspace(len(y) // 16, len(y) * 6 // 10, PAIRS).astype(np.intp)[:, None]
    lower = np.linspace(len(y) * 3 // 10, len(y) - 1 - len(y) // 16, PAIRS).astype(np.intp)[None, :]
    apart = np.abs(lower - upper) > len(y) // 5
    slope = ((edge[lower] - edge[upper]) / np.where(apart, y[lower] - y[upper], 1.0))[apart]
    at = (edge[upper] - 0 * lower)[apart] - slope * (y[upper] - 0 * lower)[apart]
    off = np.abs(edge[None, :] - at[:, None] - slope[:, None] * y[None, :])
    best = int((off <= ON_LINE).sum(axis=1).argmax())
    on_line = off[best] <= ON_LINE
    if on_line.sum() < max(8, 0.2 * len(y)):
        return None
    fitted = np.polyfit(y[on_line], edge[on_line], 1)
    return float(fitted[1]), float(fitted[0])


def _arcs(part: NDArray[np.uint8], model: ScanModel) -> tuple[float, float] | None:
    """Radii of the probe's face and of the far end; None if too few rays from the apex meet the part."""
    apex, height, width = model.apex, part.shape[0], part.shape[1]
    turns = np.linspace(*model.angles(), TURNS + 4)[2:-2]
    radii = np.arange(0.5, min(float(np.hypot(height, width)) + abs(apex[1]), 8.0 * max(height, width)), 1.0)
    x = np.floor(apex[0] + radii * np.sin(turns)[:, None]).astype(np.intp)
    y = np.floor(apex[1] + radii * np.cos(turns)[:, None]).astype(np.intp)
    within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    inside = (part[np.where(within, y, 0), np.where(within, x, 0)] != 0) & within
    met = inside.any(axis=1)
    if met.sum() < TURNS // 2:
        return None
    near = radii[inside[met].argmax(axis=1)] - 0.5
    far = radii[len(radii) - 1 - inside[met][:, ::-1].argmax(axis=1)] + 0.5
    return float(np.median(near)), float(np.percentile(far, 75))


def hull_shape(outline: Polygon) -> ScanShape:
    """Name the shape of a convex hull that no model explained: by how wide it is at a quarter and three quarters."""
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    mask = filled(outline - (left, top), (int(bottom - top), int(right - left)))
    upper, lower = (int(mask[len(mask) * quarter // 4].sum()) for quarter in (1, 3))
    return "linear" if upper > 0.85 * lower else "curved"
