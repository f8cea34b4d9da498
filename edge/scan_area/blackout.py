"""Blackout: makes all pixels outside of the scan's outlines black before a picture leaves the frame process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edge.contracts.region import Region


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


def black_out(pixels: NDArray[np.uint8], regions: Iterable[Region]) -> NDArray[np.uint8]:
    """Copy of a picture, (H, W) or (H, W, 3) uint8, that is black outside of the outlines of its ``regions``.

    Without an outline all of it is black: what is not known to be scan is not shown.
    """
    mask = outline_mask(regions, pixels.shape[1], pixels.shape[0])
    # OpenCV's copy with a mask leaves the rest as it was, and it was made of zeros.
    shown: NDArray[np.uint8] = cv2.copyTo(pixels, mask, np.zeros_like(pixels))
    return shown
