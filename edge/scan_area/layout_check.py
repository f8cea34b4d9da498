"""Layout check: whether a screen is still laid out as when its scans were looked for, at the cost of some samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.scan_area.blackout import outline_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Region

SAMPLES_A_SIDE = 96
"""Samples along the longer side of a picture, about."""
CHANGED = 28
"""Grey values by which a sample must differ: more than what a codec or a grabber adds."""
SHARE = 0.04
"""Share of the samples outside of the scans from which on the layout is another one: a clock or a trace is less."""
RIM = 0.5
"""Share of the textured samples at the rim of the scans that must be left: less, and the scan has become smaller."""


class LayoutCheck:
    """The layout of a screen at one moment, that later pictures of the same size are compared with."""

    def __init__(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...]) -> None:
        """Remember what ``pixels``, (H, W[, 3]) uint8, show around the outlines of ``regions``, and at their rims."""
        height, width = pixels.shape[:2]
        self._step = max(1, max(height, width) // SAMPLES_A_SIDE)
        mask = outline_mask(regions, width, height)
        self._outside = np.ascontiguousarray(mask[:: self._step, :: self._step] == 0)
        self._count = max(int(self._outside.sum()), 1)
        self._then = self._samples(pixels)
        self._rim = _rim(mask, self._step)
        self._textured = max(self._texture(pixels), 1)

    def is_another(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether a picture (H, W[, 3]) is laid out otherwise: much changed around the scans, or rims are empty."""
        changed = (cv2.absdiff(self._samples(pixels), self._then) >= CHANGED) & self._outside
        return int(np.count_nonzero(changed)) > SHARE * self._count or self._texture(pixels) < RIM * self._textured

    def _samples(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Every so many pixels of the picture, of its green where it has colours: that is most of the grey."""
        plane = pixels if pixels.ndim == 2 else pixels[:, :, 1]
        return np.ascontiguousarray(plane[:: self._step, :: self._step])

    def _texture(self, pixels: NDArray[np.uint8]) -> int:
        """Number of samples at the rim that differ from the pixels beside them."""
        plane = pixels if pixels.ndim == 2 else pixels[:, :, 1]
        rows, columns = self._rim
        return int(np.count_nonzero(plane[rows, columns] != plane[rows, columns - 2]))


def _rim(mask: NDArray[np.uint8], step: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of samples just inside of the mask's edge."""
    small = np.ascontiguousarray(mask[::step, ::step])
    rim = small & ~cv2.erode(small, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rows, columns = np.nonzero(rim)
    return rows * step, np.maximum(columns * step, 2)
