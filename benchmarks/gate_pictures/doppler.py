"""Colour Doppler painted over real scans: flow in red and blue within the outline of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def with_doppler(grey: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """The scan, (H, W) uint8, in RGB with a Doppler box in which a tenth to a half shows flow."""
    height, width = grey.shape
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    h, w = int(height * rng.uniform(0.3, 0.6)), int(width * rng.uniform(0.3, 0.7))
    y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
    noise = rng.standard_normal((h, w)).astype(np.float32)
    flow = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.02, 0.05) * height)
    limit = np.quantile(np.abs(flow), 1 - rng.uniform(0.1, 0.5))
    speed = np.clip((np.abs(flow) - limit) / (np.abs(flow).max() - limit + 1e-6), 0, 1)[:, :, None]
    towards = np.array((200, 20, 10)) * (1 - speed) + np.array((255, 220, 60)) * speed
    away = np.array((10, 40, 200)) * (1 - speed) + np.array((80, 220, 255)) * speed
    box = picture[y : y + h, x : x + w]
    painted = np.where((flow > 0)[:, :, None], towards, away)
    strength = rng.uniform(0.7, 1.0)
    shown = np.abs(flow) > limit
    box[shown] = (strength * painted + (1 - strength) * box)[shown].astype(np.uint8)
    cv2.rectangle(picture, (x, y), (x + w, y + h), (230, 230, 120), 1)
    return picture
