"""Polygons: filling, overlap, clipping to a box, convex hulls. Coordinates are pixel edges: x and y, float."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Polygon = NDArray[np.float64]

FRACTION = 4
"""Bits of a pixel's fraction that OpenCV is given."""
FARTHEST = 20_000
"""Coordinates beyond this are cut off: OpenCV's polygons have 16 bits before the fraction."""


def filled(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Mask (height, width) uint8 1 or 0 of the pixels whose centres lie within a polygon in pixel edges."""
    mask = np.zeros(shape, np.uint8)
    points = np.clip(polygon - 0.5, -FARTHEST, FARTHEST)
    cv2.fillPoly(mask, [np.round(points * (1 << FRACTION)).astype(np.int32)], 1, shift=FRACTION)
    return mask


def overlap(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Intersection over union of two masks (H, W), 1 or 0; 0 where both are empty."""
    union = cv2.countNonZero(a | b)
    return cv2.countNonZero(a & b) / union if union else 0.0


def clip(polygon: Polygon, left: float, top: float, right: float, bottom: float) -> Polygon:
    """Clip a polygon to a box, side after side (Sutherland and Hodgman); it may come out empty, (0, 2)."""
    for axis, limit, sign in ((0, left, 1), (0, right, -1), (1, top, 1), (1, bottom, -1)):
        if np.isinf(limit) or not len(polygon):
            continue
        kept: list[NDArray[np.float64]] = []
        for before, point in zip(np.roll(polygon, 1, axis=0), polygon, strict=True):
            inside, was_inside = sign * (point[axis] - limit) >= 0, sign * (before[axis] - limit) >= 0
            if inside != was_inside:
                share = (limit - before[axis]) / (point[axis] - before[axis])
                kept.append(before + share * (point - before))
            if inside:
                kept.append(point)
        polygon = np.array(kept, np.float64).reshape(-1, 2)
    return polygon


def hull(mask: NDArray[np.uint8]) -> Polygon:
    """Convex hull, (n, 2) in pixel edges, of a mask (H, W) that is not empty."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    points = np.concatenate([np.asarray(one).reshape(-1, 2) for one in outlines])
    corners = np.concatenate([points + offset for offset in ((0, 0), (1, 0), (0, 1), (1, 1))])
    return np.asarray(cv2.convexHull(corners.astype(np.int32)), np.float64).reshape(-1, 2)
