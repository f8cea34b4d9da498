"""Augmentation of appearance, which moves no pixel: gain, speckle, resampling, JPEG, burned-in callipers and text.

Pictures are (H, W) uint8 grey, from 0 to 255; each function takes the random generator first and changes no input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from training.augment.geometry import RESAMPLERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX)
WORDS = (
    "B",
    "L",
    "R",
    "12 MHz",
    "D 4.0cm",
    "RT 9:00",
    "1 D 12.4 mm",
    "GAIN 62",
    "MI 0.9",
    "TIs 0.3",
    "BREAST",
    "FR 28",
)


def vary_gain(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Vary gain, gamma, time-gain and lateral gain at random, as a scanner's controls do.

    Takes and returns (H, W) uint8 grey.
    """
    height, width = image.shape
    values = np.arange(256, dtype=np.float32) / 255
    table = np.clip(
        rng.uniform(0.7, 1.35) * values ** rng.uniform(0.7, 1.4) + rng.uniform(-0.04, 0.04) * (values > 0.02), 0, 1
    )
    image = cv2.LUT(image, (table * 255).astype(np.uint8))
    if rng.random() < 0.5:
        knots = rng.uniform(0.7, 1.3, size=(5, 2)).astype(np.float32)
        image = cv2.multiply(image, cv2.resize(knots, (width, height), interpolation=cv2.INTER_LINEAR), dtype=cv2.CV_8U)
    return image


def vary_speckle(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add multiplicative speckle of random grain size, then blur or sharpen, as scanners' filters do.

    Takes and returns (H, W) uint8 grey.
    """
    height, width = image.shape
    if rng.random() < 0.4:
        step = rng.uniform(1.0, 3.0)
        noise = rng.normal(1.0, rng.uniform(0.05, 0.25), size=(int(height / step) + 1, int(width / step) + 1)).astype(
            np.float32
        )
        image = cv2.multiply(image, cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR), dtype=cv2.CV_8U)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6))
    elif rng.random() < 0.2:
        image = cv2.addWeighted(image, 1.6, cv2.GaussianBlur(image, (0, 0), 1.2), -0.6, 0)
    return image


def resample_and_compress(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resample down and up again, and compress as JPEG: what happens to a picture between scanner and device.

    Takes and returns (H, W) uint8 grey, of the same size. Any of `geometry.RESAMPLERS`, JPEG quality 35 to 95.
    """
    height, width = image.shape
    if rng.random() < 0.4:
        scale = rng.uniform(0.5, 1.6)
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        small = cv2.resize(image, size, interpolation=int(rng.choice(RESAMPLERS)))
        image = cv2.resize(small, (width, height), interpolation=int(rng.choice(RESAMPLERS)))
    if rng.random() < 0.4:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))])
        decoded: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)  # never None: it was encoded one line above
        image = decoded
    return image


def burn_in_marks(rng: np.random.Generator, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Burn in callipers, words and a probe marker; callipers stand on the lesion as often as anywhere else.

    Takes the picture (H, W) uint8 grey and the lesion's mask (H, W) uint8 0/1; returns a copy (H, W) uint8 grey.
    """
    height, width = image.shape
    image = image.copy()
    unit = max(2, round(min(height, width) / rng.uniform(50, 110)))
    if rng.random() < 0.6:
        ends = _calliper_ends(rng, mask)
        shade = int(rng.integers(170, 256))
        kind = int(rng.choice((cv2.MARKER_CROSS, cv2.MARKER_TILTED_CROSS, cv2.MARKER_STAR)))
        for end in ends:
            cv2.drawMarker(image, end, shade, kind, 3 * unit, max(1, unit // 3))
        if rng.random() < 0.5:  # a dotted line between the two
            for t in np.linspace(0, 1, 24):
                place = tuple(int((1 - t) * a + t * b) for a, b in zip(*ends, strict=True))
                cv2.circle(image, place, max(1, unit // 4), shade, -1)
    for _ in range(int(rng.integers(0, 3))):
        place = (int(rng.uniform(0, 0.7) * width), int(rng.uniform(0.05, 1.0) * height))
        cv2.putText(
            image,
            str(rng.choice(WORDS)),
            place,
            int(rng.choice(FONTS)),
            unit / 8,
            int(rng.integers(150, 256)),
            1,
            cv2.LINE_AA,
        )
    if rng.random() < 0.2:
        cv2.circle(image, (int(rng.uniform(0.02, 0.98) * width), 2 * unit), unit, 230, 1)
    return image


def _calliper_ends(rng: np.random.Generator, mask: NDArray[np.uint8]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Two (x, y): opposite sides of the lesion's bounding box, or of a random box, also where there is a lesion.

    Random ones at half the odds: else missing callipers would tell the network that there is no lesion.
    """
    height, width = mask.shape
    x, y, w, h = cv2.boundingRect(mask)
    if w == 0 or rng.random() < 0.5:
        w, h = int(rng.uniform(0.1, 0.6) * width), int(rng.uniform(0.1, 0.6) * height)
        x, y = int(rng.uniform(0, 1) * (width - w)), int(rng.uniform(0, 1) * (height - h))
    if rng.random() < 0.5:
        return (x, y + h // 2), (x + w, y + h // 2)
    return (x + w // 2, y), (x + w // 2, y + h)


def place_on_screen(rng: np.random.Generator, image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Place the scan on a larger, nearly black screen with words beside it, as frame grabbers see it.

    Returns the screen (H', W') uint8 grey and the (x, y) of the picture's upper left corner in it.
    """
    height, width = image.shape
    left, right = (int(rng.uniform(0, 0.35) * width) for _ in range(2))
    top, bottom = (int(rng.uniform(0, 0.2) * height) for _ in range(2))
    out = np.full((height + top + bottom, width + left + right), int(rng.integers(0, 8)), np.uint8)
    for _ in range(int(rng.integers(0, 4))):
        place = (int(rng.uniform(0, 0.8) * out.shape[1]), int(rng.uniform(0.05, 1.0) * out.shape[0]))
        cv2.putText(
            out,
            str(rng.choice(WORDS)),
            place,
            int(rng.choice(FONTS)),
            rng.uniform(0.3, 0.7),
            int(rng.integers(120, 256)),
            1,
        )
    out[top : top + height, left : left + width] = image
    return out, (left, top)
