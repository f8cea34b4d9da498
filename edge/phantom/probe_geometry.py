"""Geometry of linear and sector probes: scan conversion from beams to a picture, and of points between them.

Three systems of coordinates, all in millimetres but the last:
    tissue   (x, y)  flat, x to the right, y down; (0, 0) is the middle of the probe's face
    beam     (u, d)  u across the beams (on an arc at middle depth, for a sector), d from the probe's face downwards
    picture  (px, py)  pixels, (0, 0) the corner of the first one
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.phantom.spec import DEFAULT_DEPTH_MM, MAX_DEPTH_MM, MIN_DEPTH_MM, MIN_SPAN_MM, SCAN_HEIGHT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.phantom.spec import PhantomSpec

    Array = NDArray[np.float64]

HALF_ANGLE = math.radians(30)
"""Half of the opening angle of a sector probe's fan, in radians."""
FACE_RADIUS = 0.45
"""Radius of a curved probe's face, in depths of the scan."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeGeometry:
    """Scan geometry that linear and sector probes have in common.

    A beam image is (rows, beams): one echo line a column, as a scanner has it.
    """

    width: int
    """Of the picture, in pixels."""
    height: int
    """Of the picture, in pixels."""
    mm: float
    """Side of a pixel in millimetres."""
    box: Box
    """The scan's bounding box in pixels."""
    depth_mm: float
    """Depth of the scan."""
    span_mm: float
    """Extent in u."""
    rows: int
    """Number of rows of a beam image."""
    beams: int
    """Number of columns of a beam image."""
    origin: tuple[float, float]
    """Pixel (px, py) at which tissue (0, 0) lies."""

    @property
    def row_mm(self) -> float:
        """Distance of two rows of a beam image in millimetres."""
        return self.depth_mm / self.rows

    @property
    def beam_mm(self) -> float:
        """Distance of two beams in u, in millimetres."""
        return self.span_mm / self.beams

    def to_picture(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Convert tissue (x, y) in millimetres to pixels (px, py)."""
        return self.origin[0] + x / self.mm, self.origin[1] + y / self.mm

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Convert tissue (x, y) to beam coordinates (u, d), in millimetres."""
        raise NotImplementedError

    def to_tissue(self, u: Array, d: Array) -> tuple[Array, Array]:
        """Convert beam coordinates (u, d) to tissue (x, y), in millimetres."""
        raise NotImplementedError

    def convert(self, beams: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Scan conversion: (rows, beams) uint8 beam image to (height, width) uint8 grey; black around the scan."""
        raise NotImplementedError


class LinearProbe(ProbeGeometry):
    """Linear probe: parallel beams, one for each pixel column."""

    __slots__ = ()

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Implement `ProbeGeometry.to_beam`: the same place."""
        return x, y

    def to_tissue(self, u: Array, d: Array) -> tuple[Array, Array]:
        """Implement `ProbeGeometry.to_tissue`: the same place."""
        return u, d

    def convert(self, beams: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Implement `ProbeGeometry.convert`: the beam image, set into the black border."""
        picture = np.zeros((self.height, self.width), np.uint8)
        x, y, w, h = self.box
        picture[y : y + h, x : x + w] = beams
        return picture


@dataclass(frozen=True, slots=True, eq=False)
class SectorProbe(ProbeGeometry):
    """Sector probe: beams that fan out from a curved face."""

    face_mm: float
    """Radius of the face in millimetres."""
    lookup: NDArray[np.int16]
    """(height, width, 2): beam and row that each pixel shows; -1 outside the fan."""

    @property
    def arc_mm(self) -> float:
        """Radius on which u is measured, in millimetres."""
        return self.face_mm + self.depth_mm / 2

    def to_beam(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Implement `ProbeGeometry.to_beam`: by angle and distance from the centre of the face's curve."""
        down = y + self.face_mm
        return np.arctan2(x, down) * self.arc_mm, np.hypot(x, down) - self.face_mm

    def to_tissue(self, u: Array, d: Array) -> tuple[Array, Array]:
        """Implement `ProbeGeometry.to_tissue`: back from angle and distance."""
        angle, radius = u / self.arc_mm, d + self.face_mm
        return radius * np.sin(angle), radius * np.cos(angle) - self.face_mm

    def convert(self, beams: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Implement `ProbeGeometry.convert`: each pixel shows the nearest sample.

        This copies bytes, and so is the same on every machine.
        """
        picture: NDArray[np.uint8] = cv2.remap(
            beams, self.lookup, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0
        )
        return picture


def make_probe(spec: PhantomSpec) -> ProbeGeometry:
    """Make the probe geometry of ``spec``. Raises ValueError if its millimetres make a scan that no probe has."""
    probe = _linear(spec) if spec.geometry == "linear" else _sector(spec)
    if not MIN_DEPTH_MM <= probe.depth_mm <= MAX_DEPTH_MM or probe.span_mm < MIN_SPAN_MM:
        raise ValueError(
            f"expected a scan {MIN_DEPTH_MM:.0f} to {MAX_DEPTH_MM:.0f} mm deep and at least {MIN_SPAN_MM:.0f} mm wide, "
            f"got {probe.depth_mm:.1f} by {probe.span_mm:.1f} ({spec.width}x{spec.height} pixels of {probe.mm:.3g} mm)"
        )
    return probe


def _linear(spec: PhantomSpec) -> ProbeGeometry:
    h = int(spec.height * SCAN_HEIGHT)
    w = min(int(spec.width * SCAN_HEIGHT), h * 10 // 9)
    x, y = (spec.width - w) // 2, (spec.height - h) // 2
    mm = _pixel_mm(spec, h)
    return LinearProbe(
        spec.width, spec.height, mm, (x, y, w, h), h * mm, w * mm, rows=h, beams=w, origin=(x + w / 2, float(y))
    )


def _sector(spec: PhantomSpec) -> ProbeGeometry:
    rise = FACE_RADIUS * (1 - math.cos(HALF_ANGLE))  # the face's ends stand above its middle
    spread = 2 * (1 + FACE_RADIUS) * math.sin(HALF_ANGLE)
    depth = min(spec.height * SCAN_HEIGHT / (1 + rise), spec.width * SCAN_HEIGHT / spread)
    mm = _pixel_mm(spec, depth)
    down = depth * (1 + rise)
    top = (spec.height - down) / 2
    origin = (spec.width / 2, top + depth * rise)
    rows = 2 * math.ceil(depth)
    beams = math.ceil(2 * HALF_ANGLE * (1 + FACE_RADIUS) * depth * 1.25)  # 1.25 beams a pixel on the outermost arc
    face_mm, depth_mm = FACE_RADIUS * depth * mm, depth * mm
    x = (np.arange(spec.width) + 0.5 - origin[0])[None, :] * mm
    y = (np.arange(spec.height) + 0.5 - origin[1])[:, None] * mm + face_mm
    beam = np.floor((np.arctan2(x, y) / (2 * HALF_ANGLE) + 0.5) * beams)
    row = np.floor((np.hypot(x, y) - face_mm) * (rows / depth_mm))
    inside = (beam >= 0) & (beam < beams) & (row >= 0) & (row < rows) & (y > 0)
    lookup = np.where(inside[..., None], np.stack([beam, row], -1), -1).astype(np.int16)
    ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = (int(xs[0]), int(ys[0]), int(xs[-1] - xs[0] + 1), int(ys[-1] - ys[0] + 1))
    span = 2 * HALF_ANGLE * (face_mm + depth_mm / 2)
    return SectorProbe(spec.width, spec.height, mm, box, depth_mm, span, rows, beams, origin, face_mm, lookup)


def _pixel_mm(spec: PhantomSpec, depth_px: float) -> float:
    return DEFAULT_DEPTH_MM / depth_px if spec.mm_per_px is None else spec.mm_per_px
