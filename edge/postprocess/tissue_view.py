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
    from numpy.typing import NDArray

    from edge.contracts.region import Box, Region

BACKGROUND = 12
"""Grey values up to this are background, as for the pixel gate."""
COLUMNS = 20
"""Strips that the width is cut into: a shadow narrower than a twentieth hides no lesion."""
DEPTHS = ((0.3, 0.5), (0.5, 0.7), (0.7, 0.9))
"""Bands of depth, as shares of the height, in one of which a strip must show tissue. What lies above them glows even
without contact; below them sound is often used up everywhere."""
LIT = 0.3
"""Tissue of a strip is at least this bright, as a share of the brighter strips of the same depth."""
NEAR_FIELD = 0.125
"""Share of the height that is the near field: skin and fat, seldom darker than the rest."""
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
    def reduced(self) -> bool:
        """Whether the crop was made smaller for this picture, and not larger."""
        return self.crop[2] >= self.grey.shape[1] and self.crop[3] >= self.grey.shape[0]

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
        """Share of the scan's width without tissue at any depth, 0 to 1: in a shadow, or without contact."""
        height, width = self.grey.shape
        side = max(1, width // COLUMNS)
        strips = width // side
        grey, mask = self.grey[:, : strips * side], self._mask[:, : strips * side]
        lit, possible = np.zeros(strips, bool), np.zeros(strips, bool)
        for top, bottom in DEPTHS:
            rows = slice(int(top * height), int(bottom * height))
            inside = mask[rows].reshape(-1, strips, side).sum(axis=(0, 2), dtype=np.int64)
            summed = (grey[rows] * mask[rows]).reshape(-1, strips, side).sum(axis=(0, 2), dtype=np.int64)
            there = inside * 4 >= mask[rows].shape[0] * side
            if not there.any():
                continue
            means = summed / np.maximum(inside, 1)
            possible |= there
            lit |= there & (means >= max(BACKGROUND - 2.0, LIT * float(np.percentile(means[there], 75))))
        return float(1 - lit[possible].mean()) if possible.any() else 1.0

    @cached_property
    def rows_lost(self) -> float:
        """Share of the upper rows of the scan that show next to nothing, 0 to 1."""
        upper = slice(0, max(1, int(UPPER * self.grey.shape[0])))
        mask = self._mask[upper]
        inside = mask.sum(axis=1, dtype=np.int64)
        bright = ((self.grey[upper] > BACKGROUND) & (mask > 0)).sum(axis=1, dtype=np.int64)
        counted = inside > 0
        return float((bright[counted] < 0.4 * inside[counted]).mean()) if counted.any() else 1.0

    @cached_property
    def near_field(self) -> float:
        """Brightness of the near field against that of the whole, about 1: well below it the picture is upside down."""
        rows = max(1, int(NEAR_FIELD * self.grey.shape[0]))
        return float(self.grey[:rows].mean() / (self.grey.mean() + 1))

    @cached_property
    def grey_range(self) -> tuple[float, float, float]:
        """Grey values that 5 % and 95 % of the pixels are below, and the share that is white."""
        low, high = np.percentile(self.grey, (5, 95))
        return float(low), float(high), float((self.grey >= 250).mean())

    @property
    def cut_off(self) -> float:
        """Share of the picture's width or height that the crop leaves off at one side only, 0 to 1.

        0 where the source says where the scan is. A screen has menus and margins on several sides; a scan of which a
        half is covered or black has one large margin, and fills the picture otherwise.
        """
        if any(region.source != DETECTED for region in self.regions):
            return 0.0
        (x, y, w, h), (width, height) = self.crop, self.size
        margins = sorted((x / width, y / height, 1 - (x + w) / width, 1 - (y + h) / height))
        return margins[-1] if margins[-2] <= BORDER else 0.0

    @property
    def narrowness(self) -> float:
        """Width of the crop against its height."""
        return self.crop[2] / self.crop[3]

    @cached_property
    def _mask(self) -> NDArray[np.uint8]:
        """1 inside of the scan's outline, (h, w) uint8; 1 everywhere where no outline is known."""
        height, width = self.grey.shape
        x, y, w, h = self.crop
        scale = np.array((width / w, height / h))
        mask = np.zeros((height, width), np.uint8)
        for region in self.regions:
            if region.outline is not None:
                points = (np.array(region.outline, np.float64) - (x, y)) * scale
                cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 1)
        if not mask.any():
            mask[:] = 1
        return mask


def _mean_difference(grey: NDArray[np.uint8], down: int, across: int) -> float:
    """Mean absolute difference of pixels so many rows and columns apart."""
    height, width = grey.shape
    return float(cv2.norm(grey[down:, across:], grey[: height - down, : width - across], cv2.NORM_L1)) / (
        (height - down) * (width - across)
    )
