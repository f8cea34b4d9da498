"""Measures of a lesion, lengths and areas in millimetres, only where a calibration holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box, Point, Region

COVERED = 0.95
"""Share of the outline that must lie inside a calibrated region: a pixel's rounding at its edge is no objection."""
AGREE = 0.01
"""Two regions over one lesion may differ in scale by this much before neither is believed."""
UNSURE = 4.0
"""Half-width of a long axis's error over the axis itself, for each unit that the mask's presence lacks of 1. So that
the interval holds the axis of what people drew in nine of ten lesions at hospitals that a model never saw."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Axes and area of one outline in millimetres."""

    long_axis_mm: float
    """Largest distance between two points of the outline: the calliper (Feret) diameter."""
    short_axis_mm: float
    """Extent of the outline at right angles to the long axis."""
    area_mm2: float
    uncertainty_mm: float
    """Half-width of the error of one axis, see `measure`."""


def calibration_for(
    outline: NDArray[np.float64] | Sequence[Point], regions: Iterable[Region], box: Box
) -> Region | None:
    """Calibrated region that this outline may be measured by; None if there is none to trust.

    It must hold the centre of the outline's bounds and at least `COVERED` of its points. Where two regions hold it
    and disagree (an inset over the main picture), it is not known which of them is on top: then None.

    Args:
        outline: (n, 2) float, pixels of the source picture.
        regions: as the source gave them.
        box: (x, y, w, h), whole pixels around the outline.
    """
    holding = [region for region in regions if region.calibrated and _holds(region, outline, box)]
    if not holding:
        return None
    if len(holding) > 1:
        for values in ([r.mm_x or 0.0 for r in holding], [r.mm_y or 0.0 for r in holding]):
            if max(values) > min(values) * (1 + AGREE):
                return None
    return holding[0]


def _holds(region: Region, outline: NDArray[np.float64] | Sequence[Point], box: Box) -> bool:
    """Whether ``region`` holds the centre of the outline's bounds and enough of its points."""
    x, y, w, h = region.box
    if x <= box[0] and y <= box[1] and box[0] + box[2] <= x + w and box[1] + box[3] <= y + h:
        return True  # all of it: nearly always, and no point needs to be looked at
    points = np.asarray(outline)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    if not (x <= (left + right) / 2 <= x + w and y <= (top + bottom) / 2 <= y + h):
        return False
    inside = ((points >= (x, y)) & (points <= (x + w, y + h))).all(axis=1)
    return bool(inside.mean() >= COVERED)


def measure(
    outline: NDArray[np.float64], mm_x: float, mm_y: float, cell: tuple[float, float], area: float, score: float
) -> Measure:
    """Measure the axes and area of a closed outline in millimetres.

    The uncertainty is the greater of two. What the mask's grid brings in: the true edge may lie half a mask cell to
    either side of where it was drawn, at both ends of an axis, which makes one whole cell at worst; the coarser axis
    counts. And how far the model's outlines and people's were apart: the less sure of its mask, the further (`UNSURE`).
    It does not cover a lesion that is not one, or half of one.

    Args:
        outline: (n, 2) float, n >= 3, pixels of the source picture, first point not repeated.
        mm_x: width of a source pixel in millimetres.
        mm_y: height of a source pixel in millimetres.
        cell: (width, height) of one mask cell in source pixels.
        area: of the outline in source pixels squared, see `polygon_area`.
        score: presence of the lesion, 0 to 1: mean of the mask inside the outline.
    """
    places = outline * (mm_x, mm_y)
    axes = places.T.copy()
    apart = axes[:, :, None] - axes[:, None, :]
    apart *= apart
    squared = apart[0] + apart[1]
    first, second = divmod(int(squared.argmax()), len(places))
    long_axis = math.sqrt(squared[first, second])
    unit = max(long_axis, 1e-12)
    (x1, y1), (x2, y2) = places[first].tolist(), places[second].tolist()
    across = (places @ np.array(((y2 - y1) / unit, (x1 - x2) / unit))).tolist()
    return Measure(
        long_axis_mm=long_axis,
        short_axis_mm=max(across) - min(across),
        area_mm2=area * mm_x * mm_y,
        uncertainty_mm=max(cell[0] * mm_x, cell[1] * mm_y, UNSURE * (1 - score) * long_axis),
    )


def near_origin(outline: NDArray[np.float64]) -> NDArray[np.float32]:
    """The outline, (n, 2) float, moved to begin at (0, 0): so large coordinates cost sums of them no precision."""
    near: NDArray[np.float32] = (outline - outline[0]).astype(np.float32)
    return near


def polygon_area(near: NDArray[np.float32]) -> float:
    """Area that an outline (n, 2) encloses, moved by `near_origin`, in its unit squared; in either direction."""
    return float(abs(cv2.contourArea(near)))


def polygon_centre(outline: NDArray[np.float64], near: NDArray[np.float32]) -> tuple[float, float]:
    """Centre of mass (x, y) of the area that an outline encloses; of its points, (n, 2) float, if it has none.

    ``near`` is the outline, moved by `near_origin`.
    """
    sums = cv2.moments(near)
    if abs(sums["m00"]) < 1e-6:
        x, y = outline.mean(axis=0).tolist()
        return x, y
    x, y = outline[0].tolist()
    return sums["m10"] / sums["m00"] + x, sums["m01"] / sums["m00"] + y
