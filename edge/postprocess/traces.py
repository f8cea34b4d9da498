"""Measures that tell traces from scans: M-mode and spectral Doppler show one line of sight over time.

Both are looked for in the small grey picture that the model sees, in all of it and in its lower half: many scanners
show a scan above the trace. They take a fraction of a millisecond, and are asked of few pictures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

LEAST_SIDE, LEAST_LAYERS = 16, 40
"""Shorter side of a picture in which no trace is told from a scan, and least height for layers in M-mode."""
STRIP = 4
"""Width in pixels of the strips of time that are compared."""
MIN_ALIKE = 0.6
"""Least correlation of strips far apart in M-mode: layers go on for all of the time."""
MIN_SOLID = 0.6
"""Least share, in a spectral trace: of columns that end at the base line, of what is lit that begins there, and of
columns that do not reach the border."""
MIN_HEIGHTS = 0.06
"""Least difference of heights in a spectral trace, as a share of the picture's height."""
MIN_BEAT, MIN_BEAT_STEEP, MIN_STEEP = 0.93, 0.5, 0.6
"""Least correlation of the heights with those one heartbeat later; the same where the trace ends as steeply as that."""


def shows_m_mode(grey: Picture) -> bool:
    """Whether a picture or its lower half, (h, w), is a trace of layers that go up and down."""
    return max(_alikeness(grey), _alikeness(_lower_half(grey), below_a_scan=True)) > MIN_ALIKE


def shows_spectrum(grey: Picture) -> bool:
    """Whether a picture or its lower half, (h, w), is a spectrum that stands on a base line and beats."""
    return any(_stands_and_beats(part[::way]) for part in (grey, _lower_half(grey)) for way in (1, -1))


def _lower_half(grey: Picture) -> Picture:
    return grey[grey.shape[0] // 2 :]


def _alikeness(grey: Picture, *, below_a_scan: bool = False) -> float:
    """Median correlation of strips that are a quarter of the width apart or more, each moved to where it fits best."""
    if grey.shape[0] < LEAST_LAYERS or grey.shape[1] < LEAST_LAYERS:
        return 0.0
    count, height = grey.shape[1] // STRIP, grey.shape[0] // 2
    strips = cv2.resize(grey, (count, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    strips -= cv2.blur(strips, (1, 2 * (height // 12) + 1))
    strips -= strips.mean(axis=0)
    most = max(1, height // 20)
    top = most if below_a_scan else height // 4  # above it, skin and the probe's echoes are layers in each scan
    middle = strips[top : height - most]
    length = np.sqrt((middle * middle).sum(axis=0)) + 1e-3
    best = np.full((count, count), -1.0, np.float32)
    for moved in range(2 * most + 1):
        first = top - most + moved
        np.maximum(best, middle.T @ strips[first : first + len(middle)], out=best)
    number = np.arange(count)
    apart = abs(number[:, None] - number) >= count // 4
    return float(np.median((best / np.outer(length, length))[apart]))


def _stands_and_beats(grey: Picture) -> bool:
    """Whether lit columns stand upright on one line, are of unlike heights, and these repeat."""
    if min(grey.shape) < LEAST_SIDE:
        return False
    smooth = cv2.blur(grey, (5, 3))
    lit = smooth > max(14.0, 0.2 * float(np.percentile(smooth, 98)))
    height, width = lit.shape
    beyond = np.vstack((lit[4:], np.zeros((4, width), bool)))
    ends = (lit & ~beyond).mean(axis=1)
    base = int(ends.argmax())
    if base + 1 < height // 6:
        return False
    column = lit[base::-1]
    heights = np.where(column.all(axis=0), len(column), np.argmin(column, axis=0))
    solid = min(ends[base], heights.sum() / max(1, lit.sum()), (heights < len(column) - 1).mean())
    low, high = np.percentile(heights, (10, 90))
    if solid < MIN_SOLID or high - low < MIN_HEIGHTS * height:
        return False
    beat = _beat(heights)
    return beat > MIN_BEAT or (beat > MIN_BEAT_STEEP and _steepness(smooth[base::-1], heights) > MIN_STEEP)


def _beat(heights: NDArray[np.intp]) -> float:
    """Largest correlation of the heights with themselves later, once they have been unlike; 0 if they never are."""
    values = cv2.blur(heights.astype(np.float32)[None], (5, 1))[0]
    values -= values.mean()
    count, later = len(values), np.arange(1, 2 * len(values) // 3)
    spectrum = np.fft.rfft(values, 2 * count)
    products = np.fft.irfft(spectrum * spectrum.conj())[later]
    energy = np.cumsum(values * values, dtype=np.float64)
    again = products / np.sqrt(energy[count - 1 - later] * (energy[-1] - energy[later - 1]) + 1e-3)
    unlike = np.flatnonzero(again < 0)
    return float(again[unlike[0] :].max()) if len(unlike) else 0.0


def _steepness(upward: Picture, heights: NDArray[np.intp]) -> float:
    """Share of its brightness that a column loses at its end, by the median; 0 where few columns end."""
    ending = np.flatnonzero((heights >= 5) & (heights < len(upward) - 6))
    if 2 * len(ending) < len(heights):
        return 0.0
    end, picture = heights[ending], upward.astype(np.float32)
    within = np.mean([picture[end - each, ending] for each in (3, 4, 5)], axis=0)
    outside = np.mean([picture[end + each, ending] for each in (2, 3, 4)], axis=0)
    return float(np.median((within - outside) / (within + 1)))
