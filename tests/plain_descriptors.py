"""Descriptors of a lesion computed plainly from the whole picture: what the quicker code must give, to the bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts import precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box
    from edge.contracts.results import Lesion


def describe(lesion: Lesion, pixels: NDArray[np.uint8], scan: Box, aspect: float) -> dict[str, float]:
    """All descriptors, arguments as for `edge.postprocess.descriptors.describe`."""
    x, y, w, h = lesion.box
    found: dict[str, float | None] = {"taller_than_wide": h * aspect / w}
    left, top = max(scan[0], x - w), max(scan[1], y - h)
    right, bottom = min(scan[0] + scan[2], x + 2 * w), min(scan[1] + scan[3], y + 2 * h)
    if right > left and bottom > top:
        step = max(1, -(-max(right - left, bottom - top) // 128))
        grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        grey = np.ascontiguousarray(grey[top:bottom:step, left:right:step])
        outline = (np.array(lesion.outline) - (left, top)) / step
        box = (round((x - left) / step), round((y - top) / step), max(1, round(w / step)), max(1, round(h / step)))
        found["margin_sharpness"] = margin_sharpness(grey, outline)
        found["echogenicity"] = echogenicity(grey, outline)
        found["posterior"] = posterior(grey, box)
    return {name: precision.descriptor(value) for name, value in found.items() if value is not None}


def echogenicity(grey: NDArray[np.uint8], outline: NDArray[np.float64]) -> float | None:
    """Mean grey inside over mean grey of the ring around."""
    inside = np.zeros(grey.shape, np.uint8)
    cv2.fillPoly(inside, [np.round(outline - 0.5).astype(np.int32)], 1)
    radius = max(1.0, float(np.sqrt(np.count_nonzero(inside) / np.pi)))
    rings = [round(radius * 0.1), max(2, round(radius * 0.45))]
    discs = [cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)) for reach in rings]
    near, far = (cv2.dilate(inside, disc) for disc in discs)
    if np.count_nonzero(inside) < 12 or np.count_nonzero(far - near) < 12:
        return None
    within, around = float(cv2.mean(grey, mask=inside)[0]), float(cv2.mean(grey, mask=far - near)[0])
    return within / around if around >= 2.0 else None


def posterior(grey: NDArray[np.uint8], box: Box) -> float | None:
    """Mean grey below the lesion over that beside it."""
    x, y, w, h = box
    rows = slice(y + h, min(grey.shape[0], y + h + max(2, h // 2)))
    if rows.stop - rows.start < h / 8:
        return None
    gap = max(1, w // 8)
    below = grey[rows, max(0, x + w // 4) : x + w - w // 4]
    beside = [grey[rows, max(0, x - gap - w) : max(0, x - gap)], grey[rows, x + w + gap : x + 2 * w + gap]]
    count = sum(side.size for side in beside)
    if below.size < 12 or count < 12:
        return None
    mean = sum(float(side.sum()) for side in beside) / count
    return float(below.mean()) / mean if mean >= 2.0 else None


def margin_sharpness(grey: NDArray[np.uint8], outline: NDArray[np.float64]) -> float | None:
    """Share of the change of grey across the margin that happens close to it."""
    points, normals, length = walk(outline)
    reach = max(2.0, 0.25 * length / (2 * np.pi))
    places = points[:, None, :] + normals[:, None, :] * (np.linspace(-1.0, 1.0, 9) * reach)[None, :, None] - 0.5
    height, width = grey.shape
    held = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=(1, 2))
    if np.count_nonzero(held) < 24:
        return None
    maps = places[held].astype(np.float32)
    profile = cv2.remap(grey, maps[:, :, 0], maps[:, :, 1], cv2.INTER_LINEAR).mean(axis=0)
    whole = float(profile[-2:].mean() - profile[:2].mean())
    if abs(whole) < 6.0:
        return None
    return float(np.clip((profile[5] - profile[3]) / whole, 0.0, 1.0))


def walk(outline: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """48 points evenly along the outline, their outward normals (both (n, 2)), and its length."""
    closed = np.concatenate((outline, outline[:1]))
    legs = np.diff(closed, axis=0)
    far = np.concatenate(([0.0], np.cumsum(np.hypot(legs[:, 0], legs[:, 1]))))
    length = max(float(far[-1]), 1e-6)
    at = np.arange(-1, 49) * (length / 48) % length
    x, y = (np.interp(at, far, closed[:, axis]) for axis in (0, 1))
    across, down = x[2:] - x[:-2], y[2:] - y[:-2]
    steep = np.maximum(np.hypot(across, down), 1e-9)
    if cv2.contourArea(outline.astype(np.float32), oriented=True) < 0:
        steep = -steep
    normals = np.stack((down / steep, -across / steep), axis=1)
    return np.stack((x[1:-1], y[1:-1]), axis=1), normals, length
