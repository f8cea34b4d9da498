"""Bits of a DICOM sample that count: Bits Stored of them below High Bit; the others are masked out. PS3.5 8.1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from edge.dicom.pixel_layout import PixelLayout


def place_samples(samples: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Move the bits stored to the lowest place and clear all others, which may hold retired overlays.

    Args:
        samples: integers of any shape, as they lie in the file: 8, 16 or 32 bits each.
        layout: which bits count, and whether they are signed.

    Returns:
        The same shape, integers from 0 to 2**stored - 1, or signed ones of as many bits.
    """
    bits = samples.dtype.itemsize * 8
    above, below = bits - 1 - layout.high, layout.high + 1 - layout.stored
    if bits != layout.allocated or not (above or below):
        return samples
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)  # of a big endian file
    kind = np.dtype(f"{'i' if layout.signed else 'u'}{samples.dtype.itemsize}")
    raised: NDArray[Any] = np.left_shift(samples.view(np.dtype(f"u{samples.dtype.itemsize}")), above).view(kind)
    np.right_shift(raised, above + below, out=raised)  # of signed ones, this copies the sign
    return raised
