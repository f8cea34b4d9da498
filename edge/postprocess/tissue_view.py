"""Measures of how much of the scan shows tissue, from the small grey picture that the model sees.

At that scale speckle and layers look alike on every scanner, whatever the resolution of its screen, and a measure
takes microseconds. The limits that the measures are compared with are in `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box, Region

BACKGROUND = 12
"""Grey values up to this are background, as for the pixel gate."""
NARROW = 32
"""Shortest side of a small picture in which speckle can be told from a slope."""
COLUMNS = 20
"""Strips that the width is cut into: a shadow narrower than a twentieth hides no lesion."""
DEPTHS = ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9))
"""Bands of depth, as shares of the height, in one of which a strip must show tissue. What lies above them glows even
without contact; below them sound is often used up everywhere."""
LIT = 0.3
"""Tissue of a strip is at least this bright, as a share of the brighter strips of the same depth."""
TEXTURE = 0.7
"""Least mean difference of neighbours in tissue, in grey values: an even area has next to none."""
NEAR_FIELD = 0.125
"""Share of the height that is the near field: skin and fat, seldom darker than the rest."""
WHITE = 250
"""Grey values from here on are white."""
COVERED = 0.1
"""The same for an outline in a crop: it is found within a few percent."""
UPPER = 0.6
"""Share of the height in which every row shows something, however deep the rest is in shadow."""
DETECTED = "detected"
"""Source of regions that were looked for in the picture. All others say where the scan is, whatever it shows."""
BORDER = 0.024
"""Largest margin, as a share of the picture's side, of a scan that reaches the picture's border."""


@dataclass(frozen=True)  # with a __dict__: for cached_property
class TissueView:
    """The small grey picture of a frame's crop, and where the crop lies in the picture."""

    grey: NDArray[np.uint8]
    """(h, w) uint8, at least 8 x 8, not written to."""
    crop: Box
    """What it shows: (x, y, w, h) in pixels of the picture."""
    size: tuple[int, int]
    """Width and height of the whole picture in pixels."""
    regions: tuple[Region, ...] = ()
    """Scan regions of the frame; of those with an outline only what is inside counts."""

    @property
    def shows_speckle(self) -> bool:
        """Whether speckle would show: the crop was made smaller for this picture, and is no narrow strip in it."""
        height, width = self.grey.shape
        return bool(self.crop[2] >= width and self.crop[3] >= height and min(height, width) >= NARROW)

    @cached_property
    def sharpness(self) -> float:
        """Mean difference of neighbours against that of pixels four apart, along the axis where it is smaller.

        About a quarter for a smooth slope, a third and more for a focused scan, one for white noise.
        """
        along_x = _mean_difference(self.grey, 0, 1) / (_mean_difference(self.grey, 0, 4) + 0.5)
        along_y = _mean_difference(self.grey, 1, 0) / (_mean_difference(self.grey, 4, 0) + 0.5)
        return min(along_x, along_y)

    @cached_property
    def layering(self) -> float:
        """Share of the variance that lies between rows, 0 to 1: near 1 where all columns show the same."""
        rows = cv2.reduce(self.grey, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
        _, spread = cv2.meanStdDev(self.grey)
        return float(rows.var() / (spread.item() ** 2 + 1e-6))

    @cached_property
    def columns_lost(self) -> float:
        """Share of the scan's width without light or texture at any depth, 0 to 1: a shadow, no contact, a cover."""
        height, width = self.grey.shape
        side = max(1, width // COLUMNS)
        strips = width // side
        steps = cv2.absdiff(self.grey[1:], self.grey[:-1])
        lit, possible = np.zeros(strips, bool), np.zeros(strips, bool)
        for top, bottom in DEPTHS:
            rows = slice(int(top * height), int(bottom * height) - 1)
            inside, summed, changes = (
                cv2.reduce(picture[rows, : strips * side], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).reshape(-1, side).sum(1)
                for picture in (self._mask, self._scan, steps)
            )
            there = inside * 4 >= (rows.stop - rows.start) * side
            if not there.any():
                continue
            pixels = np.maximum(inside, 1)
            bright = np.sort((summed / pixels)[there])[3 * np.count_nonzero(there) // 4]
            possible |= there
            lit |= (
                there & (summed >= pixels * max(BACKGROUND - 2.0, LIT * float(bright))) & (changes >= TEXTURE * pixels)
            )
        return float(1 - lit[possible].mean()) if possible.any() else 1.0

    @cached_property
    def rows_lost(self) -> float:
        """Share of the upper rows of the scan that show next to nothing, or no texture, 0 to 1."""
        upper = slice(0, max(1, int(UPPER * self.grey.shape[0])))
        scan = self._scan[upper]
        _, lit = cv2.threshold(scan, BACKGROUND, 1, cv2.THRESH_BINARY)
        steps = cv2.absdiff(scan[:, 1:], scan[:, :-1])
        inside, bright, changes = (
            cv2.reduce(picture, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
            for picture in (self._mask[upper], lit, steps)
        )
        counted = inside > 0
        lost = (bright < 0.4 * inside) | (changes < TEXTURE * inside)
        return float(lost[counted].mean()) if counted.any() else 1.0

    @property
    def lopsided(self) -> float:
        """Difference of the lit area left and right of the middle against their sum, 0 to 1: a corner is missing."""
        _, lit = cv2.threshold(self._scan, BACKGROUND, 1, cv2.THRESH_BINARY)
        half = self.grey.shape[1] // 2
        left, right = cv2.countNonZero(lit[:, :half]), cv2.countNonZero(lit[:, -half:])
        return abs(left - right) / max(1, left + right)

    @cached_property
    def near_field(self) -> float:
        """Brightness of the near field against that of the whole, about 1: well below it the picture is upside down."""
        rows = max(1, int(NEAR_FIELD * self.grey.shape[0]))
        first = int(np.argmax(self._mask.any(axis=1))) if self._outlines else 0
        near, _, _, _ = cv2.mean(self.grey[first : first + rows], self._mask[first : first + rows])
        whole, _, _, _ = cv2.mean(self.grey, self._mask)
        return float(near / (whole + 1))

    @cached_property
    def grey_range(self) -> tuple[float, float, float]:
        """Grey values that 5 % and 95 % of the pixels are below, and the share that is white."""
        counts = np.cumsum(cv2.calcHist([self.grey], [0], self._mask, [256], [0, 256]))
        low, high = np.searchsorted(counts, (0.05 * counts[-1], 0.95 * counts[-1]))
        return float(low), float(high), float(1 - counts[WHITE - 1] / max(1.0, counts[-1]))

    @property
    def cut_off(self) -> float:
        """Share of the picture's width or height that the crop leaves off at one side only, 0 to 1.

        0 where the source says where the scan is. A screen has menus and margins on several sides; a scan of which a
        half is covered or black has one large margin, and fills the picture otherwise.
        """
        if any(region.source != DETECTED for region in self.regions):
            return 0.0
        whole = (0, 0, *self.size)
        found = [cv2.boundingRect(np.array(outline, np.int32)) for outline in self._outlines]
        # What covers a half may be bright, and then is in the crop: an outline that was found in it leaves it off.
        within = max((_one_margin(box, self.crop, COVERED) for box in found), default=0.0)
        return max(_one_margin(self.crop, whole, BORDER), within)

    @property
    def outline_lost(self) -> float:
        """Share of the scan's known outline that lies outside of the crop, 0 to 1; 0 where no outline is known.

        The crop closes around what is bright: what was scan before, and is black now, it leaves off.
        """
        x, y, w, h = self.crop
        lost = 0.0
        for outline in self._outlines:
            left, top, width, height = cv2.boundingRect(np.array(outline, np.int32))
            inside = max(0, min(x + w, left + width) - max(x, left)) * max(0, min(y + h, top + height) - max(y, top))
            lost = max(lost, 1 - inside / (width * height)) if inside * 10 > width * height else lost
        return lost

    @property
    def narrowness(self) -> float:
        """Width of the crop against its height."""
        return self.crop[2] / self.crop[3]

    @cached_property
    def _scan(self) -> NDArray[np.uint8]:
        """The grey picture, black outside of the outline."""
        if not self._outlines:
            return self.grey
        scan: NDArray[np.uint8] = cv2.multiply(self.grey, self._mask)
        return scan

    @cached_property
    def _mask(self) -> NDArray[np.uint8]:
        """1 inside of the scan's outline, (h, w) uint8; 1 everywhere where no outline is known."""
        height, width = self.grey.shape
        if not self._outlines:
            return np.ones((height, width), np.uint8)
        x, y, w, h = self.crop
        mask = np.zeros((height, width), np.uint8)
        for outline in self._outlines:
            points = (np.array(outline, np.float64) - (x, y)) * (width / w, height / h)
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
        return mask

    @property
    def _outlines(self) -> list[tuple[tuple[int, int], ...]]:
        """Outlines of the scan that lie in the crop, in pixels of the picture."""
        x, y, w, h = self.crop
        return [
            region.outline
            for region in self.regions
            if region.outline is not None and any(x <= px <= x + w and y <= py <= y + h for px, py in region.outline)
        ]


def _one_margin(box: Sequence[int], around: Sequence[int], border: float) -> float:
    """Share of ``around`` that ``box`` leaves off at one side; 0 where it leaves off more than ``border`` elsewhere."""
    (x, y, w, h), (left, top, width, height) = box, around
    margins = sorted(((x - left) / width, (y - top) / height, 1 - (x + w - left) / width, 1 - (y + h - top) / height))
    return margins[-1] if margins[-2] <= border else 0.0


def _mean_difference(grey: NDArray[np.uint8], down: int, across: int) -> float:
    """Mean absolute difference of pixels so many rows and columns apart."""
    height, width = grey.shape
    summed = cv2.norm(grey[down:, across:], grey[: height - down, : width - across], cv2.NORM_L1)
    return float(summed / ((height - down) * (width - across)))
