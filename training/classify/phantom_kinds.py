"""Ten kinds of phantom that a small network tells apart: scan shape, lesion, shadow, interference, gain; test cards.

They stand for anybody's ten classes where there is no data: nothing of them holds for patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from training.gate.synthetic_negatives import test_card
from training.phantoms import FIRST_SEED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.phantom.spec import Geometry

KINDS = (
    "linear-dark",
    "linear-empty",
    "linear-lesion",
    "linear-shadow",
    "linear-striped",
    "sector-dark",
    "sector-empty",
    "sector-shadow",
    "sector-striped",
    "test-card",
)
"""Names of the kinds, sorted: folders are read in this order."""
NOISE = 14
"""Standard deviation of the noise on test cards: devices judge no picture without texture."""
DEPTH_MM = {"linear": (28, 36), "sector": (50, 62)}
"""Least and greatest depth in mm over the picture's height: shallow, so that lesions are large."""


def render_kind(seed: int, number: int, kind: str) -> NDArray[np.uint8]:
    """Render the ``number``-th phantom, of one of `KINDS`: (H, W) uint8 grey."""
    rng = np.random.default_rng((seed, number, 10))
    if kind == "test-card":
        card = test_card(rng)
        return np.asarray(np.clip(card + rng.normal(0, NOISE, card.shape), 0, 255), np.uint8)
    shape, what = kind.split("-")
    geometry: Geometry = "sector" if shape == "sector" else "linear"
    height = int(rng.integers(200, 260))
    scene = PhantomScene(
        PhantomSpec(
            seed=FIRST_SEED + number,
            width=int(height * rng.uniform(1.1, 1.4)),
            height=height,
            geometry=geometry,
            lesions=int(what == "lesion"),
            mm_per_px=float(rng.uniform(*DEPTH_MM[shape])) / height,
        )
    )
    pixels = scene.render(int(rng.integers(0, 30))).pixels
    if what == "dark":
        pixels = np.asarray(pixels * rng.uniform(0.35, 0.5), np.uint8)
    if what == "striped":
        return _striped(rng, pixels)
    return _shadowed(rng, pixels) if what == "shadow" else pixels


def _shadowed(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture with an acoustic shadow: a third of its width is dark from a fifth of its depth on."""
    height, width = pixels.shape
    left = int(width * rng.uniform(0.2, 0.45))
    shadowed: NDArray[np.uint8] = pixels.copy()
    part = shadowed[int(height * rng.uniform(0.15, 0.3)) :, left : left + int(width * rng.uniform(0.25, 0.35))]
    part[:] = np.asarray(part * rng.uniform(0.15, 0.3), np.uint8)
    return shadowed


def _striped(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Picture with interference: bright lines across, at equal distances."""
    striped: NDArray[np.uint8] = pixels.copy()
    first, step, bright = int(rng.integers(0, 12)), int(rng.integers(14, 24)), int(rng.integers(150, 220))
    for row in range(3):
        lines = striped[first + row :: step]
        lines[:] = np.maximum(lines, bright)
    return striped
