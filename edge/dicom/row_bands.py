"""Converts large frames in bands of rows, so that what lies between samples and picture takes little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

BAND_PIXELS = 1 << 20
"""Pixels of a band, and of the largest frame that is converted at once."""


def convert_in_bands(
    convert: Callable[[NDArray[Any], str], NDArray[np.uint8]], samples: NDArray[Any], photometric: str
) -> NDArray[np.uint8]:
    """Convert the samples of one frame by ``convert``, which looks at each pixel by itself, in bands of rows.

    The range of a clip's brightness, which ``convert`` may take from the first frame that it sees, is still that of
    the whole frame: it is shown each value that there is before the first band.

    Args:
        convert: called with samples and their photometric interpretation.
        samples: (H, W) or (H, W, 3) integers.
        photometric: the photometric interpretation of ``samples``.

    Returns:
        (H, W) grey or (H, W, 3) RGB, uint8, contiguous.
    """
    height, width = samples.shape[:2]
    if height * width <= BAND_PIXELS:
        return convert(samples, photometric)
    if samples.ndim == 2 and samples.dtype.itemsize > 1:
        convert(_values(samples), photometric)
    rows = max(1, BAND_PIXELS // width)
    first = convert(samples[:rows], photometric)
    picture = np.empty((height, *first.shape[1:]), np.uint8)
    picture[:rows] = first
    for at in range(rows, height, rows):
        picture[at : at + rows] = convert(samples[at : at + rows], photometric)
    return picture


def _values(samples: NDArray[Any]) -> NDArray[Any]:
    """Each value that occurs in (H, W) samples, as (1, number) of the same dtype; of 32 bits lowest and highest."""
    if samples.dtype.itemsize > 2:
        return np.array([[samples.min(), samples.max()]], samples.dtype)
    there = np.zeros(1 << 16, bool)
    for row in samples:
        there[row.view(np.uint16) if row.flags.c_contiguous else row.astype(samples.dtype).view(np.uint16)] = True
    return np.flatnonzero(there).astype(np.uint16).view(samples.dtype)[None]
