"""Pixel gate: quality measures that tell a scan from a black, flat or coloured picture before the model is asked.

The rules that compare them with their limits are in `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.region import Box

SAMPLES = 64
"""Looked at along each axis, at most: 4,096 pixels tell black from tissue as well as a million do."""
BACKGROUND = 12
"""Grey values up to this are background (noise and compression of a black picture stay under it)."""
TEXTURE_STEP = 4
"""Second difference, in grey values, that is texture: more than a gradient or JPEG ringing on a flat area gives."""
COLOUR_SPAN = 64
"""Largest less smallest channel that is strong colour, if it is also COLOUR_SHARE of the largest."""
COLOUR_SHARE = 0.4
PALE_SPAN, PALE_SHARE, PALE_PICTURE = 16, 0.12, 0.35
"""Largest less smallest channel that is colour at all, and from which share on it is everywhere."""
FLOW_SPAN = 48
"""Red less green and blue, or blue less red, that is the colour of flow. Yellow and green marks have none."""
TINT_LEVELS, TINT_COUNT = 16, 16
"""Steps of brightness at which the tint is looked for, and the least pixels of one that tell it."""
PALEST_TINT = 0.25
"""Least smallest channel against the largest of a tint. Colours of flow are stronger."""


class PixelSample:
    """Evenly spread sample of the pixels of a picture's crop."""

    __slots__ = ("_colour", "channels", "grey")

    def __init__(self, pixels: NDArray[np.uint8], crop: Box, crop_grey: NDArray[np.uint8] | None = None) -> None:
        """Take the sample from the crop of a picture.

        Args:
            pixels: (H, W) grey or (H, W, 3) RGB, uint8. Not changed.
            crop: (x, y, w, h) in pixels, within the picture and not empty.
            crop_grey: (h, w) uint8, the grey of the crop, where it has been made already.
        """
        x, y, w, h = crop
        step_x, step_y = max(1, w // SAMPLES), max(1, h // SAMPLES)
        sample = pixels[y : y + h : step_y, x : x + w : step_x]
        self.channels: list[NDArray[np.uint8]] = []
        """Red, green and blue, (h, w) uint8 each; empty: the picture is grey."""
        if sample.ndim == 3:  # one channel after the other: numpy copies pixels of three bytes slowly
            self.channels = [np.ascontiguousarray(sample[:, :, number]) for number in range(3)]
        grey = sample if crop_grey is None else crop_grey[::step_y, ::step_x]
        if grey.ndim == 3:
            grey = cv2.cvtColor(cv2.merge(self.channels), cv2.COLOR_RGB2GRAY)
        self.grey: NDArray[np.uint8] = np.ascontiguousarray(grey)
        """(h, w) uint8."""
        self._colour: tuple[NDArray[np.uint8], NDArray[np.uint8], int] | None = None

    def colour(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int]:
        """Largest channel of each pixel (h, w), how far above the smallest (h, w), the most of that; not if grey."""
        if self._colour is None:
            red, green, blue = self.channels
            top = cv2.max(cv2.max(red, green), blue)
            span = cv2.subtract(top, cv2.min(cv2.min(red, green), blue))
            self._colour = top, span, int(span.max())
        return self._colour


def bright_pixels(sample: PixelSample) -> int:
    """Number of pixels of the sample that are brighter than `BACKGROUND`."""
    return int(np.count_nonzero(sample.grey > BACKGROUND))


def ground_share(sample: PixelSample) -> float:
    """Share of the sample within the commonest eight grey values, 0 to 1: large where most is one ground."""
    counts = np.bincount((sample.grey >> 2).ravel(), minlength=64)
    return float((counts[:-1] + counts[1:]).max() / sample.grey.size)


def coloured_share(sample: PixelSample) -> float:
    """Share of the sample with strong colour, 0 to 1; 0 for a grey picture."""
    if not sample.channels:
        return 0.0
    top, span, most = sample.colour()
    if most < COLOUR_SPAN:
        return 0.0  # most scans
    return float(np.count_nonzero((span >= COLOUR_SPAN) & (span >= COLOUR_SHARE * top)) / span.size)


def hue_spread(sample: PixelSample) -> float:
    """Spread of the hues of a picture that has colour in all its parts; 0 for one with colour here and there.

    A scanner that tints its picture has one hue in all of it, a photograph has many.
    """
    if not sample.channels:
        return 0.0
    top, span, most = sample.colour()
    if most < PALE_SPAN:
        return 0.0
    coloured = (span >= PALE_SPAN) & (span >= PALE_SHARE * top)
    if np.count_nonzero(coloured) < PALE_PICTURE * span.size:
        return 0.0
    red, _, blue = sample.channels
    bright = top > 2 * BACKGROUND
    warmth = (red[bright].astype(np.float32) - blue[bright]) / top[bright]
    return float(warmth.std()) if warmth.size else 0.0


def flow_in(sample: PixelSample) -> float:
    """Share of the sample in colours that Doppler paints flow with, 0 to 1; 0 for a grey picture, tinted or not."""
    if not sample.channels or sample.colour()[2] < FLOW_SPAN:
        return 0.0
    share = flow_share(sample.channels)
    return flow_share(untinted(sample.channels, sample.grey, tint_of(sample))) if share else 0.0


def flow_share(channels: Sequence[NDArray[np.uint8]]) -> float:
    """Share of the pixels in colours that Doppler paints flow with, red or blue, 0 to 1.

    ``channels``: red, green and blue, (h, w) uint8 each.
    """
    red, green, blue = channels
    away = cv2.subtract(blue, cv2.max(red, cv2.subtract(green, FLOW_SPAN)))  # cyan is blue that flows faster
    towards = cv2.subtract(red, cv2.max(blue, green))
    return float(np.count_nonzero(cv2.max(away, towards) >= FLOW_SPAN) / red.size)


def tint_of(sample: PixelSample) -> NDArray[np.uint8]:
    """What each channel lacks of the largest at each level of brightness in most of the picture, (levels, 3) uint8.

    Scanners tint the whole picture on request, by the brightness alone (copper, ice): all pixels of one brightness
    have one colour then. Flow is what has another one.
    """
    lacking = np.zeros((TINT_LEVELS, 3), np.uint8)
    levels = sample.grey // (256 // TINT_LEVELS)
    for level in range(TINT_LEVELS):
        here = levels == level
        if np.count_nonzero(here) < TINT_COUNT:
            continue
        usual = np.array([np.median(channel[here]) for channel in sample.channels])
        if usual.min() >= PALEST_TINT * usual.max():
            lacking[level] = usual.max() - usual
    return lacking


def untinted(
    channels: Sequence[NDArray[np.uint8]], grey: NDArray[np.uint8], tint: NDArray[np.uint8]
) -> list[NDArray[np.uint8]]:
    """Red, green and blue, (h, w) uint8 each, of pixels as bright as ``grey`` without the ``tint`` of their picture."""
    levels = grey // (256 // TINT_LEVELS)
    return [np.asarray(cv2.add(each, tint[levels, number]), np.uint8) for number, each in enumerate(channels)]


def texture_share(sample: PixelSample) -> float:
    """Share of the sample that is neither flat nor on a slope, 0 to 1, along the axis where it is smaller."""
    v = sample.grey.astype(np.int16)
    twice = v + v
    rows = v[:, :-2] + v[:, 2:]
    rows -= twice[:, 1:-1]
    cols = v[:-2] + v[2:]
    cols -= twice[1:-1]
    # A difference of -TEXTURE_STEP to TEXTURE_STEP is none: moved to begin at 0, what is below it is above all others.
    return min(_count_over(difference) / difference.size for difference in (rows, cols))


def _count_over(difference: NDArray[np.int16]) -> int:
    """Number of values whose absolute value is over `TEXTURE_STEP`."""
    difference += TEXTURE_STEP
    return int(np.count_nonzero(difference.view(np.uint16) > 2 * TEXTURE_STEP))
