"""Finder of scan areas: the outlines of the scans that a screen shows, by texture and change. Never guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edge.contracts.region import Region


def find_scan_regions(frames: Sequence[NDArray[np.uint8]]) -> tuple[Region, ...]:
    """Find the scans on a screen.

    Args:
        frames: pictures of one stream, oldest first, all of one size: (H, W) grey or (H, W, 3) RGB, uint8. One will do;
            with several it counts where the picture changed between them.

    Returns:
        One region a scan, the largest first, each with ``outline``, ``shape``, the box around it and ``source="detected"``;
        empty: there is none, or it cannot be told where it is.
    """
    raise NotImplementedError
