"""Layout check: whether a screen is still laid out as when its scans were looked for, at the cost of some samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.scan_area.blackout import outline_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Region

SAMPLES_A_SIDE = 96
"""Samples along the longer side of a picture, about."""
CHANGED = 28
"""Grey values by which a sample must differ: more than what a codec or a grabber adds."""
SHARE = 0.04
"""Share of the samples outside of the scans from which on the layout is another one: a clock or a trace is less."""
RIM = 0.5
"""Share of the textured samples at the rim of the scans that must be left: less, and the scan has become smaller."""

EVEN = 1
"""Most grey values by which samples beside each other differ in an even field, such as a dialogue's: tissue has none,
and what a codec leaves of one is as even."""
NOT_DARK = 28
"""Grey values from which on an even field counts: shadows and fluid are even, too, and move."""
EVEN_SHARE = 0.008
"""Share of the samples inside of the scans from which on new even fields may be a dialogue. Clips have less."""
STROKE = 80
"""Grey values between a sample and the pixel two beside it from which on it lies at the edge of a letter."""
STROKE_SHARE = 0.002
"""Share of the samples inside of the scans that lie at such edges from which on, more than before, there is text."""
EVERY = 3
"""Of so many pictures one is looked at for dialogues, beginning with the first."""
BESIDE = 2
"""Distance of that pixel."""
EVEN_REACH = 8
"""Pixels, about, to each side of a sample in which a field is even: in small pictures neighbours are alike anyway."""


class LayoutCheck:
    """The layout of a screen at one moment, that later pictures of the same size are compared with."""

    def __init__(self, pixels: NDArray[np.uint8], regions: tuple[Region, ...]) -> None:
        """Remember what ``pixels``, (H, W[, 3]) uint8, show around and inside of ``regions``, and at their rims."""
        height, width = pixels.shape[:2]
        self._step = max(1, max(height, width) // SAMPLES_A_SIDE)
        mask = outline_mask(regions, width, height)
        self._outside = np.ascontiguousarray(mask[:: self._step, :: self._step] == 0)
        self._count = max(int(self._outside.sum()), 1)
        self._then = self._samples(pixels)
        self._inside = np.ascontiguousarray(mask[:: self._step, :: self._step] != 0)
        self._count_inside = max(int(self._inside.sum()), 1)
        side = 2 * max(1, round(EVEN_REACH / self._step)) + 1
        self._around = np.ones((side, side), np.uint8)
        self._textured_inside = self._inside & ~self._even(self._then)
        self._strokes_then = self._strokes(pixels, self._then)
        self._asked = 0
        self._rim = _rim(mask, self._step)
        self._textured = max(self._texture(pixels), 1)

    def is_another(self, pixels: NDArray[np.uint8]) -> bool:
        """Whether a picture (H, W[, 3]) is laid out otherwise: much has changed around the scans, or rims are empty.

        Or a dialogue has opened over them: there is text inside, or an even field where there was tissue.
        """
        samples = self._samples(pixels)
        self._asked += 1
        changed = (cv2.absdiff(samples, self._then) >= CHANGED) & self._outside
        return (
            int(np.count_nonzero(changed)) > SHARE * self._count
            or self._texture(pixels) < RIM * self._textured
            or (self._asked % EVERY == 1 and self._has_dialogue(pixels, samples))
        )

    def _has_dialogue(self, pixels: NDArray[np.uint8], samples: NDArray[np.uint8]) -> bool:
        """Whether there is more text inside of the scans than before, or a new even field."""
        return (
            int(np.count_nonzero(self._even(samples) & self._textured_inside)) > EVEN_SHARE * self._count_inside
            or self._strokes(pixels, samples) - self._strokes_then > STROKE_SHARE * self._count_inside
        )

    def _even(self, samples: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Where samples lie in an even field that is not dark."""
        spread = cv2.morphologyEx(samples, cv2.MORPH_GRADIENT, self._around)
        even: NDArray[np.bool_] = (spread <= EVEN) & (samples >= NOT_DARK)
        return even

    def _strokes(self, pixels: NDArray[np.uint8], samples: NDArray[np.uint8]) -> int:
        """Number of samples inside of the scans that lie at the edges of letters, or of what is as sharp."""
        beside = np.ascontiguousarray(_plane(pixels)[:: self._step, BESIDE :: self._step])
        columns = beside.shape[1]
        edges = cv2.absdiff(np.ascontiguousarray(samples[:, :columns]), beside) >= STROKE
        return int(np.count_nonzero(edges & self._inside[:, :columns]))

    def _samples(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Every so many pixels of the picture."""
        return np.ascontiguousarray(_plane(pixels)[:: self._step, :: self._step])

    def _texture(self, pixels: NDArray[np.uint8]) -> int:
        """Number of samples at the rim that differ from the pixels beside them."""
        plane = _plane(pixels)
        rows, columns = self._rim
        return int(np.count_nonzero(plane[rows, columns] != plane[rows, columns - 2]))


def _plane(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture's green where it has colours: that is most of the grey, and costs nothing."""
    return pixels if pixels.ndim == 2 else pixels[:, :, 1]


def _rim(mask: NDArray[np.uint8], step: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of samples just inside of the mask's edge."""
    small = np.ascontiguousarray(mask[::step, ::step])
    rim = small & ~cv2.erode(small, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rows, columns = np.nonzero(rim)
    return rows * step, np.maximum(columns * step, 2)
