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
    "left half noise", "right half noise", "top half noise", "left half mirrored", "right half mirrored",
    "a corner black", "bottom third black", "stretched x3", "contrast x0.2",
)  # fmt: skip


def spoilt(name: str, grey: Grey, rng: np.random.Generator) -> Grey:
    """The picture, (H, W) uint8, spoilt as ``name`` says; a new one."""
    height, width = grey.shape
    kind, _, rest = name.partition(" half ")
    if rest:
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
        "bottom third black": lambda: np.vstack((grey[: height - height // 3], np.zeros_like(grey[: height // 3]))),
        "a corner black": lambda: _without_a_corner(grey, rng),
        "stretched x3": lambda: cv2.resize(grey, (3 * width, height)),
        "contrast x0.2": lambda: np.clip(grey * 0.2 + 90, 0, 255).astype(np.uint8),
    }
    return simple[name]()


def _half(grey: Grey, side: str, cover: str, rng: np.random.Generator) -> Grey:
    """One half black, of one grey, full of text or a receiver's noise, or the mirror image of the other half."""
    height, width = grey.shape
    spoilt_picture = grey.copy()
    rows = {"top": slice(0, height // 2), "bottom": slice(height // 2, height)}.get(side, slice(0, height))
    columns = {"left": slice(0, width // 2), "right": slice(width // 2, width)}.get(side, slice(0, width))
    part = spoilt_picture[rows, columns]
    if cover == "text":
        part[:] = text_page(*part.shape, rng, light=rng.random() < 0.5)
    elif cover == "noise":
        part[:] = receiver_noise(*part.shape, rng)
    elif cover == "mirrored":
        part[:] = grey[:, ::-1][rows, columns]
    else:
        part[:] = 0 if cover == "black" else rng.integers(20, 200)
    return spoilt_picture


def receiver_noise(height: int, width: int, rng: np.random.Generator) -> Grey:
    """What a receiver shows of no echo at all, amplified: grain with the size of a few pixels, even at all depths."""
    grain = [rng.standard_normal((height, width)).astype(np.float32) for _ in range(2)]
    across, down = rng.uniform(0.6, 2.5), rng.uniform(0.5, 1.2)
    real, imaginary = (cv2.GaussianBlur(each, (0, 0), sigmaX=across, sigmaY=down) for each in grain)
    envelope = np.hypot(real, imaginary)
    return np.clip(envelope / envelope.mean() * rng.uniform(20, 90), 0, 255).astype(np.uint8)


def _without_a_corner(grey: Grey, rng: np.random.Generator) -> Grey:
    """An upper or lower corner black, as large as half the width and half the height."""
    height, width = grey.shape
    lost = grey.copy()
    y, x = int(rng.choice([0, height - height // 2])), int(rng.choice([0, width - width // 2]))
    lost[y : y + height // 2, x : x + width // 2] = 0
    return lost


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
