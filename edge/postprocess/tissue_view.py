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

from edge.postprocess.scan_mask import COLUMNS, DEPTHS, in_twos, scan_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box, Region
    from edge.postprocess.scan_mask import ScanMask

BACKGROUND = 12
"""Grey values up to this are background, as for the pixel gate."""
NARROW = 32
"""Shortest side of a small picture in which speckle can be told from a slope."""
LIT = 0.3
"""Tissue of a strip is at least this bright, as a share of the brighter strips of the same depth."""
TEXTURE = 0.7
"""Least mean difference of neighbours in tissue, in grey values: an even area has next to none."""
FINE = 16
"""Differences of neighbours are taken so many times as large, for means of them are whole numbers."""
ALIKE = 0.09
"""Mean difference of blocks from their mirror image, against their spread, from which on a picture may be mirrored.
Scans have 0.18 and more, with a mirrored half 0.03 and less."""
NEAR_FIELD = 0.125
"""Share of the height that is the near field: skin and fat, seldom darker than the rest."""
WHITE = 250
"""Grey values from here on are white."""
MIN_BLOCKS = 20
"""Least blocks of a half of the scan that tell whether it is even."""
UPPER = 0.6
"""Share of the height in which every row shows something, however deep the rest is in shadow."""
DETECTED = "detected"
"""Source of regions that were looked for in the picture. All others say where the scan is, whatever it shows."""
BORDER = 0.024
"""Largest margin, as a share of the picture's side, of a scan that reaches the picture's border."""
COVERED = 0.1
"""The same for an outline in a crop: it is found within a few percent."""


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
        bands = self._mask.bands
        if not bands.columns:
            return 1.0
        steps = cv2.convertScaleAbs(cv2.absdiff(self._scan[1:], self._scan[:-1]), alpha=FINE)
        changes = cv2.resize(steps, (COLUMNS, DEPTHS), interpolation=cv2.INTER_AREA)
        tissue = in_twos(self._blocks) / bands.share
        brighter = np.sort(np.where(bands.there, tissue, -1.0), axis=1)[bands.brighter][:, None]
        lit = bands.there & (tissue >= np.maximum(BACKGROUND - 2.0, LIT * brighter))
        lit &= in_twos(changes) >= FINE * TEXTURE * bands.share
        return float(1 - np.count_nonzero(lit.any(axis=0)) / bands.columns)

    @cached_property
    def rows_lost(self) -> float:
        """Share of the upper rows of the scan that show next to nothing, or no texture, 0 to 1."""
        upper = slice(0, max(1, int(UPPER * self.grey.shape[0])))
        scan, inside = self._scan[upper], self._mask.row_pixels[upper]
        steps = cv2.absdiff(scan[:, 1:], scan[:, :-1])
        bright, changes = (
            cv2.reduce(picture, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for picture in (self._lit[upper], steps)
        )
        lost = (bright < 0.4 * inside) | (changes < TEXTURE * inside)
        counted = np.count_nonzero(inside)
        return float(np.count_nonzero(lost & (inside > 0)) / counted) if counted else 1.0

    @property
    def lopsided(self) -> float:
        """Difference of the lit area left and right of the middle against their sum, 0 to 1: a corner is missing."""
        half = self.grey.shape[1] // 2
        left, right = cv2.countNonZero(self._lit[:, :half]), cv2.countNonZero(self._lit[:, -half:])
        return abs(left - right) / max(1, left + right)

    @property
    def evenness(self) -> float:
        """Spread of brightness between the blocks of the evenest half of the scan, against its mean.

        Next to nothing where a receiver's noise, or a cover, stands in place of tissue.
        """
        least = 1.0
        for half in self._mask.halves:
            if cv2.countNonZero(half) >= MIN_BLOCKS:
                mean, spread = cv2.meanStdDev(self._blocks, mask=half)
                if mean.item() > BACKGROUND:  # what is dark in all of a half is no noise
                    least = min(least, spread.item() / mean.item())
        return least

    @property
    def asymmetry(self) -> float:
        """Mean difference from the mirror image, against that of unlike pixels: 0 where a half is mirrored, else 1.

        Blocks of an even picture differ little from their mirror image, too, so that its speckle is asked then.
        """
        _, spread = cv2.meanStdDev(self._blocks)
        alike = ALIKE * self._blocks.size * (spread.item() + 2)
        axes = [axis for axis in (0, 1) if cv2.norm(self._blocks, cv2.flip(self._blocks, axis), cv2.NORM_L1) < alike]
        return min((_asymmetry(self.grey if axis else self.grey.T) for axis in axes), default=1.0)

    @cached_property
    def near_field(self) -> float:
        """Brightness of the near field against that of the whole, about 1: well below it the picture is upside down."""
        rows, mask = max(1, int(NEAR_FIELD * self.grey.shape[0])), self._mask
        near_rows = slice(mask.first_row, mask.first_row + rows)
        near, _, _, _ = cv2.mean(self.grey[near_rows], mask.pixels[near_rows])
        whole, _, _, _ = cv2.mean(self.grey, mask.pixels)
        return float(near / (whole + 1))

    @cached_property
    def grey_range(self) -> tuple[float, float, float]:
        """Grey values that 5 % and 95 % of the pixels are below, and the share that is white."""
        counts = np.cumsum(cv2.calcHist([self.grey], [0], self._mask.pixels, [256], [0, 256]))
        low, high = np.searchsorted(counts, (0.05 * counts[-1], 0.95 * counts[-1]))
        return float(low), float(high), float(1 - counts[WHITE - 1] / max(1.0, counts[-1]))

    @cached_property
    def cut_off(self) -> tuple[float, float]:
        """Share of the picture's width or height that the crop leaves off at one side only, 0 to 1, and below.

        One of the two is 0; both where the source says where the scan is. A screen has menus and margins on several
        sides; a scan of which a half is covered or black has one large margin, and fills the picture otherwise.
        """
        if any(region.source != DETECTED for region in self.regions):
            return 0.0, 0.0
        # What covers a half may be bright, and then is in the crop: an outline that was found in it leaves it off.
        margins = [_one_margin(box, self.crop, COVERED) for box in self._mask.boxes]
        margins.append(_one_margin(self.crop, (0, 0, *self.size), BORDER))
        return max(aside for aside, _ in margins), max(below for _, below in margins)

    @property
    def outline_lost(self) -> tuple[float, float]:
        """Share of the scan's known outline that the crop leaves off above or at its sides, 0 to 1, and below.

        The crop closes around what is bright: what was scan before, and is black now, it leaves off.
        """
        x, y, w, h = self.crop
        lost, lost_below = 0.0, 0.0
        for left, top, width, height in self._mask.boxes:
            above = min(top + height, y + h) - top
            inside = max(0, min(x + w, left + width) - max(x, left)) * max(0, top + above - max(y, top))
            if inside * 10 > width * height:
                lost, lost_below = max(lost, 1 - inside / (width * above)), max(lost_below, 1 - above / height)
        return lost, lost_below

    @property
    def lowest(self) -> float:
        """Brightness of the lowest sixteenth of the crop against the whole: near 0 where it fades, about 1 if cut."""
        last = max(2, self.grey.shape[0] // 16)
        lowest, _, _, _ = cv2.mean(self.grey[-last:])
        whole, _, _, _ = cv2.mean(self.grey)
        return float(lowest / (whole + 1))

    @property
    def narrowness(self) -> float:
        """Width of the crop against its height."""
        return self.crop[2] / self.crop[3]

    @property
    def steepness(self) -> float:
        """Mean difference of neighbours across against that of neighbours down: small in a picture that is drawn out.

        Speckle is about twice as wide as it is high.
        """
        return _mean_difference(self.grey, 0, 1) / (_mean_difference(self.grey, 1, 0) + 0.1)

    @cached_property
    def _scan(self) -> NDArray[np.uint8]:
        """The grey picture, black outside of the outline."""
        if self._mask.whole:
            return self.grey
        scan: NDArray[np.uint8] = cv2.bitwise_and(self.grey, self._mask.pixels)
        return scan

    @cached_property
    def _lit(self) -> NDArray[np.uint8]:
        """1 where the scan is brighter than background, (h, w) uint8."""
        _, lit = cv2.threshold(self._scan, BACKGROUND, 1, cv2.THRESH_BINARY)
        return np.asarray(lit, np.uint8)

    @cached_property
    def _blocks(self) -> NDArray[np.uint8]:
        """Mean brightness of each block of the scan, (DEPTHS, COLUMNS) uint8."""
        blocks = cv2.resize(self._scan, (COLUMNS, DEPTHS), interpolation=cv2.INTER_AREA)
        return np.asarray(blocks, np.uint8)

    @cached_property
    def _mask(self) -> ScanMask:
        """What of the picture is inside of the scan's outlines; all of it where none is known."""
        height, width = self.grey.shape
        return scan_mask(self._outlines, self.crop, (height, width))

    @cached_property
    def _outlines(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        """Outlines of the scan that lie in the crop, in pixels of the picture."""
        x, y, w, h = self.crop
        return tuple(
            region.outline
            for region in self.regions
            if region.outline is not None and any(x <= px <= x + w and y <= py <= y + h for px, py in region.outline)
        )


def _one_margin(box: Sequence[int], around: Sequence[int], border: float) -> tuple[float, float]:
    """Share of ``around`` that ``box`` leaves off at one side, and below; 0 if it leaves off more elsewhere.

    ``border``: largest share that counts as nothing left off.
    """
    (x, y, w, h), (left, top, width, height) = box, around
    below = 1 - (y + h - top) / height
    margins = sorted(((x - left) / width, (y - top) / height, 1 - (x + w - left) / width, below))
    if margins[-2] > border:
        return 0.0, 0.0
    return (0.0, below) if margins[-1] == below else (margins[-1], 0.0)


def _asymmetry(grey: NDArray[np.uint8]) -> float:
    """Mean difference of left and right against that of pixels of other depths; the axis may lie a little aside."""
    mirrored, width = np.ascontiguousarray(grey[:, ::-1]), grey.shape[1]
    pairs = [(grey, mirrored, aside) for aside in range(4)] + [(mirrored, grey, aside) for aside in range(1, 4)]
    least = min(
        cv2.norm(one[:, aside:], other[:, : width - aside], cv2.NORM_L1) / (width - aside)
        for one, other, aside in pairs
    )
    unlike = cv2.norm(grey[8:], grey[:-8], cv2.NORM_L1) / width
    return float(least / (unlike + 1))


def _mean_difference(grey: NDArray[np.uint8], down: int, across: int) -> float:
    """Mean absolute difference of pixels so many rows and columns apart."""
    height, width = grey.shape
    summed = cv2.norm(grey[down:, across:], grey[: height - down, : width - across], cv2.NORM_L1)
    return float(summed / ((height - down) * (width - across)))
