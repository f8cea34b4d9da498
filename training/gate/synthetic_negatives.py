"""Synthetic negatives of the anatomy gate: test cards, noise, text, and distorted breast pictures.

Pictures are (H, W) uint8 grey; each function takes the random generator first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.gate.scan_shapes import to_sector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz     0123456789"))


def test_card(rng: np.random.Generator) -> Grey:
    """Draw a test card of random size: noise, a flat field, a gradient, bars, a chequer or a page of text.

    Returns (H, W) uint8 grey.
    """
    h, w = (int(v) for v in rng.integers(120, 600, 2))
    kinds = (_noise, _flat, _gradient, _bars, _chequer, _page)
    card = kinds[int(rng.integers(len(kinds)))](rng, h, w)
    grey: Grey = np.clip(card, 0, 255).astype(np.uint8)
    return grey


def _noise(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    step = rng.uniform(1, 24)
    small = rng.normal(rng.uniform(40, 200), rng.uniform(5, 90), (int(h / step) + 2, int(w / step) + 2))
    noise: NDArray[np.floating] = cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC)
    return noise


def _flat(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    return np.full((h, w), rng.uniform(0, 255)) + rng.normal(0, rng.uniform(0, 4), (h, w))


def _gradient(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    y, x = np.mgrid[0 : 1 : h * 1j, 0 : 1 : w * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    ramp: NDArray[np.floating] = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    return 127 + rng.uniform(60, 250) * ramp


def _bars(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    shades = rng.uniform(0, 255, int(rng.integers(3, 12)))
    bars = np.repeat(shades, -(-w // len(shades)))[:w][None].repeat(h, 0)
    return bars if rng.random() < 0.6 else cv2.resize(bars.T.copy(), (w, h))


def _chequer(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    cell = int(rng.integers(6, 60))
    y, x = np.mgrid[0:h, 0:w] // cell
    return np.where((x + y) % 2, rng.uniform(120, 255), rng.uniform(0, 100))


def _page(rng: np.random.Generator, h: int, w: int) -> NDArray[np.floating]:
    paper, ink = (250.0, 20.0) if rng.random() < 0.5 else (10.0, 220.0)
    page = np.full((h, w), paper, np.uint8)  # OpenCV 5 writes on nothing else
    scale = rng.uniform(0.3, 0.9)
    for y in range(12, h, int(34 * scale)):
        cv2.putText(
            page,
            "".join(rng.choice(LETTERS, int(w / (17 * scale)))),
            (6, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            ink,
            1,
            cv2.LINE_AA,
        )
    return page.astype(np.float32)


def turned(rng: np.random.Generator, picture: Grey) -> Grey:
    """Turn the picture on its side, or upside down. (H, W) uint8 grey."""
    return np.ascontiguousarray(np.rot90(picture, int(rng.integers(1, 4))))


def shuffled(rng: np.random.Generator, picture: Grey) -> Grey:
    """Cut the picture into tiles and shuffle them. (H, W) uint8 grey."""
    n = int(rng.integers(3, 7))
    h, w = picture.shape[0] // n, picture.shape[1] // n
    tiles = [picture[i * h : (i + 1) * h, j * w : (j + 1) * w] for i in range(n) for j in range(n)]
    order = rng.permutation(n * n)
    return np.vstack([np.hstack([tiles[k] for k in order[i * n : (i + 1) * n]]) for i in range(n)])


def inverted(rng: np.random.Generator, picture: Grey) -> Grey:
    """Invert the picture: black for white. (H, W) uint8 grey."""
    negative: Grey = 255 - picture
    return negative


def smeared(rng: np.random.Generator, picture: Grey) -> Grey:
    """Blur until no texture is left, along the beams or all around, as lungs and fluid look. (H, W) uint8 grey."""
    reach = rng.uniform(4, 14)
    blurred: Grey = cv2.GaussianBlur(picture, (0, 0), sigmaX=reach if rng.random() < 0.5 else 1.0, sigmaY=reach)
    return blurred


def lung(rng: np.random.Generator, picture: Grey) -> Grey:
    """Turn the picture into chest wall over a lung: under a bright pleural line no tissue, only echoes from above it.

    Repeats of the line at multiples of its depth (A-lines) and streaks along the beams (B-lines), as in
    Lichtenstein, Intensive Care Med 37:1085 (2011). A quarter is bent into a fan. (H, W) uint8 grey.
    """
    height, width = picture.shape
    depth = int(rng.uniform(0.12, 0.45) * height)
    x = np.linspace(-1, 1, width)
    line = depth * (1 + rng.uniform(-0.15, 0.15) * x + rng.uniform(-0.12, 0.12) * x**2)
    below = np.arange(height)[:, None] - line[None, :]
    column = picture[max(0, depth - 6) : depth + 6].mean(axis=0) + rng.uniform(10, 90) * _ripple(rng, width) ** 2
    fade = np.exp(-np.maximum(below, 0) / (height * rng.uniform(0.15, 0.9)))
    echo = fade * column[None, :] * rng.uniform(0.4, 1.0)
    for k in range(1, 1 + int(rng.integers(0, 4))):
        echo += rng.uniform(20, 90) * 0.6**k * np.exp(-(((below - k * depth) / rng.uniform(2, 6)) ** 2))
    echo *= 1 + rng.uniform(0.05, 0.3) * cv2.GaussianBlur(rng.normal(0, 3, picture.shape), (0, 0), rng.uniform(1, 4))
    out = np.where(below > 0, echo, picture * rng.uniform(0.6, 1.0))
    out += rng.uniform(60, 180) * np.exp(-((below / rng.uniform(1.5, 4)) ** 2)) * (0.4 + 0.6 * _ripple(rng, width))
    lungs: Grey = cv2.GaussianBlur(np.clip(out, 0, 255).astype(np.uint8), (0, 0), rng.uniform(0.5, 2.0))
    return to_sector(rng, lungs) if rng.random() < 0.25 else lungs


def _ripple(rng: np.random.Generator, width: int) -> NDArray[np.floating]:
    """A smooth random curve from 0 to 1, (width,)."""
    curve = cv2.resize(rng.uniform(0, 1, (1, int(rng.integers(4, 24)))), (width, 1), interpolation=cv2.INTER_LINEAR)
    ripple: NDArray[np.floating] = curve[0]
    return ripple


def eye(rng: np.random.Generator, picture: Grey) -> Grey:
    """Draw an eye: one echo-free ball that fills the scan, a bright wall behind, as in no breast. (H, W) uint8 grey."""
    height, width = picture.shape
    y, x = np.mgrid[0:height, 0:width]
    radius = rng.uniform(0.3, 0.55) * min(height, width)
    cx, cy = rng.uniform(0.4, 0.6) * width, rng.uniform(0.9, 1.5) * radius + rng.uniform(0, 0.1) * height
    away = np.hypot(x - cx, (y - cy) * rng.uniform(0.85, 1.15)) - radius
    inside = 1 / (1 + np.exp(away / rng.uniform(1, 4)))
    wall = np.exp(-((away / rng.uniform(2, 7)) ** 2)) * np.clip((y - cy) / radius, 0, 1)
    behind = 1 + rng.uniform(0, 0.8) * ((np.abs(x - cx) < radius) & (y > cy))
    fluid = rng.uniform(0, 25) + rng.normal(0, 4, picture.shape)
    out = picture * behind * (1 - inside) + fluid * inside + rng.uniform(60, 160) * wall
    ball: Grey = np.clip(out, 0, 255).astype(np.uint8)
    return ball


def near(rng: np.random.Generator, picture: Grey) -> Grey:
    """Enlarge a fiftieth of the picture to the size of the whole. (H, W) uint8 grey."""
    h, w = (int(side * rng.uniform(0.1, 0.22)) for side in picture.shape)
    y, x = int(rng.integers(0, picture.shape[0] - h)), int(rng.integers(0, picture.shape[1] - w))
    enlarged: Grey = cv2.resize(picture[y : y + h, x : x + w], None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    return enlarged


DISTORTIONS = {
    "turned": turned,
    "shuffled": shuffled,
    "inverted": inverted,
    "smeared": smeared,
    "near": near,
    "lung": lung,
    "eye": eye,
}
"""By family: distortions that make a breast picture look like no breast scan; each takes (generator, grey picture)."""
