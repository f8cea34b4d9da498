"""Area of one label in a map: its pieces, their outlines on the source picture, its size in pixels and in mm2."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts import precision
from edge.contracts.labels import OUTLINES_SENT, LabelArea
from edge.postprocess.lesions import connected_pieces, trace
from edge.postprocess.measure import calibration_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge.contracts.manifest import AreaRules
    from edge.contracts.region import Box, Region
    from edge.postprocess.lesions import PicturePlacement


def find_area(
    field: NDArray[np.float32],
    probability: NDArray[np.float32],
    name: str,
    rules: AreaRules,
    placement: PicturePlacement,
    tensor_size: tuple[int, int],
    regions: Iterable[Region] = (),
) -> LabelArea | None:
    """Find the area of a label; None where no piece of it is large enough.

    The map is brought to the tensor's resolution (bilinear), cut where it is at or over the label's threshold, and
    taken apart into connected pieces. Each outline runs where the interpolated map crosses the threshold.

    Args:
        field: (h, w) float32; covers the whole tensor, padding included. At or over the threshold it is the label's.
        probability: of the label, likewise, whose mean is the score; nearly always the same.
        name: of the label.
        rules: of the manifest: threshold, and smallest piece.
        placement: where the tensor lies in the source.
        tensor_size: (width, height) of the input tensor in pixels.
        regions: of the frame; only a calibrated one that covers all outlines gives square millimetres.
    """
    (width, height), level = tensor_size, rules.threshold_of(name)
    x, y, w, h = placement.inner
    within, same = (slice(y, y + h), slice(x, x + w)), probability is field
    field = cv2.resize(field, (width, height), interpolation=cv2.INTER_LINEAR)[within]
    probability = field if same else cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)[within]
    pieces = _pieces(field >= level, probability, max(1.0, rules.min_area * width * height))
    if not pieces:
        return None
    pieces.sort(key=lambda piece: -piece[0])
    outlines = [
        _on_picture(trace(border, field, np.float32(level)), placement) for _, _, border in pieces[:OUTLINES_SENT]
    ]
    size = sum(pixels for pixels, _, _ in pieces)
    score = sum(pixels * mean for pixels, mean, _ in pieces) / size
    corners = [border[:, 0, :].astype(np.float64) for _, _, border in pieces]
    rims = [_on_picture(places + side, placement) for places in corners for side in (0, 1)]
    box = _box_around([*outlines, *rims])
    return LabelArea(
        name=name,
        score=precision.probability(min(1.0, score), level),
        share=precision.area_share(size / (w * h)),
        area_mm2=_square_mm(size / math.prod(placement.scale), np.concatenate(outlines), box, regions),
        pieces=len(pieces),
        box=box,
        outlines=[[(float(px), float(py)) for px, py in outline.tolist()] for outline in outlines],
    )


def _square_mm(pixels: float, outlines: NDArray[np.float64], box: Box, regions: Iterable[Region]) -> float | None:
    """Size in mm2 of so many pixels of the source within ``outlines``; None: no one calibration holds for them."""
    region = calibration_for(outlines, regions, box)
    if region is None or region.mm_x is None or region.mm_y is None:
        return None
    return precision.millimetres(pixels * region.mm_x * region.mm_y)


def _pieces(
    inside: NDArray[np.bool_], probability: NDArray[np.float32], least: float
) -> list[tuple[int, float, NDArray[np.int32]]]:
    """Pixels, mean probability and border (n, 1, 2) of each connected piece of at least ``least`` pixels."""
    found = []
    for border, part, (x, y, w, h) in connected_pieces(inside.view(np.uint8)):
        if (pixels := cv2.countNonZero(part)) >= least:
            mean = float(cv2.mean(probability[y : y + h, x : x + w], mask=part)[0])
            found.append((pixels, mean, border))
    return found


def _on_picture(points: NDArray[np.float64], placement: PicturePlacement) -> NDArray[np.float64]:
    """Points (n, 2) of the resized crop in pixels of the source picture, one decimal, within the crop."""
    x, y, w, h = placement.crop
    placed: NDArray[np.float64] = np.clip((points / placement.scale + (x, y)).round(1), (x, y), (x + w, y + h))
    return placed


def _box_around(outlines: list[NDArray[np.float64]]) -> Box:
    """Whole pixels (x, y, width, height) around all outlines."""
    points = np.concatenate(outlines)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    left, top, right, bottom = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    return (left, top, max(1, right - left), max(1, bottom - top))
