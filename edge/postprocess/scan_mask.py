"""Mask of the scan's outlines in the small picture of its crop, kept while neither outlines nor crop change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box

    Outline = tuple[tuple[int, int], ...]

COLUMNS, DEPTHS = 20, 10
"""Blocks that the picture is cut into across and down: a shadow narrower than a twentieth hides no lesion."""
BANDS = slice(3, 9)
"""Tenths of the height, two by two, in one of which a strip must show tissue. What lies above them glows even without
contact; below them sound is often used up everywhere."""
INSIDE = 250
"""Least mean of the mask, 0 to 255, in a block that lies wholly within the scan."""


@dataclass(frozen=True, slots=True)
class BandMask:
    """Strips across within three bands of depth: how much of them lies in the scan. No array is written to."""

    share: NDArray[np.float32]
    """Share of each that is inside, a quarter at least, (3, COLUMNS)."""
    there: NDArray[np.bool_]
    """Whether a quarter or more is inside, (3, COLUMNS)."""
    brighter: tuple[NDArray[np.intp], NDArray[np.intp]]
    """Where in rows sorted by brightness, those not there first, the brighter quarter of those there begins."""
    columns: int
    """Number of strips that are there in any band."""


@dataclass(frozen=True, slots=True)
class ScanMask:
    """Pixels and blocks of a small picture that lie within the scan. None of the arrays is written to."""

    pixels: NDArray[np.uint8]
    """255 inside of the outlines, else 0, (h, w) uint8."""
    whole: bool
    """Whether all of the picture is inside."""
    row_pixels: NDArray[np.int32]
    """Number of pixels inside in each row, (h,)."""
    first_row: int
    """First row with a pixel inside."""
    bands: BandMask
    """The same of the bands of depth in which tissue must be seen."""
    boxes: tuple[Box, ...]
    """Box around each outline, in pixels of the source picture."""
    halves: tuple[NDArray[np.uint8], ...]
    """Blocks that lie wholly inside, 1, of the left, right, upper and lower half, (DEPTHS, COLUMNS) uint8 each."""


@lru_cache(maxsize=16)  # several streams take turns
def scan_mask(outlines: tuple[Outline, ...], crop: Box, shape: tuple[int, int]) -> ScanMask:
    """Make the mask of a small picture.

    Args:
        outlines: of the scans, in pixels of the source picture; empty: all of the picture is scan.
        crop: (x, y, w, h) that the small picture shows, in the same pixels.
        shape: height and width of the small picture.
    """
    height, width = shape
    pixels = np.full(shape, 0 if outlines else 255, np.uint8)
    for outline in outlines:
        points = (np.array(outline, np.float64) - crop[:2]) * (width / crop[2], height / crop[3])
        cv2.fillPoly(pixels, [np.rint(points).astype(np.int32)], 255)
    row_pixels = np.count_nonzero(pixels, axis=1).astype(np.int32)
    share = cv2.resize(pixels, (COLUMNS, DEPTHS), interpolation=cv2.INTER_AREA)
    inside = (share >= INSIDE).astype(np.uint8)
    halves = []
    for rows, columns in (
        (slice(None), slice(COLUMNS // 2)),
        (slice(None), slice(COLUMNS // 2, None)),
        (slice(DEPTHS // 2), slice(None)),
        (slice(DEPTHS // 2, None), slice(None)),
    ):
        half = np.zeros_like(inside)
        half[rows, columns] = inside[rows, columns]
        halves.append(half)
    return ScanMask(
        pixels,
        bool(pixels.all()),
        row_pixels,
        int(np.argmax(row_pixels > 0)),
        _band_mask(in_twos(share) / np.float32(255)),
        tuple(cv2.boundingRect(np.array(outline, np.int32)) for outline in outlines),
        tuple(halves),
    )


def _band_mask(share: NDArray[np.float32]) -> BandMask:
    """Band mask of the shares inside, (3, COLUMNS)."""
    there = share >= 0.25
    counts = np.count_nonzero(there, axis=1)
    quarter = np.minimum(COLUMNS - 1, COLUMNS - counts + 3 * counts // 4)
    columns = int(np.count_nonzero(there.any(axis=0)))
    return BandMask(np.maximum(share, np.float32(0.25)), there, (np.arange(len(share)), quarter), columns)


def in_twos(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of each two rows of blocks in `BANDS`, (3, COLUMNS) float32, of (DEPTHS, COLUMNS)."""
    rows = blocks[BANDS].astype(np.float32)
    means: NDArray[np.float32] = (rows[::2] + rows[1::2]) * np.float32(0.5)
    return means
