"""Scan area as the configuration gives it: the outline that is set for a stream, in the regions of its frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.region import Region
from edge.scan_area.shape_fit import hull_shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.contracts.frames import Frame


def configured_regions(frame: Frame, outline: Sequence[tuple[int, int]]) -> tuple[Region, ...]:
    """Regions of a frame with the configured ``outline``: the largest one has it, or one that is made of it.

    What lies outside of the picture is left out of it.
    """
    height, width = frame.pixels.shape[:2]
    points = tuple((min(max(0, x), width - 1), min(max(0, y), height - 1)) for x, y in outline)
    shape = hull_shape(np.array(points, np.float64))
    if frame.regions:
        largest = max(frame.regions, key=lambda region: region.box[2] * region.box[3])
        outlined = msgspec.structs.replace(largest, outline=points, shape=shape)
        return tuple(outlined if region is largest else region for region in frame.regions)
    left, top = min(x for x, _ in points), min(y for _, y in points)
    right, bottom = max(x for x, _ in points), max(y for _, y in points)
    box = (left, top, right - left + 1, bottom - top + 1)
    return (Region(box=box, source="config", outline=points, shape=shape),)
