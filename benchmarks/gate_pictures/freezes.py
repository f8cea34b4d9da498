"""Streams of a real scan on a screen, moving, then frozen or held still, as they come out of a codec."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.contracts.frames import Frame
from edge.contracts.region import Region
from edge.pipeline.freeze import FreezeDetector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

WIDTH, HEIGHT, FPS, WINDOW_S = 320, 240, 25, 0.4
BOX = (60, 30, 210, 200)
MOVING, STANDING = 20, 40
ENCODERS: dict[str, list[str]] = {
    "raw": [],
    "MJPEG": ["-c:v", "mjpeg", "-q:v", "5"],
    "H.264": ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-g", "50", "-pix_fmt", "yuv420p"],
    "VP8": ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M", "-g", "60"],
}
FREEZES = ("as it is", "a clock ticks", "one pixel flickers")


def stream(grey: Picture, how: str, rng: np.random.Generator) -> list[Picture]:
    """Pictures of a scan that moves, and then is frozen (one of `FREEZES`), or ``held still`` with live noise."""
    x, y, w, h = BOX
    scan = cv2.resize(grey, (w, h + 2 * MOVING), interpolation=cv2.INTER_AREA)
    pictures, sigma = [], rng.uniform(2.0, 4.0)
    for number in range(MOVING + STANDING):
        moved = min(number, MOVING - 1) * 2
        part = scan[moved : moved + h].astype(np.float32)
        if how == "held still" or number < MOVING:
            part += rng.normal(0, sigma, part.shape)
        picture = np.full((HEIGHT, WIDTH), 18, np.uint8)
        picture[y : y + h, x : x + w] = np.clip(part, 0, 255)
        if how in ("a clock ticks", "held still"):
            text = f"12:00:{number // FPS:02d}.{number % FPS:02d}"
            cv2.putText(picture, text, (200, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 220, 1)
        if how == "one pixel flickers":
            picture[100, 100] ^= number & 1
        pictures.append(picture)
    if how != "held still":  # a frozen screen shows the last picture with its noise
        for number in range(MOVING, len(pictures)):
            last = pictures[MOVING - 1]
            pictures[number][y : y + h, x : x + w] = last[y : y + h, x : x + w]
            if how == "one pixel flickers":
                pictures[number][100, 100] = last[100, 100] ^ (number & 1)
    return pictures


def through(codec: str, pictures: list[Picture]) -> list[Picture]:
    """The pictures as they come out of a codec; needs ffmpeg."""
    if not ENCODERS[codec]:
        return pictures
    size = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS)]
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-threads", "1"]
    raw = b"".join(picture.tobytes() for picture in pictures)
    coded = subprocess.run(
        [*quiet, *size, "-i", "pipe:0", *ENCODERS[codec], "-f", "matroska", "pipe:1"],
        input=raw, capture_output=True, check=True,
    ).stdout  # fmt: skip
    decoded = subprocess.run(
        [*quiet, "-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"],
        input=coded, capture_output=True, check=True,
    ).stdout  # fmt: skip
    return list(np.frombuffer(decoded, np.uint8).reshape(-1, HEIGHT, WIDTH))


def told_after_s(pictures: list[Picture]) -> float | None:
    """Seconds from the last movement until the stream is told to be frozen, for good; None: it is not."""
    detector, region = FreezeDetector(WINDOW_S), (Region(BOX, source="detected"),)
    frozen = [
        detector.add(Frame("gate", number, int(number / FPS * 1e9), None, picture, region))
        for number, picture in enumerate(pictures)
    ]
    if not frozen[-1]:
        return None
    live = max((number for number, is_frozen in enumerate(frozen) if not is_frozen), default=-1)
    return (live + 1 - MOVING + 1) / FPS


def ever_told(pictures: list[Picture]) -> bool:
    """Whether the stream is ever told to be frozen."""
    detector, region = FreezeDetector(WINDOW_S), (Region(BOX, source="detected"),)
    frozen = [
        detector.add(Frame("gate", number, int(number / FPS * 1e9), None, picture, region))
        for number, picture in enumerate(pictures)
    ]
    return any(frozen)
