"""Scan model: the sides of a scan area as numbers, for all four shapes, and the outline that they make."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edge.scan_area.polygon import clip

if TYPE_CHECKING:
    from edge.contracts.region import ScanShape
    from edge.scan_area.polygon import Polygon

ARC_POINTS = 20
POINTED = 0.12
"""A sector's face, as a share of its radius; from more on it is a curved array's."""
NO_FACE = 0.05
"""Share up to which a sector begins in its apex itself."""
CUT = 0.02
"""A model that reaches past the bounds of what was seen, by more than this share of them, is cut there."""


@dataclass(frozen=True, slots=True)
class ScanModel:
    """Sides of a scan, in pixel edges: two straight ones, and two that are rows or arcs around where the first meet."""

    left: tuple[float, float]
    """Column at row 0, and columns a row."""
    right: tuple[float, float]
    near: float
    """Row of the upper side or, where that is an arc, its radius."""
    far: float
    """Row of the lower side or, where that is an arc, its radius."""
    near_round: bool = False
    far_round: bool = False
    bounds: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom at which the screen cuts the scan off; None: it does not."""

    @property
    def apex(self) -> tuple[float, float]:
        """Point (x, y) where the two straight sides meet. They must not be parallel."""
        y = (self.left[0] - self.right[0]) / (self.right[1] - self.left[1])
        return self.left[0] + self.left[1] * y, y

    @property
    def shape(self) -> ScanShape:
        """Shape of the scan, by its sides."""
        if self.near_round:
            return "sector" if self.near < POINTED * self.far else "curved"
        return "trapezoid" if self.left[1] != self.right[1] else "linear"

    @property
    def depth_px(self) -> float:
        """Pixels from the probe's face to the far end, along the middle beam."""
        if self.near_round:
            return self.far - self.near
        return self.far + (self.apex[1] if self.far_round else 0.0) - self.near

    def scaled(self, factor: float) -> ScanModel:
        """The same scan in a picture that is ``factor`` times larger."""
        bounds = self.bounds
        return replace(
            self,
            left=(self.left[0] * factor, self.left[1]),
            right=(self.right[0] * factor, self.right[1]),
            near=self.near * factor,
            far=self.far * factor,
            bounds=None if bounds is None else (*(value * factor for value in bounds),),  # type: ignore[arg-type]
        )

    def with_sides(self, left: tuple[float, float], right: tuple[float, float]) -> ScanModel:
        """The scan with other straight sides; its arcs stay where they are in the middle, though their centre moves."""
        other = replace(self, left=left, right=right)
        if not (self.near_round or self.far_round):
            return other
        lower = other.apex[1] - self.apex[1]
        return replace(
            other,
            near=max(0.0, self.near - lower) if self.near_round else self.near,
            far=self.far - lower if self.far_round else self.far,
        )

    def moved(self, x: float, y: float) -> ScanModel:
        """The same scan further to the right by ``x`` and down by ``y`` pixels."""
        bounds = self.bounds
        return replace(
            self,
            left=(self.left[0] + x - self.left[1] * y, self.left[1]),
            right=(self.right[0] + x - self.right[1] * y, self.right[1]),
            near=self.near if self.near_round else self.near + y,
            far=self.far if self.far_round else self.far + y,
            bounds=None if bounds is None else (bounds[0] + x, bounds[1] + y, bounds[2] + x, bounds[3] + y),
        )

    def angles(self) -> tuple[float, float]:
        """Angles of the left and right side from straight down, in radians."""
        return math.atan(self.left[1]), math.atan(self.right[1])

    def end(self, side: tuple[float, float], at: float, is_round: bool) -> tuple[float, float]:
        """Point at which a straight side ends on a row, or on an arc of radius ``at``."""
        if not is_round:
            return side[0] + side[1] * at, at
        x, y = self.apex
        turn = math.atan(side[1])
        return x + at * math.sin(turn), y + at * math.cos(turn)

    def outline(self) -> Polygon:
        """Closed polygon (n, 2), clockwise from the upper left."""
        near = 0.0 if self.near_round and self.near < NO_FACE * self.far else self.near
        points = np.concatenate([self._across(near, self.near_round), self._across(self.far, self.far_round)[::-1]])
        return points if self.bounds is None else clip(points, *self.bounds)

    def _across(self, at: float, is_round: bool) -> Polygon:
        """Points of the upper or lower side, from left to right."""
        if not is_round:
            return np.array([self.end(side, at, False) for side in (self.left, self.right)])
        turns = np.linspace(*self.angles(), ARC_POINTS if at else 1)
        return np.stack([self.apex[0] + at * np.sin(turns), self.apex[1] + at * np.cos(turns)], 1)

    def cut_to(self, left: float, top: float, right: float, bottom: float) -> ScanModel:
        """The model cut off at the bounds of what was seen, where it reaches past them by more than a rounding."""
        points = self.outline()
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        slack_x, slack_y = CUT * (right - left) + 2, CUT * (bottom - top) + 2
        cut = (
            left if x0 < left - slack_x else -math.inf,
            top if y0 < top - slack_y else -math.inf,
            right if x1 > right + slack_x else math.inf,
            bottom if y1 > bottom + slack_y else math.inf,
        )
        return self if all(math.isinf(side) for side in cut) else replace(self, bounds=cut)
