"""Simulates the echo of tissue: speckle, attenuation and log compression, from tissue maps to grey values.

Scatterers of random strength and phase, convolved with the point-spread function of the probe, give a complex field
whose envelope is Rayleigh-distributed speckle (Wagner et al., IEEE Trans. Sonics Ultrason. 30:156, 1983). It is
weakened along each beam and log-compressed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edge.phantom.noise import blur, generator, uniform, white

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.phantom.tissue import Tissue

    Array = NDArray[np.float64]

LOOKS = 2
"""Number of independent looks that are averaged in power, as a compounding scanner does: softer speckle."""
PULSE_MM = 0.11
"""Standard deviation of the pulse along the beam, in millimetres."""
FOCUS_MM, DEFOCUSED_MM = 0.20, 0.38
"""Standard deviation of the beam's width at the focus, and far from it, in millimetres."""
SHADOW_MM = 0.5
"""Standard deviation by which the edges of shadows are blurred, in millimetres."""


def echo_grey(
    seed: int, tissue: Tissue, depths: Array, row_mm: float, beam_mm: float, black: float
) -> NDArray[np.uint8]:
    """Simulate the B-mode picture of ``tissue`` on its own grid: (rows, columns) uint8 grey.

    Args:
        seed: of the scatterers, and of how the scanner is set: focus, gain, dynamic range of 50 to 60 dB.
        tissue: maps of (rows, columns) float64.
        depths: (rows, 1) float64, of each row in millimetres.
        row_mm: distance of two rows in millimetres.
        beam_mm: distance of two columns in millimetres.
        black: grey values to take off, to make room for noise that is added later.
    """
    rng = generator(seed, 2)
    span_db, top_db = uniform(rng, 50, 60), uniform(rng, 14, 20)
    focus = uniform(rng, 0.35, 0.55) * float(depths[-1, 0])
    envelope = insonify(rng, tissue, np.abs(depths - focus) / float(depths[-1, 0]), row_mm, beam_mm)
    loss_db = blur(np.cumsum(tissue.attenuation_db_mm, axis=0) * row_mm, 0, SHADOW_MM / beam_mm)
    level_db = 20 * np.log10(envelope + 1e-6) - loss_db - top_db
    grey = np.rint((1 + level_db / span_db) * 255 - black)
    return np.clip(grey, 0, 255).astype(np.uint8)


def insonify(rng: np.random.Generator, tissue: Tissue, focus_distance: Array, row_mm: float, beam_mm: float) -> Array:
    """Envelope of the echo, (rows, columns) float64, 1 for a scattering of 0 dB.

    ``focus_distance``: (rows, 1) float64, 0 at the focus, up to 1. ``row_mm`` and ``beam_mm``: distances of two rows
    and of two columns in millimetres.
    """
    axial, narrow, wide = PULSE_MM / row_mm, FOCUS_MM / beam_mm, DEFOCUSED_MM / beam_mm
    defocus = np.minimum(focus_distance / 0.6, 1)
    strength = 10 ** (tissue.scatter_db / 20)
    lines = blur(tissue.mirror, axial, narrow)
    power = np.zeros_like(strength)
    for _ in range(LOOKS):
        for in_phase in (lines, 0.0):  # mirrors have one phase, scatterers any
            echo = white(rng, *strength.shape) * strength
            sharp, soft = (blur(echo, axial, s) * math.sqrt(4 * math.pi * axial * s) for s in (narrow, wide))
            power += np.square(sharp + defocus * (soft - sharp) + in_phase)
    result: Array = np.sqrt(power / (2 * LOOKS))
    return result
