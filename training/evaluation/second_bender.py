"""Second bender, by which the anatomy gate is judged: scans along the beams of a probe, never used in training.

It shares nothing with `training.gate.scan_shapes`: beams are traced from the probe's face, with its angle and radius in
physical proportion, and pictures are sampled by splines. Pictures are (H, W) uint8 grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]


def virtual_convex(rng: np.random.Generator, picture: Grey) -> Grey:
    """Scan from a flat face with beams that part from a point behind it: a trapezoid with an arched lower edge."""
    height, width = picture.shape
    half = np.deg2rad(rng.uniform(6.0, 24.0))
    apex = 0.5 * width / np.tan(half)
    reach = float(height)
    x, y = _grid(0.5 * width + reach * np.sin(half), 0.0, reach)
    angle = np.arctan2(x, y + apex)
    travelled = y / np.cos(angle)
    return _sampled(picture, angle / half, travelled / reach)


def steered(rng: np.random.Generator, picture: Grey) -> Grey:
    """Scan with all beams turned by one angle: a parallelogram, less deep than the beams are long."""
    height, width = picture.shape
    angle = np.deg2rad(rng.uniform(5.0, 26.0)) * (1 if rng.random() < 0.5 else -1)
    reach = float(height)
    drift = reach * np.sin(angle)
    x, y = _grid(0.5 * (width + abs(drift)), 0.0, reach * np.cos(angle))
    foot = x - y * np.tan(angle) + 0.5 * drift
    return _sampled(picture, foot / (0.5 * width), y / np.cos(angle) / reach)


def curved_array(rng: np.random.Generator, picture: Grey) -> Grey:
    """Scan from a curved face whose arc is as long as the picture is wide: beams stand at right angles on it."""
    height, width = picture.shape
    opening = np.deg2rad(rng.uniform(25.0, 85.0))
    radius = width / opening
    reach = float(height)
    half = 0.5 * opening
    x, y = _grid((radius + reach) * np.sin(half), radius * np.cos(half), radius + reach)
    return _sampled(picture, np.arctan2(x, y) / half, (np.sqrt(x * x + y * y) - radius) / reach)


def _grid(half_width: float, top: float, bottom: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places of the bent picture's pixels: x from the middle, y from the origin, a pixel a unit, up to 640 a side."""
    step = max(1.0, max(2 * half_width, bottom - top) / 640)
    x, y = np.meshgrid(np.arange(-half_width, half_width, step), np.arange(top, bottom, step))
    return x, y


def _sampled(picture: Grey, lateral: NDArray[np.float64], depth: NDArray[np.float64]) -> Grey:
    """Picture by quadratic splines at beams (-1 to 1) and depths (0 to 1); black outside."""
    height, width = picture.shape
    places = np.stack([depth * (height - 1), (lateral + 1) / 2 * (width - 1)])
    values = map_coordinates(picture.astype(np.float32), places, order=2, mode="nearest", prefilter=True)
    seen = (np.abs(lateral) <= 1) & (depth >= 0) & (depth <= 1)
    bent: Grey = np.where(seen, np.clip(values, 0, 255), 0).astype(np.uint8)
    return bent


BENDINGS = {"virtual convex": virtual_convex, "steered": steered, "curved array": curved_array}
"""By name: the ways in which a picture is bent; each takes (generator, grey picture)."""
