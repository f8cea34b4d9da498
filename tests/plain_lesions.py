"""Lesions of a mask computed plainly, step by step over the whole mask: what the quicker code must give, to the bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.contracts import precision
from edge.contracts.results import Lesion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import ModelManifest, Thresholds
    from edge.contracts.region import Region
    from edge.preprocess.letterbox import Letterbox


def presence(stored: NDArray[Any], manifest: ModelManifest) -> NDArray[np.float32]:
    """Presence, (h, w) float32, 0 to 1, of a stored mask (1, h, w, 1)."""
    real, spec = stored.astype(np.float32), manifest.heads["lesion_mask"].tensor
    if stored.dtype.kind in "iu":
        real = (real - np.float32(spec.zero_point)) * np.float32(spec.scale)
    return np.clip(real[0, :, :, 0], 0.0, 1.0)


def find_lesions(
    mask: NDArray[np.float32],
    placement: Letterbox,
    thresholds: Thresholds,
    tensor_size: tuple[int, int],
    regions: Sequence[Region] = (),
) -> list[Lesion]:
    """All lesions, arguments as for `edge.postprocess.lesions.find_lesions`."""
    (width, height), (x, y, w, h) = tensor_size, placement.inner
    field = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)[y : y + h, x : x + w]
    inside = (field >= thresholds.lesion).astype(np.uint8)
    if not inside.any():
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    least = max(1.0, thresholds.lesion_min_area * width * height)
    pieces = []
    for number in range(1, count):
        part = (labels == number).astype(np.uint8)
        score = float(cv2.mean(field, mask=part)[0])
        if stats[number, cv2.CC_STAT_AREA] >= least and score >= thresholds.lesion_score:
            pieces.append((score, part))
    pieces.sort(key=lambda piece: -piece[0])
    (sx, sy), (left, top, across, down) = placement.scale, placement.crop
    cell = (width / mask.shape[1] / sx, height / mask.shape[0] / sy)
    found = []
    for score, part in pieces[:8]:
        outline = trace(part, field, thresholds.lesion) / (sx, sy) + np.array((left, top))
        outline = np.clip(np.round(outline, 1), (left, top), (left + across, top + down))
        found.append(lesion_of(outline, score, cell, regions))
    return found


def trace(part: NDArray[np.uint8], field: NDArray[np.float32], level: float) -> NDArray[np.float64]:
    """Outline of one piece in tensor pixels; ``part`` is as large as ``field``."""
    contours, _ = cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    rim = contours[0][:, 0, :].astype(np.intp)
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
    curve, tolerance = points.astype(np.float32)[:, None, :], 0.05
    while len(kept := cv2.approxPolyDP(curve, tolerance, True)) > 64:
        tolerance *= 1.5
    if len(kept) >= 3:
        return kept[:, 0, :].astype(np.float64)
    x, y, w, h = cv2.boundingRect(part)
    return np.array(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), np.float64)


def lesion_of(
    outline: NDArray[np.float64], score: float, cell: tuple[float, float], regions: Sequence[Region]
) -> Lesion:
    """Lesion of one outline (n, 2) in source pixels."""
    left, top = (math.floor(v) for v in outline.min(axis=0))
    right, bottom = (math.ceil(v) for v in outline.max(axis=0))
    start = outline[0]
    sums = cv2.moments((outline - start).astype(np.float32))
    if abs(sums["m00"]) < 1e-6:
        cx, cy = outline.mean(axis=0).tolist()
    else:
        cx, cy = (float(sums[name] / sums["m00"] + at) for name, at in zip(("m10", "m01"), start, strict=True))
    region = calibration_for(outline, regions)
    score = precision.probability(min(1.0, score))
    size = {} if region is None else sizes(outline, region.mm_x or 0.0, region.mm_y or 0.0, cell, score)
    return Lesion(
        box=(left, top, max(1, right - left), max(1, bottom - top)),
        outline=[(x, y) for x, y in outline.tolist()],
        centre=(precision.pixels(cx), precision.pixels(cy)),
        score=score,
        **size,
    )


def sizes(
    outline: NDArray[np.float64], mm_x: float, mm_y: float, cell: tuple[float, float], score: float
) -> dict[str, float]:
    """The fields of a lesion in millimetres."""
    places = outline * (mm_x, mm_y)
    x, y = places.T.copy()
    squared = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2
    first, second = divmod(int(squared.argmax()), len(places))
    long_axis = float(np.sqrt(squared[first, second]))
    along = (places[first] - places[second]) / max(long_axis, 1e-12)
    across = places @ np.array((-along[1], along[0]))
    area = float(abs(cv2.contourArea((outline - outline[0]).astype(np.float32))))
    return {
        "long_axis_mm": precision.millimetres(long_axis),
        "short_axis_mm": precision.millimetres(float(across.max() - across.min())),
        "area_mm2": precision.millimetres(area * mm_x * mm_y),
        "mm_uncertainty": precision.millimetres(max(cell[0] * mm_x, cell[1] * mm_y, 4.0 * (1 - score) * long_axis)),
    }


def calibration_for(outline: NDArray[np.float64], regions: Sequence[Region]) -> Region | None:
    """Region that the outline may be measured by."""
    (left, top), (right, bottom) = outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    holding = []
    for region in regions:
        x, y, w, h = region.box
        inside = ((outline >= (x, y)) & (outline <= (x + w, y + h))).all(axis=1).mean()
        central = x <= (left + right) / 2 <= x + w and y <= (top + bottom) / 2 <= y + h
        if region.calibrated and central and inside >= 0.95:
            holding.append(region)
    for values in ([r.mm_x or 0.0 for r in holding], [r.mm_y or 0.0 for r in holding]):
        if values and max(values) > min(values) * 1.01:
            return None
    return holding[0] if holding else None
