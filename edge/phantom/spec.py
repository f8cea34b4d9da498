"""Specification of a phantom, and the ground truth of a picture of it: lesions, mask, region."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Box, Point, Region

Geometry = Literal["linear", "sector"]
Margin = Literal["smooth", "spiculated"]

MAX_LESIONS = 6
MIN_SIDE, MAX_SIDE = 96, 2048
MIN_DEPTH_MM, MAX_DEPTH_MM = 20.0, 90.0
MIN_SPAN_MM = 20.0
DEFAULT_DEPTH_MM = 45.0
SCAN_HEIGHT = 15 / 16
"""Share of the picture's height that the scan may take; the rest is black border."""


@dataclass(frozen=True, slots=True)
class PhantomSpec:
    """Specification of one phantom. Equal specs give equal bytes. Raises ValueError if it cannot be made.

    The same spec with another number of ``lesions`` is the same breast with others, or with none.
    """

    seed: int
    """Seed of all random numbers, 0 or more."""
    width: int = 640
    """Width of the picture in pixels."""
    height: int = 480
    """Height of the picture in pixels."""
    geometry: Geometry = "linear"
    """``linear``: a rectangular scan area; ``sector``: a fan, scan-converted. Both on black."""
    lesions: int = 1
    """Number of lesions, 0 to 6. Where many do not fit, they become smaller."""
    mm_per_px: float | None = None
    """Side of a pixel in millimetres. None: so that the scan is 45 mm deep (0.1 at 480 rows, linear)."""
    margin: Margin | None = None
    """Margin of all lesions. None: the seed decides for each lesion."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"expected a seed of 0 or more, got {self.seed}")
        for name, side in (("width", self.width), ("height", self.height)):
            if not MIN_SIDE <= side <= MAX_SIDE:
                raise ValueError(f"expected a {name} of {MIN_SIDE} to {MAX_SIDE} pixels, got {side}")
        if self.geometry not in ("linear", "sector"):
            raise ValueError(f"expected the geometry linear or sector, got {self.geometry!r}")
        if not 0 <= self.lesions <= MAX_LESIONS:
            raise ValueError(f"expected 0 to {MAX_LESIONS} lesions, got {self.lesions}")
        if self.mm_per_px is not None and not 0 < self.mm_per_px < math.inf:
            raise ValueError(f"expected mm_per_px over 0, got {self.mm_per_px}")
        if self.margin not in (None, "smooth", "spiculated"):
            raise ValueError(f"expected the margin smooth or spiculated, got {self.margin!r}")


@dataclass(frozen=True, slots=True, eq=False)
class PhantomLesion:
    """Ground truth of one lesion in one frame, against which a measurement is compared."""

    outline_px: NDArray[np.float64]
    """(N, 2) float64 x and y, closed polygon, first point not repeated. (0, 0) is the corner of the first pixel."""
    box: Box
    """Smallest box of whole pixels around the outline."""
    centre: Point
    """Centroid of the area, in pixels."""
    long_axis_mm: float
    """Largest distance of two points of the outline."""
    short_axis_mm: float
    """Extent at right angles to the long axis."""
    area_mm2: float
    margin: Margin


@dataclass(frozen=True, slots=True, eq=False)
class PhantomPicture:
    """One frame of a phantom with its ground truth: region, lesions and mask."""

    pixels: NDArray[np.uint8]
    """(H, W) uint8 grey."""
    region: Region
    """The scan area, with the size of its pixels; source ``phantom``."""
    lesions: tuple[PhantomLesion, ...]
    mask: NDArray[np.uint8]
    """(H, W) uint8: 255 where the centre of the pixel lies in a lesion, else 0."""
