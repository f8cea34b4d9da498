"""Shapes over a picture, in source pixels: outlines, callipers, numbers and the scale bar, as one list.

The page draws the list as SVG, pictures of reports with OpenCV (`draw_shapes`). Nothing of it covers tissue with words:
digits stand beside lesions, the scale bar at the picture's lower edge.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import cv2
import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box, Point, Region
    from edge.contracts.results import Lesion

AMBER, WHITE, BLACK = (255, 190, 40), (255, 255, 255), (0, 0, 0)
"""RGB. Amber: a suspicious finding. What is uncertain is drawn dashed, whatever its colour."""
BARS_MM = (1, 2, 5, 10, 20, 50, 100)
"""Lengths of the scale bar; the longest that takes less than a third of the picture's width."""
SHIFT = 4
"""Binary digits behind the point in OpenCV's drawing coordinates."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """One shape over a picture."""

    kind: Literal["outline", "long_axis", "short_axis", "number", "scale"]
    points: tuple[tuple[float, float], ...]
    """Corners of an outline, ends of a line, place of a number (its centre); in pixels of the source picture.
    (0, 0) is the corner of its first pixel."""
    text: str = ""
    """Digits, mm and signs only."""
    suspicious: bool = False
    dashed: bool = False
    """Whether the call is uncertain."""


def shapes_of(
    lesions: Sequence[Lesion], region: Region | None, shown: Box, *, suspicious: bool | None, uncertain: bool
) -> list[Shape]:
    """All shapes of one judged frame. ``shown``: the part of the source picture that is seen."""
    found: list[Shape] = []
    mm = (region.mm_x, region.mm_y) if region is not None else (None, None)
    shape = partial(Shape, suspicious=bool(suspicious), dashed=uncertain)
    for number, lesion in enumerate(lesions, start=1):
        found.append(shape(kind="outline", points=_rounded(lesion.outline)))
        if mm[0] is not None and mm[1] is not None and lesion.long_axis_mm is not None:
            long_axis, short_axis = axes(lesion.outline, mm[0], mm[1])
            found.append(shape(kind="long_axis", points=long_axis, text=f"{lesion.long_axis_mm:.1f} mm"))
            if lesion.short_axis_mm is not None:
                found.append(shape(kind="short_axis", points=short_axis, text=f"{lesion.short_axis_mm:.1f} mm"))
        if len(lesions) > 1:
            found.append(shape(kind="number", points=(_beside(lesion.box, shown),), text=str(number)))
    if mm[0] is not None:
        found.append(scale_bar(mm[0], shown))
    return found


def axes(
    outline: Sequence[Point], mm_x: float, mm_y: float
) -> tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]:
    """Ends of the long and the short axis of an outline, in pixels, as they are measured in millimetres.

    The long axis is the longest distance of two corners; the short one the extent at a right angle to it, drawn
    through the middle of that extent's two corners.
    """
    places = np.array(outline, np.float64)
    scaled = places * (mm_x, mm_y)
    squared = ((scaled[:, None] - scaled[None]) ** 2).sum(2)
    first, second = np.unravel_index(squared.argmax(), squared.shape)
    along = scaled[second] - scaled[first]
    across = np.array((-along[1], along[0])) / max(float(np.hypot(*along)), 1e-12)
    heights = scaled @ across
    low, high = int(heights.argmin()), int(heights.argmax())
    unit = np.array((across[1], -across[0]))
    middle = (scaled[low] @ unit + scaled[high] @ unit) / 2
    short = [(middle * unit + heights[end] * across) / (mm_x, mm_y) for end in (low, high)]
    return _rounded([places[first], places[second]]), _rounded(short)


def scale_bar(mm_x: float, shown: Box) -> Shape:
    """Scale bar at the lower right of what is shown, just inside of it."""
    x, y, w, h = shown
    fitting = [each for each in BARS_MM if each / mm_x < w / 3] or [BARS_MM[0]]
    length = fitting[-1] / mm_x
    right, bottom = x + w - w / 40, y + h - h / 40
    return Shape(kind="scale", points=_rounded([(right - length, bottom), (right, bottom)]), text=f"{fitting[-1]} mm")


def draw_shapes(picture: NDArray[np.uint8], shapes: Sequence[Shape], origin: tuple[int, int] = (0, 0)) -> None:
    """Draw shapes on an RGB picture, (H, W, 3) uint8, whose first pixel is ``origin`` of the source picture."""
    line = max(1, round(min(picture.shape[:2]) / 300))
    for thickness, black in ((line + 2, True), (line, False)):
        for shape in shapes:
            colour = BLACK if black else AMBER if shape.suspicious else WHITE
            points = np.array(shape.points, np.float64) - origin - 0.5  # OpenCV's whole numbers are centres of pixels
            if shape.kind == "number":
                _number(picture, shape.text, points[0], colour, thickness)
                continue
            closed = shape.kind == "outline"
            if shape.dashed or shape.kind.endswith("axis"):
                _dashes(picture, points, colour, thickness, closed=closed)
            else:
                fixed = [np.round(points * (1 << SHIFT)).astype(np.int32)[:, None]]
                cv2.polylines(picture, fixed, closed, colour, thickness, cv2.LINE_AA, SHIFT)


def _dashes(
    picture: NDArray[np.uint8], points: NDArray[np.float64], colour: tuple[int, int, int], line: int, *, closed: bool
) -> None:
    """Dashes along a line, as long as the gaps between them."""
    corners = [*points, points[0]] if closed else list(points)
    dash, walked = max(6.0, 4.0 * line), 0.0
    for start, end in pairwise(corners):
        length = math.dist(start, end)
        at = 0.0
        while at < length:
            step = min(length - at, dash - walked % dash)
            if int(walked // dash) % 2 == 0:
                ends = [start + (end - start) * share / length for share in (at, at + step)]
                fixed = [tuple(np.round(each * (1 << SHIFT)).astype(int).tolist()) for each in ends]
                cv2.line(picture, fixed[0], fixed[1], colour, line, cv2.LINE_AA, SHIFT)
            at, walked = at + step, walked + step + 1e-9


def _number(
    picture: NDArray[np.uint8], text: str, at: NDArray[np.float64], colour: tuple[int, int, int], line: int
) -> None:
    scale = max(0.5, picture.shape[1] / 1000)
    (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
    place = (round(float(at[0]) - w / 2), round(float(at[1]) + h / 2))
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, line, cv2.LINE_AA)


def _beside(box: Box, shown: Box) -> tuple[float, float]:
    """Place of a lesion's number: at its left, or at its right where there is no room."""
    gap = max(8.0, shown[2] / 50)
    left = box[0] - gap
    return (left if left > shown[0] + gap else box[0] + box[2] + gap, round(box[1] + box[3] / 2, 1))


def _rounded(points: Sequence[Sequence[float] | NDArray[np.float64]]) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 1), round(float(y), 1)) for x, y in points)
