"""Lesions of the phantom: star-shaped outlines, known exactly, placed where no movement takes them out of the scan."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.phantom.noise import generator, uniform
from edge.phantom.spec import PhantomLesion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.phantom.probe_geometry import ProbeGeometry
    from edge.phantom.spec import Margin, PhantomSpec

    Array = NDArray[np.float64]

POINTS = 180
"""Number of corners of an outline: 2 degrees apart."""
CLEARANCE_MM = 1.5
"""Distance of a lesion to the sides of the scan, wherever it moves, and to other lesions, in millimetres."""
PLACES = 60
"""Number of random places tried for each lesion before all are made smaller."""


@dataclass(frozen=True, slots=True)
class LesionShape:
    """Shape of a lesion in tissue at rest, in millimetres: radius as a function of the angle around ``x, y``."""

    x: float
    """Middle of the lesion in tissue coordinates: to the right of the probe's middle."""
    y: float
    """Depth of its middle below the probe's face."""
    a: float
    """Half axis of the ellipse underneath."""
    b: float
    """Its other half axis."""
    tilt: float
    """Angle of the half axis a, in radians."""
    margin: Margin
    """Smooth or spiculated."""
    waves: tuple[tuple[int, float, float], ...]
    """Order, amplitude as a share of the radius, and phase of what the margin adds to the ellipse."""
    spikes: tuple[int, float, float]
    """Number, length as a share of the radius, and phase; length 0: none."""
    contrast_db: float
    """How much less it scatters than what is around it, in dB."""
    attenuation_db_mm: float
    """Attenuation beyond the tissue's: more than 0 casts a shadow, less than 0 brightens what lies behind."""

    def radius(self, angle: Array) -> Array:
        """Distance of the margin from the middle in millimetres, for angles in radians; same shape, float64."""
        c, s = np.cos(angle - self.tilt), np.sin(angle - self.tilt)
        ellipse = self.a * self.b / np.sqrt((self.b * c) ** 2 + (self.a * s) ** 2)
        ripple = np.ones_like(angle)
        for order, amplitude, phase in self.waves:
            ripple += amplitude * np.cos(order * angle + phase)
        count, length, phase = self.spikes
        uneven = 0.6 + 0.25 * np.cos(3 * angle + 2 * phase) + 0.15 * np.cos(5 * angle - phase)  # no two spikes alike
        peak = 0.5 + 0.5 * np.cos(count * angle + phase)
        ripple += length * uneven * peak**3
        result: Array = ellipse * ripple
        return result

    def outline(self) -> tuple[Array, Array]:
        """Corners of the outline in tissue millimetres: all x, then all y, (POINTS,) float64 each."""
        angle = np.arange(POINTS, dtype=np.float64) * (2 * math.pi / POINTS)
        r = self.radius(angle)
        return self.x + r * np.cos(angle), self.y + r * np.sin(angle)

    def inside(self, x: Array, y: Array) -> Array:
        """Signed distance to the margin along the radius, in millimetres, more than 0 inside; float64."""
        dx, dy = x - self.x, y - self.y
        result: Array = self.radius(np.arctan2(dy, dx)) - np.hypot(dx, dy)
        return result


def place_lesions(spec: PhantomSpec, probe: ProbeGeometry, travel_mm: float) -> tuple[LesionShape, ...]:
    """Place the lesions of ``spec``: none touches another, all stay in a scan that moves by ``travel_mm``."""
    rng = generator(spec.seed, 3)
    size = 1.0 / math.sqrt(max(1, spec.lesions))
    while True:
        shapes: list[LesionShape] = []
        for _ in range(PLACES * spec.lesions):
            if len(shapes) == spec.lesions:
                break
            shape = _draw(rng, spec, probe, size)
            if _fits(shape, probe, travel_mm) and not any(_near(shape, other) for other in shapes):
                shapes.append(shape)
        if len(shapes) == spec.lesions:
            return tuple(shapes)
        size *= 0.8


def _draw(rng: np.random.Generator, spec: PhantomSpec, probe: ProbeGeometry, size: float) -> LesionShape:
    spiculated = uniform(rng, 0, 1) < 0.5
    if spec.margin is not None:
        spiculated = spec.margin == "spiculated"
    deep = probe.depth_mm
    a = deep * size * uniform(rng, 0.11, 0.24)
    if spiculated:  # rounder, often taller than wide, with a shadow
        b, tilt = a * uniform(rng, 0.65, 1.0), uniform(rng, 0, math.pi)
        waves = tuple((k, uniform(rng, 0.0, 0.14) / math.sqrt(k), uniform(rng, 0, 6.28)) for k in range(2, 7))
        spikes = (9 + int(uniform(rng, 0, 6)), uniform(rng, 0.08, 0.28), uniform(rng, 0, 6.28))
        behind = uniform(rng, 0.3, 1.1)
    else:  # wider than tall, with enhancement
        b, tilt = a * uniform(rng, 0.42, 0.75), uniform(rng, -0.3, 0.3)
        waves = tuple((k, uniform(rng, 0.0, 0.07) / math.sqrt(k), uniform(rng, 0, 6.28)) for k in range(2, 6))
        spikes = (0, 0.0, 0.0)
        behind = -uniform(rng, 0.15, 0.6)
    u = uniform(rng, -0.5, 0.5) * probe.span_mm
    d = uniform(rng, 0.18, 0.52) * deep
    x, y = probe.to_tissue(np.array(u), np.array(d))
    contrast = uniform(rng, 10, 18)
    return LesionShape(
        float(x), float(y), a, b, tilt, "spiculated" if spiculated else "smooth", waves, spikes, contrast, behind
    )


def _fits(shape: LesionShape, probe: ProbeGeometry, travel_mm: float) -> bool:
    u, d = probe.to_beam(*shape.outline())
    aside = probe.span_mm / 2 - travel_mm - CLEARANCE_MM
    return bool(np.abs(u).max() <= aside and d.min() >= 0.1 * probe.depth_mm and d.max() <= 0.62 * probe.depth_mm)


def _near(one: LesionShape, other: LesionShape) -> bool:
    reach = sum(
        float(np.hypot(*(line - mid for line, mid in zip(s.outline(), (s.x, s.y), strict=True))).max())
        for s in (one, other)
    )
    return math.hypot(one.x - other.x, one.y - other.y) < reach + 2 * CLEARANCE_MM


def measure(px: Array, py: Array, mm: float, margin: Margin) -> PhantomLesion:
    """Measure an outline: its axes, area, box and centre. ``px`` and ``py``: (N,) in pixels of ``mm`` millimetres."""
    nx, ny = np.roll(px, -1), np.roll(py, -1)
    cross = px * ny - nx * py
    area = float(cross.sum()) / 2
    centre = (float(((px + nx) * cross).sum()) / (6 * area), float(((py + ny) * cross).sum()) / (6 * area))
    apart = np.hypot(px[:, None] - px[None, :], py[:, None] - py[None, :])
    i, j = np.unravel_index(int(apart.argmax()), apart.shape)
    long_px = float(apart[i, j])
    across = (px * (py[j] - py[i]) - py * (px[j] - px[i])) / long_px
    left, top = math.floor(px.min()), math.floor(py.min())
    box = (left, top, math.ceil(px.max()) - left, math.ceil(py.max()) - top)
    return PhantomLesion(
        outline_px=np.stack([px, py], axis=1),
        box=box,
        centre=centre,
        long_axis_mm=long_px * mm,
        short_axis_mm=float(across.max() - across.min()) * mm,
        area_mm2=abs(area) * mm * mm,
        margin=margin,
    )
