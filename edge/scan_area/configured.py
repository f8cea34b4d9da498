"""Scan area as the configuration gives it: the outline that is set for a stream, in the regions of its frames."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import SourceError
from edge.contracts.region import Region
from edge.scan_area.polygon import clip
from edge.scan_area.shape_fit import hull_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.frames import Frame
    from edge.contracts.region import ScanShape

    Corners = tuple[tuple[int, int], ...]


def configured_regions(frame: Frame, outline: Sequence[tuple[int, int]]) -> tuple[Region, ...]:
    """Regions of a frame with the configured ``outline``: the largest one has it, or one that is made of it.

    What lies outside of the picture is left out of it. Raises `SourceError` if nothing is left then.
    """
    height, width = frame.pixels.shape[:2]
    points, shape = _within(tuple((x, y) for x, y in outline), width, height)
    if frame.regions:
        largest = max(frame.regions, key=lambda region: region.box[2] * region.box[3])
        outlined = msgspec.structs.replace(largest, outline=points, shape=shape)
        return tuple(outlined if region is largest else region for region in frame.regions)
    (left, top), (right, bottom) = np.min(points, axis=0).tolist(), np.max(points, axis=0).tolist()
    box = (left, top, right - left + 1, bottom - top + 1)
    return (Region(box=box, source="config", outline=points, shape=shape),)


@lru_cache(maxsize=16)
def _within(outline: Corners, width: int, height: int) -> tuple[Corners, ScanShape]:
    """Part of an outline that lies in a picture, and its shape. The same for each frame, and it takes a while."""
    clipped = clip(np.array(outline, np.float64), 0, 0, width - 1, height - 1)
    corners = np.round(clipped).astype(int)
    if len(corners) < 3 or np.ptp(corners, axis=0).min() == 0:
        raise SourceError(
            f"scan_outline is not within the picture of {width} x {height} pixels",
            hint="correct scan_outline of the stream: it is in pixels after rotate, flip and crop",
        )
    return tuple((x, y) for x, y in corners.tolist()), hull_shape(corners.astype(np.float64))
