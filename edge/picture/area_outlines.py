"""Area outlines: draws the areas of a segmentation network on a picture, each label in a colour of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.labels import LabelArea

BLACK = (0, 0, 0)
COLOURS = (
    (90, 160, 220),
    (235, 190, 60),
    (190, 130, 230),
    (70, 205, 205),
    (240, 140, 190),
    (205, 205, 205),
    (160, 140, 110),
    (120, 120, 240),
)
"""RGB of the areas, the surest first; neither green, which would say "healthy", nor red, which would say "ill"."""
TINT = 0.25
"""Share of its colour in the picture within an area."""
SHIFT = 4
"""Binary digits behind the point in OpenCV's drawing coordinates."""


def area_colours(areas: Sequence[LabelArea]) -> dict[str, tuple[int, int, int]]:
    """Colour of each area by its label; after the last colour the first is taken again."""
    return {area.name: COLOURS[number % len(COLOURS)] for number, area in enumerate(areas)}


def draw_areas(picture: NDArray[np.uint8], areas: Sequence[LabelArea], line: int) -> None:
    """Draw all areas on ``picture``, (H, W, 3) RGB, in place: a tint, and a line along each outline.

    ``line``: thickness of the lines, in pixels. Only outer outlines are known, so that holes are tinted too.
    """
    for area, colour in zip(areas, area_colours(areas).values(), strict=True):
        x, y, w, h = area.box
        part = picture[max(0, y) : y + h, max(0, x) : x + w]
        outlines = [_fixed(outline, (max(0, x), max(0, y))) for outline in area.outlines]
        tinted = part.copy()
        cv2.fillPoly(tinted, outlines, colour, cv2.LINE_8, SHIFT)
        cv2.addWeighted(tinted, TINT, part, 1 - TINT, 0, dst=part)
        whole = [_fixed(outline, (0, 0)) for outline in area.outlines]
        cv2.polylines(picture, whole, True, BLACK, line + 2, cv2.LINE_AA, SHIFT)
        cv2.polylines(picture, whole, True, colour, line, cv2.LINE_AA, SHIFT)


def _fixed(outline: Sequence[tuple[float, float]], corner: tuple[int, int]) -> NDArray[np.int32]:
    """Continuous coordinates as OpenCV draws them: pixel centres are whole numbers, with SHIFT binary digits."""
    points = (np.array(outline, np.float64) - corner - 0.5) * (1 << SHIFT)
    return np.round(points).astype(np.int32)[:, None, :]
