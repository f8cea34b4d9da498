"""Letterbox geometry: where a pixel of the tensor lies in the source picture, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.contracts.region import Box


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Placement of a crop of the source, resized with its aspect kept, centred in the tensor.

    Coordinates are continuous: (0, 0) is the corner of the first pixel, its centre is (0.5, 0.5). All in pixels.
    """

    crop: Box
    """(x, y, w, h) in the source."""
    inner: Box
    """(x, y, w, h) of the resized crop in the tensor; what is outside is padding."""

    @property
    def scale(self) -> tuple[float, float]:
        """Tensor pixels for one source pixel, in x and y; equal but for rounding to whole pixels."""
        return self.inner[2] / self.crop[2], self.inner[3] / self.crop[3]

    def to_source(self, x: float, y: float) -> tuple[float, float]:
        """Convert a place in the tensor to one in the source, in pixels; not clipped."""
        sx, sy = self.scale
        return (x - self.inner[0]) / sx + self.crop[0], (y - self.inner[1]) / sy + self.crop[1]

    def to_tensor(self, x: float, y: float) -> tuple[float, float]:
        """Convert a place in the source to one in the tensor, in pixels; not clipped."""
        sx, sy = self.scale
        return (x - self.crop[0]) * sx + self.inner[0], (y - self.crop[1]) * sy + self.inner[1]


def fit(crop: Box, width: int, height: int) -> Letterbox:
    """Fit ``crop`` (x, y, w, h) as large as possible into a ``width`` x ``height`` tensor, with its aspect kept.

    Integer arithmetic alone, so that every machine rounds alike. Raises ValueError for an empty crop.
    """
    _, _, w, h = crop
    if w <= 0 or h <= 0:
        raise ValueError(f"empty crop {crop}")
    if w * height >= h * width:  # the width binds
        inner_w, inner_h = width, max(1, (2 * h * width + w) // (2 * w))
    else:
        inner_w, inner_h = max(1, (2 * w * height + h) // (2 * h)), height
    return Letterbox(crop, ((width - inner_w) // 2, (height - inner_h) // 2, inner_w, inner_h))
