"""Boxes, points and regions of a picture, in pixels, with their calibration in millimetres."""

from __future__ import annotations

from typing import Literal

import msgspec

Box = tuple[int, int, int, int]
"""(x, y, width, height) in pixels; x and y of the top left corner."""

Point = tuple[float, float]
"""(x, y) in pixels of the source picture."""

ScanShape = Literal["sector", "curved", "linear", "trapezoid"]
"""Shape of a scan area: ``sector`` of a phased array (one apex), ``curved`` of a convex array (its tip is cut off by an
arc), ``linear`` (a rectangle) and ``trapezoid`` (a linear array that is steered outwards)."""


MAX_FIELD_MM = (600.0, 450.0)
"""Widest and deepest field of view, in mm: a panorama of 60 cm; from beyond 45 cm nothing comes back."""
MIN_FIELD_MM = 3.0
"""Smallest longer side of a field of view, in mm: that of a catheter in an artery."""
PIXEL_MM = (0.0005, 3.0)
"""Smallest and largest side of a pixel, in mm: far below the wavelength, and more than the beam is wide."""


class Region(msgspec.Struct, frozen=True):
    """A part of the picture that holds scan data, as DICOM PS3.3 C.8.5.5 has it.

    A picture can hold several; the one under a lesion decides whether, and how, it can be measured.
    """

    box: Box
    """Place of the region in pixels of the source picture, clipped to it."""
    mm_x: float | None = None
    """Width of one pixel in millimetres. None: not calibrated; nothing is then measured."""
    mm_y: float | None = None
    """Height of one pixel in millimetres. None: not calibrated."""
    source: str = "unknown"
    """Where this came from: ``dicom``, ``phantom``, ``config``, ``detected``."""
    uncalibrated: str | None = None
    """Why there are no millimetres although the source gives some; None: it gives none, or they hold."""
    outline: tuple[tuple[int, int], ...] | None = None
    """Outline of the scan inside of the picture, as the pixels show it: closed polygon in pixels of the source picture,
    first point not repeated. What lies outside is no scan, and is never shown elsewhere. None: not found."""
    shape: ScanShape | None = None
    """Shape of ``outline``; None where there is none."""

    @property
    def calibrated(self) -> bool:
        """Whether both axes have a size in millimetres."""
        return self.mm_x is not None and self.mm_y is not None


def calibrated_region(box: Box, mm_x: float, mm_y: float, source: str) -> Region:
    """Region with millimetres, or if no scanner has such a field of view, one without, that says why."""
    width, height = box[2] * mm_x, box[3] * mm_y
    possible = max(width, height) >= MIN_FIELD_MM and width <= MAX_FIELD_MM[0] and height <= MAX_FIELD_MM[1]
    if possible and PIXEL_MM[0] <= min(mm_x, mm_y) and max(mm_x, mm_y) <= PIXEL_MM[1]:
        return Region(box=box, mm_x=mm_x, mm_y=mm_y, source=source)
    reason = f"pixels of {mm_x:.3g} x {mm_y:.3g} mm make a field of view of {width:.4g} x {height:.4g} mm"
    return Region(box=box, source=source, uncalibrated=f"{reason}, which no scanner has")
