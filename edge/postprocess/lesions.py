"""Lesion segmentation from a probability mask: outlines, boxes and sizes on the source picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import cv2
import msgspec
import numpy as np

from edge.contracts import precision
from edge.contracts.results import Lesion
from edge.postprocess.measure import calibration_for, measure, polygon_centre

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    inside = (field >= thresholds.lesion).astype(np.uint8)
    left, top, across, down = cv2.boundingRect(inside)  # what is outside of it need not be gone through
    inside = inside[top : top + down, left : left + across]
    if not inside.size:
        return []  # what was over the threshold lies in the padding
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    least = max(1.0, thresholds.lesion_min_area * width * height)
    pieces: list[tuple[float, NDArray[np.uint8], tuple[int, int]]] = []
    for number in range(1, count):
        px, py, pw, ph, area = stats[number].tolist()
        if area < least:
            continue
        part = (labels[py : py + ph, px : px + pw] == number).astype(np.uint8)
        px, py = px + left, py + top
        score = float(cv2.mean(field[py : py + ph, px : px + pw], mask=part)[0])
        if score >= thresholds.lesion_score:
            pieces.append((score, part, (px, py)))
    pieces.sort(key=lambda piece: -piece[0])
    sx, sy = placement.scale
    cell = (width / mask_prob.shape[1] / sx, height / mask_prob.shape[0] / sy)
    found = []
    for score, part, corner in pieces[:MAX_LESIONS]:
        outline = trace(part, corner, field, thresholds.lesion) / (sx, sy) + np.array(placement.crop[:2])
        found.append(_lesion(outline, score, placement.crop, cell, regions))
    return found


def trace(
    part: NDArray[np.uint8], corner: tuple[int, int], field: NDArray[np.float32], level: float
) -> NDArray[np.float64]:
    """Trace the outline of one connected piece of ``field >= level``, finer than a pixel, in `MAX_POINTS` at most.

    The centres of the border pixels are moved outwards along the gradient to where ``field`` meets ``level`` (one
    Newton step, at most a pixel); at the edge of the picture they are moved to that edge.

    Args:
        part: (h, w) uint8, 1 where the piece is, cut to its bounding box.
        corner: (x, y) of that box in ``field``.
        field: (H, W) float32.
        level: of the outline.

    Returns:
        (n, 2) float64, 3 <= n <= MAX_POINTS, x and y, continuous: (0.5, 0.5) is the first pixel's centre.
    """
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = contours[0][:, 0, :].astype(np.intp) + np.array(corner)
    px, py = rim[:, 0], rim[:, 1]
    last_y, last_x = field.shape[0] - 1, field.shape[1] - 1
    right, left = field[py, np.minimum(px + 1, last_x)], field[py, np.maximum(px - 1, 0)]
    below, above = field[np.minimum(py + 1, last_y), px], field[np.maximum(py - 1, 0), px]
    slope = np.stack((right - left, below - above), axis=1).astype(np.float64) / 2
    steep = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 1e-6)
    reach = np.clip((field[py, px] - level) / steep, 0.0, 1.0)
    points = rim + 0.5 - slope * (reach / steep)[:, None]
    points[px == 0, 0] = 0.0
    points[py == 0, 1] = 0.0
    points[px == last_x, 0] = last_x + 1.0
    points[py == last_y, 1] = last_y + 1.0
    points = _simplify(points)
    if len(points) >= 3:
        return points
    (x, y), (h, w) = corner, part.shape  # a piece one pixel wide: its box says as much
    return np.array(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), np.float64)


def _simplify(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most `MAX_POINTS` of (n, 2) points, by Douglas and Peucker's method with a growing tolerance in pixels."""
    curve = points.astype(np.float32)[:, None, :]
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
    outline = np.clip(np.round(outline, 1), crop[:2], (crop[0] + crop[2], crop[1] + crop[3]))
    left, top = (math.floor(v) for v in outline.min(axis=0))
    right, bottom = (math.ceil(v) for v in outline.max(axis=0))
    cx, cy = polygon_centre(outline)
    lesion = Lesion(
        box=(left, top, max(1, right - left), max(1, bottom - top)),
        outline=[(x, y) for x, y in outline.tolist()],
        centre=(precision.pixels(cx), precision.pixels(cy)),
        score=precision.probability(min(1.0, score)),
    )
    region = calibration_for(outline, regions)
    if region is None or region.mm_x is None or region.mm_y is None:
        return lesion
    size = measure(outline, region.mm_x, region.mm_y, cell)
    return msgspec.structs.replace(
        lesion,
        long_axis_mm=precision.millimetres(size.long_axis_mm),
        short_axis_mm=precision.millimetres(size.short_axis_mm),
        area_mm2=precision.millimetres(size.area_mm2),
        mm_uncertainty=precision.millimetres(size.uncertainty_mm),
    )
