"""Lesion segmentation from a probability mask: outlines, boxes and sizes on the source picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from edge.contracts import precision
from edge.contracts.results import Lesion
from edge.postprocess.measure import calibration_for, measure, near_origin, polygon_area, polygon_centre

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from edge.contracts.manifest import Thresholds
    from edge.contracts.region import Box, Region

MAX_POINTS = 64
"""Of an outline: a circle of so many corners lacks 0.2 % of its area."""
MAX_LESIONS = 8
"""A frame's best so many are reported: a mask that falls to pieces must not fill the outbox."""


class PicturePlacement(Protocol):
    """Place of the tensor in the source picture: `edge.preprocess.letterbox.Letterbox`."""

    @property
    def crop(self) -> Box:
        """Crop (x, y, w, h) in pixels of the source."""

    @property
    def inner(self) -> Box:
        """Box (x, y, w, h) of the resized crop in the tensor, in its pixels; what is outside is padding."""

    @property
    def scale(self) -> tuple[float, float]:
        """Tensor pixels for one source pixel, in x and y."""


def find_lesions(
    mask_prob: NDArray[np.float32],
    placement: PicturePlacement,
    thresholds: Thresholds,
    tensor_size: tuple[int, int],
    regions: Iterable[Region] = (),
) -> list[Lesion]:
    """Find all lesions of a mask, the surest first, at most `MAX_LESIONS`.

    The mask is brought to the tensor's resolution (bilinear), cut where it is at or over ``thresholds.lesion``, and
    taken apart into connected pieces. Each outline runs where the interpolated mask crosses the threshold.

    Args:
        mask_prob: (h, w) float32, 0 to 1; covers the whole tensor, padding included.
        placement: where the tensor lies in the source.
        thresholds: of the manifest.
        tensor_size: (width, height) of the input tensor in pixels.
        regions: of the frame; only a calibrated one that covers the lesion gives millimetres.
    """
    if float(mask_prob.max()) < thresholds.lesion:
        return []  # interpolation never exceeds its corners: nothing can be found
    width, height = tensor_size
    x, y, w, h = placement.inner
    field = cv2.resize(mask_prob, (width, height), interpolation=cv2.INTER_LINEAR)[y : y + h, x : x + w]
    least = max(1.0, thresholds.lesion_min_area * width * height)
    pieces: list[tuple[float, NDArray[np.int32]]] = []
    for border, part, (px, py, pw, ph) in connected_pieces((field >= thresholds.lesion).view(np.uint8)):
        if cv2.countNonZero(part) < least:
            continue
        score = float(cv2.mean(field[py : py + ph, px : px + pw], mask=part)[0])
        if score >= thresholds.lesion_score:
            pieces.append((score, border))
    pieces.sort(key=lambda piece: -piece[0])
    sx, sy = placement.scale
    cell = (width / mask_prob.shape[1] / sx, height / mask_prob.shape[0] / sy)
    found = []
    for score, border in pieces[:MAX_LESIONS]:
        outline = trace(border, field, thresholds.lesion) / (sx, sy) + np.array(placement.crop[:2])
        found.append(_lesion(outline, score, placement.crop, cell, regions))
    return found


def connected_pieces(inside: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.int32], NDArray[np.uint8], Box]]:
    """Connected pieces of a (H, W) uint8 mask, 8-connected: the border pixels, the piece alone and its box of each.

    Borders are (n, 1, 2) int32 places in ``inside``, outer ones only; a piece is (h, w) uint8, not 0 where it is, cut
    to its box (x, y, w, h).
    """
    borders, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if len(borders) == 1:  # nearly always: one piece, without a hole
        x, y, w, h = box = tuple(cv2.boundingRect(borders[0]))
        yield borders[0], inside[y : y + h, x : x + w], box
        return
    left, top, across, down = cv2.boundingRect(inside)  # what is outside of it need not be gone through
    if not borders:
        return  # what was over the threshold lies in the padding
    inside = inside[top : top + down, left : left + across]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    for number in range(1, count):
        x, y, w, h, _ = stats[number].tolist()
        part = (labels[y : y + h, x : x + w] == number).view(np.uint8)
        x, y = x + left, y + top
        (border,), _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(x, y))
        yield border, part, (x, y, w, h)


