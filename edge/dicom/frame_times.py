"""Frame times of a DICOM cine: when each frame was acquired, counted from the first, where that can be true."""

from __future__ import annotations

import itertools
import math
from statistics import median
from typing import TYPE_CHECKING

from edge.dicom.element_values import first_value, float_value
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

STEP_MS = (1.0, 60_000.0)
"""Shortest and longest time between two frames in milliseconds. Scanners give 5 to 500 frames a second, time lapses
one in some seconds; what is shorter are seconds written as milliseconds, what is longer is another unit still."""
LONGEST_PAUSE_MS = 3_600_000.0
"""Longest single step of a vector: a scan that was frozen for a while."""
SECONDS = 1000.0
"""Factor between a Frame Time in seconds, which some write, and in milliseconds."""
SAME = 1.5
"""Steps whose longest is at most so many times the shortest are those of one frame rate."""
LONG = 6
"""Values of a vector: so many steps of a scanner do not rise all the time."""


@suppress_pydicom_warnings()
def frame_times(elements: Dataset, frames: int) -> Sequence[int] | None:
    """Nanoseconds from the first frame to each, ``frames`` of them; None if the file does not say, or nothing true.

    In this order: Frame Time Vector (0018,1065), Frame Time (0018,1063), both in ms (PS3.3 C.7.6.5; the other way round
    if the Frame Increment Pointer (0028,0009) names Frame Time); Cine Rate (0018,0040) and Recommended Display Frame
    Rate (0008,2144), in frames a second; Actual Frame Duration (0018,1242), in ms. A single frame is at 0. What no
    scanner can have (`STEP_MS`) does not count.
    """
    if frames == 1:
        return (0,)
    step_ms = _frame_time(elements)
    vector = None if step_ms is not None and _points_to_frame_time(elements) else _vector(elements, frames, step_ms)
    if vector is not None:
        return vector
    for step in (
        step_ms,
        _from_rate(elements, "CineRate"),
        _from_rate(elements, "RecommendedDisplayFrameRate"),
        _plausible(float_value(elements, "ActualFrameDuration")),
    ):
        if step is not None:
            step_ns = max(1, round(step * 1e6))
            return range(0, frames * step_ns, step_ns)
    return None


def _points_to_frame_time(elements: Dataset) -> bool:
    """Whether the Frame Increment Pointer names Frame Time alone."""
    return bool(first_value(elements, "FrameIncrementPointer") == 0x00181063)


def _frame_time(elements: Dataset) -> float | None:
    """Frame Time in ms; None if there is none, or if the rates beside it say that it is in seconds."""
    value = float_value(elements, "FrameTime")
    if value is None or not math.isfinite(value):
        return None
    for keyword in ("CineRate", "RecommendedDisplayFrameRate"):
        by_rate = _from_rate(elements, keyword)
        if by_rate is not None and abs(value * SECONDS / by_rate - 1.0) < 0.1:
            return None
    return _plausible(value)


def _from_rate(elements: Dataset, keyword: str) -> float | None:
    """Milliseconds between two frames by a rate in frames a second."""
    rate = float_value(elements, keyword)
    return _plausible(1e3 / rate) if rate is not None and math.isfinite(rate) and rate > 0 else None


def _plausible(step_ms: float | None) -> float | None:
    return step_ms if step_ms is not None and STEP_MS[0] <= step_ms <= STEP_MS[1] else None


def _vector(elements: Dataset, frames: int, step_ms: float | None) -> Sequence[int] | None:
    """Sums of the times since the frame before. The first of them is 0, whatever the file says."""
    try:
        values = [float(value) for value in elements.get("FrameTimeVector") or ()][:frames]
    except Exception:  # unreadable, or one value that is no list
        return None
    if len(values) < frames or not all(math.isfinite(value) for value in values):
        return None
    steps = _absolute_steps(values, step_ms) or values[1:]
    if not all(0.0 <= step <= LONGEST_PAUSE_MS for step in steps) or _plausible(median(steps)) is None:
        return None
    return tuple(round(total * 1e6) for total in itertools.accumulate([0.0, *steps]))


def _absolute_steps(values: list[float], step_ms: float | None) -> list[float] | None:
    """Steps of a vector that holds the time of each frame instead of the time since the one before; None: it does not.

    It does if it never falls, and read as steps would be of a scanner that grows slower and slower, or does not begin
    at 0, as the time since no frame must; and if it rises evenly, or as Frame Time says, or for so long that steps that
    vary would have fallen once.
    """
    steps = [after - before for before, after in itertools.pairwise(values)]
    if min(steps) < 0.0 or not (max(values[1:]) > SAME * min(values[1:]) or values[0] != 0.0):
        return None
    even = len(steps) > 1 and 0.0 < max(steps) <= SAME * min(steps)
    said = step_ms is not None and abs(median(steps) / step_ms - 1.0) < 0.1
    return steps if even or said or (len(values) >= LONG and max(steps) > 0.0) else None
