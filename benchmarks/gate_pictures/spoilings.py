"""Spoilings of real scans: halves black or full of text, shadows, lost contact, gain, blur, turned and inverted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from gate_pictures.screens import text_page

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

SPOILINGS = (
    "top half black", "bottom half black", "left half black", "right half black",
    "top half grey", "left half grey", "top half text", "left half text", "right half text",
    "gain x0.15", "gain x0.3", "gain x4", "brightness +110",
    "inverted", "upside down", "turned by 180", "turned by 90",
    "blur 3", "blur 5", "blur 8", "motion blur",
    "shadow over a third", "shadow over a half", "lost contact", "no contact",
)  # fmt: skip


def spoilt(name: str, grey: Grey, rng: np.random.Generator) -> Grey:
    """The picture, (H, W) uint8, spoilt as ``name`` says; a new one."""
    height, width = grey.shape
    kind, _, rest = name.partition(" half ")
    if rest in ("black", "grey", "text"):
        return _half(grey, kind, rest, rng)
    if name.startswith("gain"):
        return np.clip(grey * float(name[6:]), 0, 255).astype(np.uint8)
    if name.startswith("blur"):
        return cv2.GaussianBlur(grey, (0, 0), float(name[5:]) * max(height, width) / 448)
    if name in ("shadow over a third", "shadow over a half"):
        return _shadow(grey, third=name.endswith("third"), rng=rng)
    if name == "lost contact":
        lost, part = grey.copy(), int(width * rng.uniform(0.34, 0.6))
        columns = slice(0, part) if rng.random() < 0.5 else slice(width - part, width)
        lost[:, columns] = probe_echoes(height, part, rng)
        return lost
    simple = {
        "brightness +110": lambda: np.clip(grey.astype(int) + 110, 0, 255).astype(np.uint8),
        "inverted": lambda: 255 - grey,
        "upside down": lambda: grey[::-1].copy(),
        "turned by 180": lambda: grey[::-1, ::-1].copy(),
        "turned by 90": lambda: np.rot90(grey).copy(),
        "motion blur": lambda: cv2.blur(grey, (max(3, 25 * max(height, width) // 448), 1)),
        "no contact": lambda: probe_echoes(height, width, rng),
    }
    return simple[name]()


def _half(grey: Grey, side: str, cover: str, rng: np.random.Generator) -> Grey:
    """One half black, of one grey, or full of text."""
    height, width = grey.shape
    spoilt_picture = grey.copy()
    rows = {"top": slice(0, height // 2), "bottom": slice(height // 2, height)}.get(side, slice(0, height))
    columns = {"left": slice(0, width // 2), "right": slice(width // 2, width)}.get(side, slice(0, width))
    part = spoilt_picture[rows, columns]
    if cover == "text":
        part[:] = text_page(*part.shape, rng, light=rng.random() < 0.5)
    else:
        part[:] = 0 if cover == "black" else rng.integers(20, 200)
    return spoilt_picture


def _shadow(grey: Grey, *, third: bool, rng: np.random.Generator) -> Grey:
    """A shadow from below the skin downwards, over a third or more, or over one half."""
    height, width = grey.shape
    gain = np.ones((1, width), np.float32)
    if third:
        begin, top, rest = int(rng.integers(0, width - width // 3)), int(height * rng.uniform(0.03, 0.12)), 0.06
        gain[:, begin : begin + int(width * rng.uniform(0.34, 0.45))] = rest
    else:
        begin, top = int(rng.choice([0, width // 2])), 0
        gain[:, begin : begin + width // 2] = 0.04
    gain = cv2.GaussianBlur(gain, (0, 0), width / 60)
    shadowed = grey.astype(np.float32)
    shadowed[top:] *= gain
    return shadowed.astype(np.uint8)


def probe_echoes(height: int, width: int, rng: np.random.Generator) -> Grey:
    """What a probe in the air shows: echoes of its own surface, weaker with each, and noise."""
    depth, spacing = np.arange(height, dtype=np.float32), height * rng.uniform(0.03, 0.08)
    band = np.zeros(height, np.float32)
    for number in range(6):
        band += 210 * 0.55**number * np.exp(-(((depth - spacing * (number + 0.5)) / (spacing * 0.18)) ** 2))
    echoes = band[:, None] * (1 + 0.15 * rng.standard_normal((1, width)).astype(np.float32))
    grain = cv2.GaussianBlur(np.abs(rng.standard_normal((height, width)).astype(np.float32)), (0, 0), 1.2)
    grain *= 18 * np.exp(-depth / height * 4)[:, None]
    noise = rng.random((height, width))
    return np.clip(echoes * (0.8 + 0.3 * noise) + grain + noise * 3, 0, 255).astype(np.uint8)
