"""Boxes, points and regions of a picture, in pixels, with their calibration in millimetres."""

from __future__ import annotations

import msgspec

Box = tuple[int, int, int, int]
"""(x, y, width, height) in pixels; x and y of the top left corner."""

Point = tuple[float, float]
"""(x, y) in pixels of the source picture."""


class Region(msgspec.Struct, frozen=True):
    """A part of the picture that holds scan data, as DICOM PS3.3 C.8.5.5 has it.

    A picture can hold several; the one under a lesion decides whether, and how, it can be measured.
    """

    box: Box
    """In pixels of the source picture, clipped to it."""
    mm_x: float | None = None
    """Width of one pixel in millimetres. None: not calibrated; nothing is then measured."""
    mm_y: float | None = None
    """Height of one pixel in millimetres. None: not calibrated."""
    source: str = "unknown"
    """Where this came from: ``dicom``, ``phantom``, ``config``, ``detected``."""

    @property
    def calibrated(self) -> bool:
        """Whether both axes have a size in millimetres."""
        return self.mm_x is not None and self.mm_y is not None
