"""Rendered screen: a layout drawn once, with tissue that moves in its scans, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.screens.scan_content import paste

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.screens.scan_content import ScanGeometry, ScreenTissue
    from edge.contracts.region import ScanShape

    Painter = Callable[[NDArray[np.uint8], int], None]


@dataclass(slots=True, eq=False)
class RenderedScreen:
    """Screen of a scanner: furniture, scans, what lies over the scans, and what changes from frame to frame."""

    name: str
    furniture: NDArray[np.uint8]
    """(H, W, 3) RGB without any scan."""
    scans: list[tuple[ScanGeometry, ScreenTissue]] = field(default_factory=list)
    over: list[Painter] = field(default_factory=list)
    """Painters (screen, frame number) of what comes over the scans, and of what moves beside them."""
    jpeg: int | None = None
    """Quality of a JPEG between screen and grabber; None: none."""

    def frame(self, number: int = 0) -> NDArray[np.uint8]:
        """Picture of the screen, (H, W, 3) RGB."""
        screen = self.furniture.copy()
        for place, tissue in self.scans:
            paste(screen, place, tissue.grey(place, number))
        for painter in self.over:
            painter(screen, number)
        if self.jpeg is not None:
            data = cv2.imencode(".jpg", screen[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])[1]
            screen = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1])
        return screen

    @property
    def outlines(self) -> list[NDArray[np.float64]]:
        """True outlines of the scans, each (n, 2)."""
        return [place.outline for place, _ in self.scans]

    @property
    def shapes(self) -> list[ScanShape]:
        """True shapes of the scans."""
        return [place.shape for place, _ in self.scans]

    def mask(self) -> NDArray[np.uint8]:
        """True mask of all scans, (H, W) uint8 0 or 255."""
        mask = np.zeros(self.furniture.shape[:2], np.uint8)
        for place, _ in self.scans:
            x, y, w, h = place.box
            mask[y : y + h, x : x + w][place.inside] = 255
        return mask
