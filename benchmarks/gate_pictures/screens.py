"""Screens without a scan, rendered: test pictures, blue and vendor's screens, snow, menus, reports and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

WORDS = (
    "Patient", "Name", "Exam", "Breast", "Left", "Right", "Gain", "Depth", "TGC", "MI", "TI", "Freeze", "Save",
    "Report", "B", "M", "PW", "CF", "0123456789", "Measure", "Distance", "Annotate", "Findings", "Impression",
    "BI-RADS", "radial", "axillary", "4.0", "cm", "12.0", "x", "8.0", "mm",
)  # fmt: skip
SIZES = ((480, 640), (720, 1280), (600, 800))
FONT = cv2.FONT_HERSHEY_SIMPLEX


def text_page(height: int, width: int, rng: np.random.Generator, *, light: bool) -> Picture:
    """A page full of lines of text, (height, width) grey."""
    page = np.full((height, width), 235 if light else 0, np.uint8)
    size, line = rng.uniform(0.35, 0.6), 14
    while line < height:
        text = " ".join(rng.choice(WORDS, size=20))
        cv2.putText(page, text, (int(rng.integers(2, 12)), line), FONT, size, 20 if light else 230, 1, cv2.LINE_AA)
        line += int(24 * size + rng.integers(2, 6))
    return page


def _filled(colour: tuple[int, ...], size: tuple[int, int] = SIZES[0]) -> Picture:
    picture = np.zeros((*size, 3), np.uint8)
    picture[:] = colour
    return picture


def colour_bars(rng: np.random.Generator) -> Picture:
    """Colour bars of full or three quarters saturation, with or without a grey ramp below."""
    height, width = SIZES[rng.integers(len(SIZES))]
    colours = [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255)]
    bars = (np.array(colours) * rng.choice([0.75, 1.0]))[np.arange(width) * 7 // width].astype(np.uint8)
    picture = np.repeat(bars[None], height, axis=0)
    if rng.random() < 0.5:
        picture[height * 3 // 4 :] = (np.arange(width) * 255 // width)[None, :, None].astype(np.uint8)
    return picture


def blue_screen(rng: np.random.Generator) -> Picture:
    """The blue of a grabber or monitor without a signal, with or without words."""
    picture = _filled([(0, 0, 255), (0, 0, 160), (20, 40, 200)][rng.integers(3)])
    if rng.random() < 0.6:
        words = ["NO SIGNAL", "No Input", "Check cable"][rng.integers(3)]
        at = (int(rng.integers(50, 300)), int(rng.integers(100, 400)))
        cv2.putText(picture, words, at, FONT, 1.2, (255, 255, 255), 2, cv2.LINE_AA)
    return picture


def snow(rng: np.random.Generator) -> Picture:
    """Analogue snow, as it is, slightly soft, or through JPEG."""
    picture: Picture = rng.integers(0, 256, (480, 640)).astype(np.uint8)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.45)
    if rng.random() < 0.5:
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_GRAYSCALE)
    return picture


def vendor_card(rng: np.random.Generator) -> Picture:
    """A logo and a name on one colour."""
    picture = _filled([(255, 255, 255), (10, 30, 80), (40, 40, 44), (0, 90, 120)][rng.integers(4)])
    colour = tuple(int(value) for value in rng.integers(0, 255, 3))
    x, y = int(rng.integers(150, 350)), int(rng.integers(150, 300))
    cv2.circle(picture, (x, y), int(rng.integers(30, 90)), colour, -1, cv2.LINE_AA)
    cv2.putText(picture, "SonoVendor", (x - 100, y + 120), FONT, 1.5, colour, 3, cv2.LINE_AA)
    return picture


def menu(rng: np.random.Generator) -> Picture:
    """A dark page of text with buttons."""
    height, width = SIZES[rng.integers(2)]
    page = np.maximum(text_page(height, width, rng, light=False), np.uint8(rng.integers(0, 70)))
    for _ in range(int(rng.integers(3, 12))):
        x, y = int(rng.integers(0, width - 120)), int(rng.integers(0, height - 40))
        cv2.rectangle(page, (x, y), (x + 110, y + 32), int(rng.integers(40, 140)), -1)
        cv2.putText(page, "Depth 4.0", (x + 6, y + 20), FONT, 0.45, 230, 1, cv2.LINE_AA)
    return page


def report(rng: np.random.Generator) -> Picture:
    """A light page of text, with or without a frame."""
    page = text_page(720, 560, rng, light=True)
    if rng.random() < 0.5:
        cv2.rectangle(page, (40, 100), (520, 300), 60, 1)
    return page


def _grain(height: int, width: int, rng: np.random.Generator, across: float, down: float) -> NDArray[np.float32]:
    noise = np.abs(rng.standard_normal((height, width))).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), sigmaX=across, sigmaY=down)


def m_mode(rng: np.random.Generator) -> Picture:
    """An M-mode trace: layers that move up and down over time, with a raster of speckle in time."""
    height, width = 480, 640
    time, depth = np.arange(width), np.arange(height)[:, None]
    beat = rng.uniform(60, 160)
    moved = depth - (rng.uniform(4, 25) * np.abs(np.sin(np.pi * time / beat)) * (depth / height))
    layers = _grain(height + 80, 1, rng, 1, rng.uniform(1.5, 4))[:, 0]
    layers = (layers - layers.min()) / np.ptp(layers) * rng.uniform(150, 230)
    trace = np.interp(moved.ravel(), np.arange(height + 80) - 40, layers).reshape(height, width)
    trace *= 0.6 + 0.6 * _grain(height, width, rng, 0.6, 1.0)
    return np.clip(trace, 0, 255).astype(np.uint8)


def spectral(rng: np.random.Generator) -> Picture:
    """A spectral Doppler trace: an envelope that beats above a baseline, filled with grain, on black."""
    height, width = 480, 640
    time, depth = np.arange(width), np.arange(height)[:, None]
    baseline, beat = int(height * rng.uniform(0.5, 0.85)), rng.uniform(60, 160)
    phase = (time % beat) / beat
    envelope = baseline * rng.uniform(0.4, 0.9) * (0.25 + 0.75 * np.exp(-4 * phase) * np.minimum(1, phase * 12))
    inside = (depth < baseline) & (depth > baseline - envelope)
    trace = np.where(inside, 90 * _grain(height, width, rng, 0.6, 1.2) + 60 * (depth < baseline), 0.0)
    trace += 6 * _grain(height, width, rng, 0.6, 0.6)
    trace[baseline : baseline + 2] = 160
    return np.clip(trace, 0, 255).astype(np.uint8)


SCREENS = {
    "colour bars": (colour_bars, "no_signal"),
    "blue screen": (blue_screen, "no_signal"),
    "snow": (snow, "no_signal"),
    "vendor's card": (vendor_card, "no_signal"),
    "menu": (menu, "menu"),
    "report": (report, "report"),
    "M-mode": (m_mode, "m_mode"),
    "spectral Doppler": (spectral, "spectral_doppler"),
}
"""What makes a picture of each class from a generator, and the reason under which it ought to be refused."""
