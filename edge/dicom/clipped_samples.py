"""Samples of a DICOM frame that lie outside the range in which its clip is shown: too many, and it is not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from numpy.typing import NDArray

MOST_CLIPPED = 0.01
"""Largest share of the samples of a frame that may lie outside. Ten times what is left out of the frame that the
range is taken from: from one frame of a cine to the next a little more is bright."""
_BLOCK = 1 << 20
"""Samples that are converted at once."""


def check_range(
    samples: NDArray[Any], shown: tuple[float, float], rescale: Callable[[NDArray[Any]], NDArray[np.float64]]
) -> None:
    """Raise `SourceError` for a frame that would be shown black or white where there is a picture.

    Args:
        samples: (H, W) integers as they are stored.
        shown: lowest and highest value that are shown in their own brightness, after ``rescale``.
        rescale: converts samples to values.
    """
    low, high = shown
    slack = (high - low) * 1e-9  # of rounding
    ends = rescale(np.array([samples.min(), samples.max()]))
    if low - slack <= ends.min() and ends.max() <= high + slack:  # the usual case, where values rise with samples
        return
    outside = 0
    rows = max(1, _BLOCK // samples.shape[1])
    for at in range(0, len(samples), rows):
        values = rescale(samples[at : at + rows])
        outside += np.count_nonzero((values < low - slack) | (values > high + slack))
    if outside > samples.size * MOST_CLIPPED:
        share = f"{100 * outside / samples.size:.0f} % of its samples"
        message = f"{share} are outside the range of brightness, which the first frame decides where no window is given"
        raise SourceError(message, hint="export it with a window, or as 8 bits")
