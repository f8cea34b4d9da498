"""Tissue model of a breast in cross-section: how strongly each place scatters, mirrors and weakens sound.

Skin, subcutaneous fat with septa, fibroglandular tissue, retromammary fat, pectoral muscle, and the pleura with the
lung's grey behind it. Levels are in dB against fibroglandular tissue. Invented for plausible pictures, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.phantom.noise import generator, smooth, uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.phantom.lesions import LesionShape

    Array = NDArray[np.float64]

SOFT_MM = 0.25
"""Distance in millimetres within which layers pass into each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Tissue:
    """Acoustic maps of tissue: scattering, mirroring and attenuation, each (rows, columns) float64."""

    scatter_db: Array
    """Diffuse scattering in dB: gives speckle."""
    mirror: Array
    """Amplitude of smooth interfaces, 1 as bright as fibroglandular tissue: gives lines without speckle."""
    attenuation_db_mm: Array
    """Attenuation in dB a millimetre, beyond what the scanner's gain curve makes up for."""

    def window(self, rows: slice, columns: slice) -> Tissue:
        """View of a part of the maps; what is written there is written here."""
        return Tissue(self.scatter_db[rows, columns], self.mirror[rows, columns], self.attenuation_db_mm[rows, columns])


def make_tissue(seed: int, u: Array, d: Array, depth_mm: float) -> Tissue:
    """Make the tissue layers without lesions. ``u`` (1, columns) and ``d`` (rows, 1): float64, in millimetres."""
    rng = generator(seed, 1)
    rows, columns = d.shape[0], u.shape[1]
    wide, deep = float(u[0, -1] - u[0, 0]), float(d[-1, 0] - d[0, 0])

    def surface(cell_y_mm: float, cell_x_mm: float) -> Array:
        return smooth(rng, rows, columns, deep / cell_y_mm, wide / cell_x_mm)

    def border(low: float, high: float, swing_mm: float, cell_mm: float = 14.0) -> Array:
        """A wavy line (1, columns), at a share ``low`` to ``high`` of the depth."""
        return depth_mm * uniform(rng, low, high) + swing_mm * smooth(rng, 1, columns, 1, wide / cell_mm)

    skin = border(0.034, 0.046, 0.1)
    fat = border(0.14, 0.24, 1.5) + np.abs(border(0, 0, 1.2, 5.0))
    gland = fat + border(0.27, 0.40, 1.4)
    muscle = gland + border(0.03, 0.06, 0.5)
    pleura = muscle + border(0.15, 0.22, 0.5)
    in_fat, in_gland, in_gap, in_muscle, in_lung = (_rise(d - top) for top in (skin, fat, gland, muscle, pleura))
    only_gland, only_muscle = in_gland - in_gap, in_muscle - in_lung

    patches, lobules, coarse = surface(5.0, 7.0), surface(1.8, 4.0), surface(7.0, 11.0)
    patchy = np.clip(0.5 + 0.6 * patches, 0, 1)
    septa = _ridge(surface(2.6, 9.0), 0.12) * (in_fat - in_gland) * np.clip(0.4 + 0.6 * lobules, 0, 1)
    strands = _ridge(surface(1.3, 9.0), 0.20) * only_gland * patchy
    ducts = _ridge(coarse + 0.4 * lobules, 0.25) * only_gland * (1 - 0.6 * patchy)
    fat_lobes = _rise(0.25 * (patches + 0.3 * lobules - uniform(rng, 0.55, 1.0))) * only_gland
    fibres = _ridge(surface(0.9, 14.0), 0.25) * only_muscle * np.clip(0.5 + 0.5 * lobules, 0, 1)

    # Each layer's level is a step from the one above: skin -3, fat -14, gland -1, gap -12, muscle -8, lung -16.
    level = -3 - 11 * in_fat + 13 * in_gland - 11 * in_gap + 4 * in_muscle - in_lung * (8 + 0.4 * (d - pleura))
    level += 2.0 * lobules * in_fat + 2.5 * coarse * in_gland
    level += 8 * septa + 7 * strands - 8 * ducts - 10 * fat_lobes + 9 * fibres

    shine = np.clip(0.5 + 0.6 * smooth(rng, 1, columns, 1, wide / 4.0), 0.05, 1)  # lines break up where they tilt
    mirror = 1.4 * _line(d - skin, 0.14) + 1.8 * _line(d - 0.2, 0.15)
    mirror += 1.5 * _line(d - fat, 0.12) * patchy + 1.6 * _line(d - gland, 0.13) * shine
    mirror += 1.8 * _line(d - muscle, 0.13) * shine[:, ::-1] + 3.2 * _line(d - pleura, 0.22) * (0.3 + 0.7 * shine)
    mirror += 1.0 * septa + 0.9 * strands + 0.8 * fibres

    residual = uniform(rng, 0.0, 0.3)  # a gain curve is never set quite right
    attenuation = residual * _rise(d - 0.4 * depth_mm) + 0.10 * surface(9.0, 2.5) + 0.5 * septa
    return Tissue(level, mirror, attenuation)


def put_lesion(tissue: Tissue, shape: LesionShape, inside_mm: Array) -> None:
    """Set a lesion into ``tissue``, in place. ``inside_mm``: (rows, columns) distance to its margin, over 0 inside."""
    spiculated = shape.margin == "spiculated"
    within = inside_mm > 0
    rim = (inside_mm > -2.0) & ~within
    core = _rise(inside_mm * (SOFT_MM / (0.8 if spiculated else 0.2)))
    texture = 0.5 * (tissue.scatter_db - float(tissue.scatter_db[within].mean()))
    lesion_db = float(tissue.scatter_db[rim].mean()) - shape.contrast_db + texture
    tissue.scatter_db[:] += core * (lesion_db - tissue.scatter_db)
    tissue.mirror[:] *= 1 - 0.95 * core
    if spiculated:  # a bright halo of tissue that is drawn in
        tissue.scatter_db[:] += 4 * _line(inside_mm + 0.9, 0.6) * ~within
    else:  # a thin capsule
        tissue.mirror[:] += 0.6 * _line(inside_mm + 0.2, 0.12)
    tissue.attenuation_db_mm[:] += shape.attenuation_db_mm * within


def _rise(distance: Array) -> Array:
    """0 above a border, 1 below."""
    result: Array = np.clip(distance / SOFT_MM + 0.5, 0, 1)
    return result


def _line(distance: Array, width: float) -> Array:
    """1 at distance 0, falling off to 0 within about two widths."""
    result: Array = np.square(np.maximum(1 - np.square(distance * (0.5 / width)), 0))
    return result


def _ridge(surface: Array, width: float) -> Array:
    """Thin winding lines: 1 where a surface crosses zero."""
    return _line(surface, width)
