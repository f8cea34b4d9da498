"""Blackout: makes all pixels outside of the scan's outlines black before a picture leaves the frame process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge.contracts.region import Box, Region


def outline_mask(regions: Iterable[Region], width: int, height: int) -> NDArray[np.uint8]:
    """Mask of the scan, (height, width) uint8: 255 inside of an outline, edge included, 0 elsewhere.

    All 0 where no region has an outline: a region's box is no mask.
    """
    mask = np.zeros((height, width), np.uint8)
    for region in regions:
        if region.outline is not None and len(region.outline) >= 3:
            cv2.fillPoly(mask, [np.array(region.outline, np.int32)], 255)
    return mask


def has_outline(regions: Iterable[Region]) -> bool:
    """Whether an outline of the scan is known, so that there is something that may be shown."""
    return any(region.outline is not None for region in regions)


class CroppedBlackout:
    """Blackout of one stream's pictures, cut to the box around the scan; keeps the mask while the outlines stay."""

    def __init__(self) -> None:
        """Begin without a mask; nothing is shown until outlines are known."""
        self._for: tuple[object, ...] = ()
        self._mask: NDArray[np.uint8] | None = None
        self._box: Box | None = None

    def box(self, regions: tuple[Region, ...], width: int, height: int) -> Box | None:
        """Box around all outlines inside of a picture of this size; None: nothing of it may be shown."""
        outlines = tuple(region.outline for region in regions if region.outline is not None)
        if (outlines, width, height) != self._for:
            mask = outline_mask(regions, width, height)
            x, y, w, h = cv2.boundingRect(mask)
            self._for = (outlines, width, height)
            self._box = (x, y, w, h) if w and h else None
            self._mask = np.ascontiguousarray(mask[y : y + h, x : x + w]) if w and h else None
        return self._box

    def write(self, pixels: NDArray[np.uint8], step: int, out: NDArray[np.uint8]) -> None:
        """Write every ``step``-th pixel inside of the `box` that was asked for last to ``out``, black outside outlines.

        ``out``: as large as the result, (H, W) or (H, W, 3).
        """
        assert self._box is not None  # noqa: S101  (the caller has asked for it)
        assert self._mask is not None  # noqa: S101  (as above)
        x, y, w, h = self._box
        out.fill(0)  # first: OpenCV's copy with a mask leaves the rest as it was
        shown, mask = pixels[y : y + h : step, x : x + w : step], self._mask[::step, ::step]
        if step > 1:  # OpenCV reads no such views
            shown, mask = np.ascontiguousarray(shown), np.ascontiguousarray(mask)
        cv2.copyTo(shown, mask, out)


def black_out(pixels: NDArray[np.uint8], regions: Iterable[Region]) -> NDArray[np.uint8]:
    """Copy of a picture, (H, W) or (H, W, 3) uint8, that is black outside of the outlines of its ``regions``.

    Without an outline all of it is black: what is not known to be scan is not shown.
    """
    mask = outline_mask(regions, pixels.shape[1], pixels.shape[0])
    # OpenCV's copy with a mask leaves the rest as it was, and it was made of zeros.
    shown: NDArray[np.uint8] = cv2.copyTo(pixels, mask, np.zeros_like(pixels))
    return shown