def trace(border: NDArray[np.int32], field: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    """Trace the outline of one connected piece of ``field >= level``, finer than a pixel, in `MAX_POINTS` at most.

    The centres of the border pixels are moved outwards along the gradient to where ``field`` meets ``level`` (one
    Newton step, at most a pixel); at the edge of the picture they are moved to that edge.

    Args:
        border: (n, 1, 2) int32, pixels (x, y) of ``field`` along the border of the piece.
        field: (H, W) float32.
        level: of the outline.

    Returns:
        (n, 2) float64, 3 <= n <= MAX_POINTS, x and y, continuous: (0.5, 0.5) is the first pixel's centre.
    """
    x, y, w, h = cv2.boundingRect(border)
    left, top, right, bottom = x == 0, y == 0, x + w == field.shape[1], y + h == field.shape[0]
    # The piece with a pixel more on each side; beyond the edge of the picture its last pixels are repeated.
    window = field[y - (not top) : y + h + 1, x - (not left) : x + w + 1]
    if left or top or right or bottom:
        window = np.pad(window, ((int(top), int(bottom)), (int(left), int(right))), mode="edge")
    px, py = rim = border[:, 0, :].T
    row = w + 2
    at = (py - (y - 1)) * row + (px - (x - 1))
    here, *around = window.ravel()[at + np.array((0, 1, row, -1, -row))[:, None]]
    slope = np.subtract(around[:2], around[2:]).astype(np.float64) / 2
    steep = np.maximum(np.hypot(slope[0], slope[1]), 1e-6)
    reach = np.minimum((here - level) / steep, 1.0)
    points = rim + 0.5 - slope * (reach / steep)
    if left:
        points[0, px == 0] = 0.0
    if top:
        points[1, py == 0] = 0.0
    if right:
        points[0, px == x + w - 1] = x + w
    if bottom:
        points[1, py == y + h - 1] = y + h
    points = _simplify(points.T)
    if len(points) >= 3:
        return points
    # A piece one pixel wide: its box says as much.
    return np.array(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), np.float64)


def _simplify(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `MAX_POINTS` of (n, 2) points, by Douglas and Peucker's method with a growing tolerance in pixels."""
    curve = np.ascontiguousarray(points, np.float32)
    tolerance = 0.05
    kept = cv2.approxPolyDP(curve, tolerance, True)
    while len(kept) > MAX_POINTS:
        tolerance *= 1.5
        kept = cv2.approxPolyDP(curve, tolerance, True)
    simple: NDArray[np.float64] = kept[:, 0, :].astype(np.float64)
    return simple


def _lesion(
    outline: NDArray[np.float64], score: float, crop: Box, cell: tuple[float, float], regions: Iterable[Region]
) -> Lesion:
    """The lesion of one outline (n, 2) in source pixels; ``cell`` is a mask cell's size in source pixels."""
    outline, (x, y, w, h) = outline.round(1), crop
    across, down = outline.T.tolist()
    left, top, right, bottom = min(across), min(down), max(across), max(down)
    if left < x or top < y or right > x + w or bottom > y + h:
        return _lesion(np.clip(outline, (x, y), (x + w, y + h)), score, crop, cell, regions)
    left, top, right, bottom = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    box = (left, top, max(1, right - left), max(1, bottom - top))
    near = near_origin(outline)
    cx, cy = polygon_centre(outline, near)
    score = precision.probability(min(1.0, score))
    told: dict[str, Any] = {}
    region = calibration_for(outline, regions, box)
    if region is not None and region.mm_x is not None and region.mm_y is not None:
        size = measure(outline, region.mm_x, region.mm_y, cell, polygon_area(near), score)
        told = {
            "long_axis_mm": precision.millimetres(size.long_axis_mm),
            "short_axis_mm": precision.millimetres(size.short_axis_mm),
            "area_mm2": precision.millimetres(size.area_mm2),
            "mm_uncertainty": precision.millimetres(size.uncertainty_mm),
        }
    return Lesion(
        box=box,
        outline=list(zip(across, down, strict=True)),
        centre=(precision.pixels(cx), precision.pixels(cy)),
        score=score,
        **told,
    )
