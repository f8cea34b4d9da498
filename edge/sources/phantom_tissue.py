"""A breast in cross-section: how strongly each place scatters, mirrors and weakens sound.

Skin, subcutaneous fat with septa, fibroglandular tissue, retromammary fat, pectoral muscle, and the pleura with the
lung's grey behind it. Levels are in dB against fibroglandular tissue. Invented for plausible pictures, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.sources.phantom_noise import generator, smooth, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.sources.phantom_lesions import Shape
    from edge.sources.phantom_views import View

    Array = NDArray[np.float64]

SOFT_MM = 0.25
"""Layers pass into each other within this."""


@dataclass(slots=True)
class Tissue:
    """Three maps (rows, columns) over u and d."""

    scatter_db: Array
    """Diffuse scattering: gives speckle."""
    mirror: Array
    """Amplitude of smooth interfaces, 1 as bright as fibroglandular tissue: gives lines without speckle."""
    attenuation_db_mm: Array
    """Beyond what the scanner's gain curve makes up for."""


def make_tissue(seed: int, u: Array, d: Array, depth_mm: float) -> Tissue:
    """Layers without lesions. ``u`` (1, columns), ``d`` (rows, 1) in millimetres."""
    rng = generator(seed, 1)
    rows, columns = d.shape[0], u.shape[1]
    wide, deep = float(u[0, -1] - u[0, 0]), float(d[-1, 0] - d[0, 0])

    def surface(cell_y_mm: float, cell_x_mm: float) -> Array:
        return smooth(rng, rows, columns, deep / cell_y_mm, wide / cell_x_mm)

    def border(share_low: float, share_high: float, swing_mm: float) -> Array:
        line = smooth(rng, 1, columns, 1, wide / 14)
        return depth_mm * uniform(rng, share_low, share_high) + swing_mm * line

    skin = border(0.038, 0.048, 0.12)
    fat = border(0.16, 0.27, 1.6)
    gland = fat + border(0.27, 0.40, 1.4)
    muscle = gland + border(0.03, 0.06, 0.5)
    pleura = muscle + border(0.15, 0.22, 0.5)

    in_fat, in_gland, in_gap, in_muscle, in_lung = (_rise(d - top) for top in (skin, fat, gland, muscle, pleura))
    septa = _ridge(surface(3.0, 10.0), 0.10) * in_fat * (1 - in_gland)
    strands = _ridge(surface(1.6, 11.0), 0.16) * in_gland * (1 - in_gap)
    ducts = _ridge(surface(3.0, 9.0), 0.12) * in_gland * (1 - in_gap)
    lobules = surface(2.2, 5.0)
    fibres = _ridge(smooth(rng, rows, columns, deep / 1.1, wide / 16), 0.22) * in_muscle * (1 - in_lung)
    patchy = 0.5 + 0.5 * np.clip(surface(5.0, 7.0), -1, 1)

    level = np.full((rows, columns), 2.0)  # skin
    level += in_fat * (-14.0 - 2.0) + in_fat * (1 - in_gland) * 1.5 * lobules
    level += in_gland * 14.0 + in_gland * (1 - in_gap) * (3.5 * lobules - 1.0)
    level -= in_gap * 12.0
    level += in_muscle * 4.0
    level -= in_lung * (5.0 + 0.35 * np.maximum(d - pleura, 0))
    level += 8.0 * septa + 6.0 * strands * patchy - 7.0 * ducts * (1 - patchy) + 8.0 * fibres

    mirror = 2.2 * _line(d - skin, 0.16) + 3.0 * _line(d - 0.25, 0.18)
    mirror += 1.6 * _line(d - fat, 0.14) * patchy + 1.8 * _line(d - gland, 0.14) * (1 - 0.5 * patchy)
    mirror += 2.0 * _line(d - muscle, 0.14) * (0.4 + 0.6 * patchy) + 5.0 * _line(d - pleura, 0.2)
    mirror += 1.2 * septa + 1.0 * strands * patchy + 0.9 * fibres
    residual = uniform(rng, 0.05, 0.30)  # a gain curve is never set quite right
    attenuation = residual * _rise(d - 0.4 * depth_mm) + 0.0 * u
    return Tissue(level, mirror, attenuation)


def put_lesion(tissue: Tissue, shape: Shape, inside_mm: Array) -> None:
    """Set a lesion into ``tissue``. ``inside_mm``: (rows, columns), distance to its margin, more than 0 inside."""
    within = inside_mm > 0
    rim = (inside_mm > -1.5) & ~within
    around = float(tissue.scatter_db[rim].mean()) if rim.any() else 0.0
    texture = 0.25 * (tissue.scatter_db[within] - tissue.scatter_db[within].mean())
    tissue.scatter_db[within] = around - shape.contrast_db + texture
    tissue.mirror[within] *= 0.1
    if shape.margin == "spiculated":  # a bright halo of tissue that is drawn in
        tissue.scatter_db += 5.0 * np.exp(-np.square((inside_mm + 0.8) / 0.7)) * ~within
    else:  # a thin capsule
        tissue.mirror += 0.8 * np.exp(-np.square((inside_mm + 0.2) / 0.12))
    tissue.attenuation_db_mm[within] += shape.attenuation_db_mm


def _rise(distance: Array) -> Array:
    """0 above a border, 1 below."""
    result: Array = np.clip(distance / SOFT_MM + 0.5, 0, 1)
    return result


def _ridge(surface: Array, width: float) -> Array:
    """1 where a surface crosses zero, falling off to 0: thin winding lines."""
    result: Array = np.exp(-np.square(surface / width))
    return result


def _line(distance: Array, width_mm: float) -> Array:
    result: Array = np.exp(-np.square(distance / width_mm))
    return result
