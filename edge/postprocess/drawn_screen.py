"""Measures that tell pictures drawn by a computer, and electronic snow, from a scan, by neighbouring pixels.

A menu, a report, a test picture or a vendor's card has areas in which all pixels are equal, and hard edges; snow has
no two neighbours alike. A scan has neither. Rows are looked at at the source's resolution, and only a few of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box

ROWS = 16
"""Triples of rows that are looked at."""
MAX_COLUMNS = 640
"""Most columns that are looked at, in the middle of the crop."""
BACKGROUND = 12
"""Grey values up to this are background, as for the pixel gate."""
SAME = 2
"""Largest difference of neighbours in an area of one colour, in grey values: codecs leave so much."""
EDGE = 48
"""Least difference of neighbours at the edge of a letter or a line. Speckle seldom has so much between neighbours."""


class DrawnScreen:
    """Shares of even areas, hard edges and light among a crop's pixels, and how alike neighbours are."""

    __slots__ = ("alikeness", "combing", "edges", "even", "even_bright", "light", "spread")

    def __init__(self, pixels: NDArray[np.uint8], crop: Box, crop_grey: NDArray[np.uint8] | None = None) -> None:
        """Arguments as for `edge.postprocess.pixel_gate.PixelSample`; the crop has two rows and columns at least."""
        x, y, w, h = crop
        grey = pixels[y : y + h, x : x + w] if crop_grey is None else crop_grey
        number = np.arange(min(ROWS, grey.shape[0] - 2))
        step = max(1, (grey.shape[0] - 2) // ROWS)
        rows = number * step + number * 5 % step  # not evenly: lines of text are spaced evenly
        across = slice(max(0, (w - MAX_COLUMNS) // 2), max(0, (w - MAX_COLUMNS) // 2) + MAX_COLUMNS)
        above, below, third = (grey[rows + down, across] for down in range(3))
        if grey.ndim == 3:
            above, below, third = (
                cv2.cvtColor(np.ascontiguousarray(rows), cv2.COLOR_RGB2GRAY) for rows in (above, below, third)
            )
        here, right = np.ascontiguousarray(above[:, :-1]), np.ascontiguousarray(above[:, 1:])
        across_difference = cv2.absdiff(here, right)
        down_difference = cv2.absdiff(here, np.ascontiguousarray(below[:, :-1]))
        largest = cv2.max(across_difference, down_difference)
        next_but_one = cv2.norm(above, third, cv2.NORM_L1) / above.size
        self.combing = float(cv2.norm(above, below, cv2.NORM_L1) / above.size / (next_but_one + 1))
        """Difference of neighbouring rows against that of rows two apart: over 1 only where two fields are woven."""
        is_bright = here > BACKGROUND
        even = largest <= SAME
        self.even = float(even.mean())
        """Share of the pixels that are like both their neighbours."""
        self.even_bright = int(np.count_nonzero(even & is_bright)) / max(1, int(np.count_nonzero(is_bright)))
        """The same, of the bright pixels."""
        self.edges = float(np.count_nonzero(largest >= EDGE) / largest.size)
        """Share of the pixels that stand at a hard edge."""
        self.light = float(np.count_nonzero(here >= 160) / here.size)
        """Share of the pixels that are light."""
        _, spread = cv2.meanStdDev(here)
        self.spread = spread.item()
        """Standard deviation of the grey values."""
        variance = self.spread**2
        squares = min(cv2.norm(here, other, cv2.NORM_L2SQR) for other in (right, np.ascontiguousarray(below[:, :-1])))
        variance *= here.size
        self.alikeness = float(1 - squares / (2 * variance)) if variance > here.size else 1.0
        """Correlation of neighbours along the axis where it is larger: near 1 for a scan, 0 for white noise."""
