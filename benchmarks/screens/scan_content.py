"""Scan content: speckled pictures of sector, curved, linear and trapezoid scans, with their true outlines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box, ScanShape

    Array = NDArray[np.float32]

FIELD = (640, 384)
"""Rows and beams of a tissue field."""


@dataclass(frozen=True, slots=True, eq=False)
class ScanGeometry:
    """Place of each pixel of a box in a scan: beam and depth, both 0 to 1; outside of the scan, anything."""

    shape: ScanShape
    box: Box
    beam: Array
    depth: Array
    inside: NDArray[np.bool_]
    outline: NDArray[np.float64]
    """(n, 2) x and y in pixels of the screen."""


def place_scan(shape: ScanShape, box: Box, rng: np.random.Generator) -> ScanGeometry:
    """Place a scan of ``shape`` within ``box`` of a screen, as large as it can be there; its opening is drawn."""
    if shape in ("linear", "trapezoid"):
        return _straight(shape, box, 0.0 if shape == "linear" else rng.uniform(0.12, 0.28))
    half = math.radians(rng.uniform(30, 45) if shape == "sector" else rng.uniform(25, 37))
    return _fan(shape, box, half, rng.uniform(0.0, 0.04) if shape == "sector" else rng.uniform(0.18, 0.5))


def _straight(shape: ScanShape, box: Box, inset: float) -> ScanGeometry:
    """Rectangle, or trapezoid whose top is narrower by ``inset`` (share of the width) at either side."""
    left, top, width, height = box
    x, y = (np.arange(width, dtype=np.float32) + 0.5)[None, :], (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    margin = inset * width * (1 - y / height)
    beam = (x - margin) / (width - 2 * margin)
    depth = np.repeat(y / height, width, axis=1)
    corners = [(inset * width, 0), (width * (1 - inset), 0), (width, height), (0, height)]
    outline = np.array(corners, np.float64) + np.array((left, top))
    return ScanGeometry(shape, box, beam, depth, (beam >= 0) & (beam < 1), outline)


def _fan(shape: ScanShape, box: Box, half: float, face: float) -> ScanGeometry:
    """Fan of half angle ``half`` (radians); ``face``: the inner radius as a share of the outer one."""
    left, top, width, height = box
    rise = face * math.cos(half)
    outer = min(height / (1 - rise), width / (2 * math.sin(half)))
    apex = (width / 2, (height - outer * (1 - rise)) / 2 - outer * rise)
    x = (np.arange(width, dtype=np.float32) + 0.5 - apex[0])[None, :]
    y = (np.arange(height, dtype=np.float32) + 0.5 - apex[1])[:, None]
    radius, angle = np.hypot(x, y), np.arctan2(x, y)
    beam, depth = angle / (2 * half) + 0.5, (radius / outer - face) / (1 - face)
    inside = (beam >= 0) & (beam < 1) & (depth >= 0) & (depth < 1)
    turn = np.linspace(-half, half, 60)
    arcs = [np.stack([r * np.sin(a), r * np.cos(a)], 1) for r, a in ((outer, turn), (outer * face, turn[::-1]))]
    outline = np.concatenate(arcs) + np.array((apex[0] + left, apex[1] + top))
    return ScanGeometry(shape, box, beam.astype(np.float32), depth.astype(np.float32), inside, outline)


class ScreenTissue:
    """Tissue under a probe that moves: layers, cysts, shadows and speckle, with noise that is new in each frame."""

    def __init__(self, rng: np.random.Generator, floor: float = 6.0, gain: float = 1.0) -> None:
        """``floor``: mean grey of the receiver's noise at full depth; ``gain``: of the echoes."""
        self._floor, self._rng = floor, rng
        rows = FIELD[0]
        level = self._levels() - 38 * np.linspace(0, 1, rows, dtype=np.float32)[:, None] * rng.uniform(0.4, 1.3)
        speckle = [cv2.GaussianBlur(rng.normal(size=FIELD).astype(np.float32), (0, 0), 2.2, sigmaY=1.3) for _ in "iq"]
        echo = np.hypot(*speckle)
        self._field = gain * (level + 26 * np.log(np.maximum(echo / echo.mean(), 0.08)))

    def _levels(self) -> Array:
        rows, beams = FIELD
        rng = self._rng
        y, x = np.mgrid[0:rows, 0:beams].astype(np.float32)
        level = np.full(FIELD, rng.uniform(70, 115), np.float32)
        for _ in range(rng.integers(3, 7)):  # layers that wave
            at = rng.uniform(0.05, 0.9) * rows + rng.uniform(4, 18) * np.sin(
                x / beams * rng.uniform(2, 7) + rng.uniform(0, 6)
            )
            level += rng.uniform(-18, 45) * np.exp(-(((y - at) / rng.uniform(4, 40)) ** 2))
        for _ in range(rng.integers(1, 5)):  # cysts and masses
            centre, size = rng.uniform((0.2, 0.1), (0.85, 0.9)) * (rows, beams), rng.uniform(0.03, 0.14) * beams
            level[np.hypot(y - centre[0], x - centre[1]) < size] -= rng.uniform(20, 110)
        for _ in range(rng.integers(0, 3)):  # shadows
            at, width, begins = rng.uniform(0, beams), rng.uniform(0.02, 0.1) * beams, rng.uniform(0.15, 0.7) * rows
            level[(np.abs(x - at) < width) & (y > begins)] -= rng.uniform(30, 80)
        return level

    def grey(self, place: ScanGeometry, frame: int = 0) -> NDArray[np.uint8]:
        """Grey (h, w) uint8 of the scan's box in a frame; 0 outside of the scan."""
        rows, beams = FIELD
        shift = 6 * math.sin(frame / 7)
        u, v = place.beam * (beams - 14) + 7 + shift, place.depth * (rows - 1)
        grey = cv2.remap(
            self._field, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
        noise = (
            np.abs(self._rng.normal(0, 1, grey.shape).astype(np.float32)) * self._floor * (0.35 + 0.65 * place.depth)
        )
        grey = np.clip(np.maximum(grey, 0) + noise, 0, 255)
        return np.where(place.inside, grey, 0).astype(np.uint8)


def paste(screen: NDArray[np.uint8], place: ScanGeometry, grey: NDArray[np.uint8]) -> None:
    """Paint the scan on a screen (H, W, 3), inside of its outline alone."""
    x, y, w, h = place.box
    view = screen[y : y + h, x : x + w]
    view[place.inside] = grey[place.inside][:, None]
