"""Views of the anatomy gate's file negatives: as they are, cropped, straightened, bent, with another gain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.augment import appearance
from training.augment.geometry import random_matrix, warp
from training.gate.scan_shapes import reshaped, straighten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Region
    from edge.preprocess.preprocessor import Preprocessor
    from training.gate.file_negatives import FileNegative

    Grey = NDArray[np.uint8]

VIEW_SIDE = 560
"""Longer side in pixels that pictures are augmented at: full size would cost minutes and give the same tensors."""
AS_THEY_ARE, IN_ANOTHER_SHAPE = 0.15, 0.45
"""Shares of the views that are the file's own picture, and that are straightened and bent."""


def file_view(
    rng: np.random.Generator, negative: FileNegative, preprocess: Preprocessor
) -> tuple[NDArray[np.uint8], tuple[Region, ...]]:
    """One view, (H, W[, 3]) uint8, of a file's picture as a device might see it, and its regions."""
    kind = rng.random()
    if kind < AS_THEY_ARE:
        return negative.pixels, negative.regions
    grey = to_grey(negative.pixels)
    if rng.random() < 0.85 and not negative.photograph:
        grey = scan_of(negative, preprocess)
    grey = smaller(grey)
    if kind < AS_THEY_ARE + IN_ANOTHER_SHAPE:
        grey = _window(rng, straighten(_window(rng, grey, 0.3)), 0.7)
        grey = reshaped(rng, grey) if rng.random() < 0.6 else grey
    else:
        grey = _window(rng, grey, 0.7)
    grey = appearance.vary_speckle(rng, appearance.vary_gain(rng, grey))
    if rng.random() < 0.25:
        grey = appearance.place_on_screen(rng, grey)[0]
    return appearance.resample_and_compress(rng, grey), ()


def scan_of(negative: FileNegative, preprocess: Preprocessor) -> Grey:
    """The scan alone, as the device crops it: (H, W) uint8 grey."""
    grey = to_grey(negative.pixels)
    x, y, w, h = preprocess.crop_for(grey, negative.regions)
    return np.ascontiguousarray(grey[y : y + h, x : x + w])


def to_grey(pixels: NDArray[np.uint8]) -> Grey:
    """Grey picture (H, W) uint8 of a grey or RGB one."""
    if pixels.ndim == 2:
        return pixels
    grey: Grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return grey


def smaller(grey: Grey) -> Grey:
    """The picture with a longer side of `VIEW_SIDE` pixels at most."""
    scale = VIEW_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    small: Grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return small


def _window(rng: np.random.Generator, grey: Grey, share: float) -> Grey:
    if rng.random() > share:
        return grey
    matrix, size = random_matrix(rng, grey.shape[1], grey.shape[0])
    return warp(grey, grey, matrix, size)[0]
