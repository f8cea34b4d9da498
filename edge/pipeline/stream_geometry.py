"""Rotates, flips and crops the pictures of a stream, and the scan regions that its source gives, in this order.

All that comes after, calibration and lesions included, is in the pixels that come out here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.config.settings import StreamSettings
    from edge.contracts.frames import Frame
    from edge.contracts.region import Box, Region

QUARTERS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
"""Turns clockwise in degrees, and OpenCV's constants of them."""


class StreamGeometry:
    """Turn, mirror image and part of the picture that the settings of one stream ask for."""

    def __init__(self, stream: StreamSettings) -> None:
        self._rotate, self._flip, self._crop = stream.rotate, stream.flip, stream.crop

    @property
    def changes(self) -> bool:
        """Whether anything is done at all."""
        return bool(self._rotate or self._flip or self._crop)

    def apply(self, frame: Frame) -> Frame:
        """The frame as it is seen from here on. Raises `SourceError` if the crop is not within its picture."""
        height, width = frame.pixels.shape[:2]
        pixels = self._pixels(frame.pixels)
        regions = [self._region(region, (width, height)) for region in frame.regions]
        return replace(frame, pixels=pixels, regions=tuple(region for region in regions if region is not None))

    def _pixels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._rotate:
            pixels = cv2.rotate(pixels, QUARTERS[self._rotate])
        if self._flip:
            pixels = cv2.flip(pixels, 1 if self._flip == "horizontal" else 0)
        if self._crop is not None:
            x, y, width, height = self._crop
            has_height, has_width = pixels.shape[:2]
            if x + width > has_width or y + height > has_height:
                raise SourceError(
                    f"crop {[x, y, width, height]} is not within the picture of {has_width} x {has_height} pixels",
                    hint="correct crop of the stream: it is in pixels after rotate and flip",
                )
            pixels = np.ascontiguousarray(pixels[y : y + height, x : x + width])
        return pixels

    def _region(self, region: Region, size: tuple[int, int]) -> Region | None:
        """A region where it then is; None if it is not in the picture any more."""
        box = self._box(region.box, size)
        if box is None:
            return None
        mm_x, mm_y = (region.mm_y, region.mm_x) if self._rotate in (90, 270) else (region.mm_x, region.mm_y)
        return msgspec.structs.replace(region, box=box, mm_x=mm_x, mm_y=mm_y, outline=None, shape=None)

    def _box(self, box: Box, size: tuple[int, int]) -> Box | None:
        x, y, width, height = box
        full_width, full_height = size
        for _ in range(self._rotate // 90):  # a quarter clockwise: what is at the left comes to the top
            x, y, width, height = full_height - y - height, x, height, width
            full_width, full_height = full_height, full_width
        if self._flip == "horizontal":
            x = full_width - x - width
        elif self._flip == "vertical":
            y = full_height - y - height
        if self._crop is None:
            return x, y, width, height
        crop_x, crop_y, crop_width, crop_height = self._crop
        left, top = max(x - crop_x, 0), max(y - crop_y, 0)
        right, bottom = min(x + width - crop_x, crop_width), min(y + height - crop_y, crop_height)
        return (left, top, right - left, bottom - top) if left < right and top < bottom else None
