"""Pictures of no breast, made of a phantom, that a breast model's gate must refuse: an eye.

They share nothing with what training draws (`training.gate.synthetic_negatives`), and no model has seen them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Region

GLOBE = 0.36
"""Radius of the eye as a share of the scan's shorter side."""


def eye_phantom(seed: int, width: int, height: int) -> tuple[NDArray[np.uint8], Region]:
    """Render a phantom whose scan an eye fills: an echo-free globe, its bright back wall, a lens under its front.

    Returns the picture (``height``, ``width``) uint8 grey, and where in it the scan is.
    """
    picture = PhantomScene(PhantomSpec(seed=seed, width=width, height=height, lesions=0)).render(0)
    x, y, w, h = picture.region.box
    radius = GLOBE * min(w, h)
    rng = np.random.default_rng(seed)
    centre_x = x + w / 2 + 0.1 * radius * rng.uniform(-1, 1)
    centre_y = y + 0.12 * h + radius
    rows, columns = np.mgrid[0:height, 0:width]
    away = np.hypot(columns - centre_x, rows - centre_y) / radius
    out = picture.pixels.astype(np.float64)
    out[away < 1] = rng.uniform(2, 8)
    wall = np.exp(-(((away - 1.03) / 0.035) ** 2)) * np.clip((rows - centre_y) / radius, 0, 1)
    lens = np.hypot((columns - centre_x) / (0.45 * radius), (rows - centre_y + 0.75 * radius) / (0.16 * radius))
    out += 170 * wall + 90 * np.exp(-(((lens - 1) / 0.12) ** 2))
    inside = np.zeros((height, width), bool)
    inside[y : y + h, x : x + w] = True
    blurred: NDArray[np.uint8] = cv2.GaussianBlur(np.clip(out, 0, 255).astype(np.uint8), (3, 3), 0.8)
    return np.where(inside, blurred, picture.pixels).astype(np.uint8), picture.region
