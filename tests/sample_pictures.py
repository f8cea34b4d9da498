"""Small pictures and clips of speckle, written to files for tests."""

from __future__ import annotations

import cv2
import numpy as np


def speckle(height=240, width=320, seed=0):
    """(height, width) uint8 grey, with the grey values of ultrasound speckle."""
    return np.clip(np.random.default_rng(seed).rayleigh(45, (height, width)), 0, 255).astype(np.uint8)


def write_png(path, pixels=None):
    """Write ``pixels`` (grey or BGR, uint8; default: speckle) by the ending of ``path``, and return it."""
    assert cv2.imwrite(str(path), speckle() if pixels is None else pixels)
    return path


def write_clip(path, frames=5):
    """Write a Motion JPEG clip of speckle, 320 x 240, and return its path."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (320, 240), True)
    for seed in range(frames):
        writer.write(cv2.cvtColor(speckle(seed=seed), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path
