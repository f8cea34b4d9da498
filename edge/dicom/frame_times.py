"""Frame times of a DICOM cine: when each frame was acquired, counted from the first."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from edge.dicom.element_values import float_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

LONGEST_STEP_S = 3600.0
"""Longest time between two frames, in seconds. A longer one can only be a mistake."""


@suppress_pydicom_warnings()
def frame_times(elements: Dataset, frames: int) -> Sequence[int] | None:
    """Nanoseconds from the first frame to each, ``frames`` of them; None if the file does not say.

    In this order: Frame Time Vector (0018,1065), Frame Time (0018,1063), both in ms (PS3.3 C.7.6.5); the Cine Rate
    (0018,0040) and Recommended Display Frame Rate (0008,2144), in frames a second. A single frame is at 0.
    """
    if frames == 1:
        return (0,)
    vector = _vector(elements, frames)
    if vector is not None:
        return vector
    for step_s in (
        _scaled(float_value(elements, "FrameTime"), 1e-3),
        _inverse(float_value(elements, "CineRate")),
        _inverse(float_value(elements, "RecommendedDisplayFrameRate")),
    ):
        if step_s is not None and 0.0 < step_s <= LONGEST_STEP_S:
            step_ns = max(1, round(step_s * 1e9))
            return range(0, frames * step_ns, step_ns)
    return None


def _vector(elements: Dataset, frames: int) -> Sequence[int] | None:
    """Sums of the times since the frame before. The first of them is 0, whatever the file says."""
    try:
        steps = [float(step) for step in elements.get("FrameTimeVector") or ()]
    except Exception:  # unreadable, or one value that is no list
        return None
    if len(steps) < frames or not all(0.0 <= step <= LONGEST_STEP_S * 1e3 for step in steps):
        return None
    return tuple(round(total * 1e6) for total in itertools.accumulate([0.0, *steps[1:frames]]))


def _scaled(value: float | None, factor: float) -> float | None:
    return value * factor if value is not None and math.isfinite(value) else None


def _inverse(value: float | None) -> float | None:
    return 1.0 / value if value is not None and math.isfinite(value) and value > 0 else None
