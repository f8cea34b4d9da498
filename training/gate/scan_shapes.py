"""Scan shapes: a rectangular scan as a sector, a trapezoid or a parallelogram on black, and any of them as a rectangle.

The shape that a probe scans says nothing of the organ: what the anatomy gate learns is shown in all shapes. Evaluation
bends by other mathematics (`training.evaluation.second_bender`). Pictures are (H, W) uint8 grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

BLACK = 12
"""Grey values up to this are the black around a scan."""
NARROW = 0.12
"""Rows of a scan that are narrower than this share of its widest row are left out when it is straightened."""


def to_sector(rng: np.random.Generator, picture: Grey) -> Grey:
    """Bend the picture into the sector of a curved or phased probe, at a random opening angle, on black.

    Takes (H, W) uint8 grey, returns the same of another size.
    """
    half = rng.uniform(0.2, 0.85)
    face = float(np.exp(rng.uniform(np.log(0.03), np.log(4.0))))
    side = int(rng.integers(220, 520))
    wide = 2 * (1 + face) * np.sin(half)
    y, x = np.mgrid[0 : 1.0 + face * (1 - np.cos(half)) : side * 1j, -wide / 2 : wide / 2 : int(side * wide) * 1j]
    y = y + face * np.cos(half)
    angle, radius = np.arctan2(x, y), np.hypot(x, y) - face
    return _sampled(picture, (angle / half + 1) / 2, radius)


def to_trapezoid(rng: np.random.Generator, picture: Grey) -> Grey:
    """Widen the picture with depth, as the virtual convex mode of a linear probe does, on black.

    Depth stays depth, or sags towards the sides. Takes (H, W) uint8 grey, returns the same of another size.
    """
    h, w = picture.shape
    spread = rng.uniform(0.12, 1.3)
    left = rng.uniform(0.3, 0.7) if rng.random() < 0.4 else 0.5
    sag = rng.uniform(0.0, 0.12) if rng.random() < 0.6 else 0.0
    width = int(w * (1 + spread))
    y, x = np.mgrid[0 : 1 : h * 1j, -spread * left : 1 + spread * (1 - left) : width * 1j]
    across = (x + spread * left * y) / (1 + spread * y)
    depth = y + sag * y * (2 * across - 1) ** 2
    return _sampled(picture, across, depth)


def steer(rng: np.random.Generator, picture: Grey) -> Grey:
    """Shear the picture into the parallelogram of steered beams, to the left or to the right, on black.

    Takes (H, W) uint8 grey, returns the same of another size.
    """
    h, w = picture.shape
    lean = rng.uniform(0.08, 0.6) * rng.choice((-1.0, 1.0))
    run = abs(lean) * h / w
    low = -run if lean < 0 else 0.0
    y, x = np.mgrid[0 : 1 : h * 1j, low : low + 1 + run : int(w * (1 + run)) * 1j]
    return _sampled(picture, x - lean * h / w * y, y)


def _sampled(picture: Grey, across: NDArray[np.floating], depth: NDArray[np.floating]) -> Grey:
    """Picture at places given as shares of its width and height; black where they lie outside of 0 to 1."""
    h, w = picture.shape
    inside = (across >= 0) & (across <= 1) & (depth >= 0) & (depth <= 1)
    column = np.where(inside, across * (w - 1), -10).astype(np.float32)
    row = np.where(inside, depth * (h - 1), -10).astype(np.float32)
    bent: Grey = cv2.remap(picture, column, row, cv2.INTER_LINEAR)
    return bent


SHAPES = (to_sector, to_trapezoid, steer)
"""Shapes that a rectangular scan can be bent into."""


def reshaped(rng: np.random.Generator, picture: Grey) -> Grey:
    """Bend the picture into a random one of `SHAPES`. (H, W) uint8 grey."""
    return SHAPES[int(rng.integers(len(SHAPES)))](rng, picture)


def straighten(picture: Grey) -> Grey:
    """Stretch a scan of any shape on black into a rectangle: every row to its full width, then every column.

    Rows that are far narrower than the widest are left out: the tip of a sector. What is no scan, words beside it say,
    is left out as well. (H, W) uint8 grey; a picture without a scan area comes back as it is.
    """
    area = _scan_area(picture)
    if area is None:
        return picture
    rows = _stretched(picture, area)
    turned = _stretched(np.ascontiguousarray(rows[0].T), np.ascontiguousarray(rows[1].T))
    out: Grey = np.ascontiguousarray(turned[0].T)
    return out


def _scan_area(picture: Grey) -> Grey | None:
    """Convex hull of the largest connected bright part, 0/1 (H, W); None where hardly anything is bright."""
    side = max(3, min(picture.shape) // 40) | 1
    bright = (cv2.GaussianBlur(picture, (0, 0), side / 3) > BLACK).astype(np.uint8)
    closed = cv2.morphologyEx(bright, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < 0.02 * picture.size:
        return None
    contours: Any = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    hull = cv2.convexHull(np.concatenate(contours))
    area = np.zeros(picture.shape, np.uint8)
    cv2.fillConvexPoly(area, hull, 1)
    return area


def _stretched(picture: Grey, area: Grey) -> tuple[Grey, Grey]:
    """Picture and area with every row stretched from the area's left edge to its right; narrow rows are left out."""
    first = area.argmax(axis=1).astype(np.float32)
    last = area.shape[1] - 1 - area[:, ::-1].argmax(axis=1).astype(np.float32)
    width = np.where(area.any(axis=1), last - first + 1, 0)
    kept = np.flatnonzero(width >= NARROW * width.max())
    share = np.linspace(0, 1, max(16, int(np.median(width[kept]))), dtype=np.float32)[None, :]
    column = first[kept, None] + share * (width[kept, None] - 1).astype(np.float32)
    row = np.repeat(kept[:, None].astype(np.float32), share.shape[1], axis=1)
    column = np.ascontiguousarray(column, np.float32)
    moved: Grey = cv2.remap(picture, column, row, cv2.INTER_LINEAR)
    moved_area: Grey = cv2.remap(area, column, row, cv2.INTER_NEAREST)
    return moved, moved_area
