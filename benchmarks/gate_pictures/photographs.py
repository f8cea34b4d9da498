"""Photographs and patterns that come with scikit-image, cut, turned and recoloured: what is no ultrasound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = (
    "astronaut", "brick", "camera", "cell", "chelsea", "clock", "coffee", "coins", "colorwheel", "grass", "gravel",
    "horse", "hubble_deep_field", "immunohistochemistry", "logo", "moon", "retina", "rocket",
)  # fmt: skip


def originals() -> dict[str, NDArray[np.uint8]]:
    """Pictures by name, (H, W) grey or (H, W, 3) RGB; needs scikit-image."""
    from skimage import data  # only in the environment of the training

    pictures = {}
    for name in NAMES:
        picture = np.asarray(getattr(data, name)())
        if picture.dtype == bool:
            picture = picture.astype(np.uint8) * 255
        pictures[name] = np.ascontiguousarray(picture[:, :, :3] if picture.ndim == 3 else picture)
    return pictures


def photograph(pictures: dict[str, NDArray[np.uint8]], number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Part of a picture, (h, w, 3) RGB uint8, mirrored, of another size, gain and colour."""
    picture = pictures[list(pictures)[number % len(pictures)]]
    height, width = picture.shape[:2]
    share = rng.uniform(0.5, 1.0)
    h, w = int(height * share), int(width * share)
    y, x = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
    part = picture[y : y + h, x : x + w]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    side = int(rng.integers(300, 800))
    part = cv2.resize(np.ascontiguousarray(part), (side, max(64, side * h // w)), interpolation=cv2.INTER_AREA)
    if part.ndim == 3 and rng.random() < 0.4:
        part = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    return np.clip(part * rng.uniform(0.6, 1.2), 0, 255).astype(np.uint8)
