"""Geometric augmentation, which moves pixels: picture and mask go through one and the same affine matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.preprocess.letterbox import Letterbox

RESAMPLERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4, cv2.INTER_LINEAR_EXACT)
Picture = "NDArray[np.uint8]"


def random_matrix(rng: np.random.Generator, width: int, height: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Draw a random affine matrix (2, 3) float64 from source to canvas, and the canvas' (width, height).

    Mirrored left-right at even odds, never upside down: depth runs downwards in every scan. A window of 0.75 to 1.1
    of each side is cut out at a random place, turned by up to 8 degrees and stretched by up to 10 % (scanners differ
    in pixel aspect after scan conversion). Beyond the picture there is black, as beside a scan.
    """
    zoom = rng.uniform(0.75, 1.1) if rng.random() < 0.8 else 1.0
    w, h = zoom * width, zoom * height * rng.uniform(0.9, 1.1)
    cx = width / 2 + rng.uniform(-0.5, 0.5) * abs(width - w)
    cy = height / 2 + rng.uniform(-0.5, 0.5) * abs(height - h)
    angle = math.radians(rng.uniform(-8, 8)) if rng.random() < 0.5 else 0.0
    flip = -1.0 if rng.random() < 0.5 else 1.0
    scale = rng.uniform(0.8, 1.4)
    out_w, out_h = max(32, round(w * scale)), max(32, round(height * zoom * scale))
    sx, sy = out_w / w, out_h / h
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = np.diag([flip * sx, sy]) @ turn
    shift = np.array([out_w / 2, out_h / 2]) - linear @ np.array([cx, cy])
    return np.hstack([linear, shift[:, None]]), (out_w, out_h)


def warp(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    size: tuple[int, int],
    resampler: int = cv2.INTER_LINEAR,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Warp a picture and its mask, both (H, W) uint8, through one affine matrix (2, 3).

    The matrix maps continuous coordinates: (0.5, 0.5) is the first pixel's centre. ``size`` is the result's (width,
    height). The mask is sampled by nearest neighbour and stays 0/1.
    """
    # OpenCV puts a pixel's centre on whole numbers.
    centred = matrix.copy()
    centred[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    moved = cv2.warpAffine(image, centred, size, flags=resampler)
    return moved, cv2.warpAffine(mask, centred, size, flags=cv2.INTER_NEAREST)


def mask_to_tensor(mask: NDArray[np.uint8], box: Letterbox, width: int, height: int) -> NDArray[np.uint8]:
    """Map a source mask (H, W) 0/1 into the tensor's grid, by the letterbox that its picture went through.

    Returns (``height``, ``width``) uint8 0/1: 1 where lesion fills half of a pixel or more.
    """
    x, y, w, h = box.crop
    ix, iy, iw, ih = box.inner
    share = cv2.resize(mask[y : y + h, x : x + w].astype(np.float32), (iw, ih), interpolation=cv2.INTER_AREA)
    out = np.zeros((height, width), np.uint8)
    out[iy : iy + ih, ix : ix + iw] = share >= 0.5
    return out


def lesion_free_window(rng: np.random.Generator, mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Draw a random (x, y, w, h) clear of the mask (H, W) 0/1 by 3 % of the width; None where there is no room.

    Each side is at least 0.35 of the picture's, and the aspect stays within what scans have.
    """
    height, width = mask.shape
    margin = max(3, width // 33)
    taken = cv2.dilate(mask, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8))
    total = cv2.integral(taken)
    for _ in range(24):
        w, h = (int(side * rng.uniform(0.35, 0.8)) for side in (width, height))
        if min(w, h) < 48 or not 0.5 <= w / h <= 2.0:
            continue
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        if total[y + h, x + w] - total[y, x + w] - total[y + h, x] + total[y, x] == 0:
            return x, y, w, h
    return None
