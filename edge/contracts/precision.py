"""Decimals of each kind of number on the wire and in files: as many as mean something. The one place that rounds.

Coordinates in pixels have one decimal, sensors what they resolve; thresholds stand as the manifest has them.
"""

from __future__ import annotations

import math

PROBABILITY_DIGITS = 4
"""Of malignancy, score, uncertainty: a step of an 8-bit head is 0.004, calibration spreads it a little."""


def probability(value: float, threshold: float | None = None, interval: tuple[float, float] | None = None) -> float:
    """Round a probability; never to the other side of ``threshold``, or the call would contradict the number.

    Nor into ``interval``, or out of it; its ends are outside.
    """

    def means_the_same(rounded: float) -> bool:
        if threshold is not None and (rounded >= threshold) != (value >= threshold):
            return False
        return interval is None or (interval[0] < rounded < interval[1]) == (interval[0] < value < interval[1])

    rounded = round(value, PROBABILITY_DIGITS)
    if means_the_same(rounded):
        return rounded
    scale = 10**PROBABILITY_DIGITS
    nearest = (math.floor if rounded > value else math.ceil)(value * scale) / scale
    return nearest if means_the_same(nearest) else value


def area_share(value: float) -> float:
    """Round the share of a picture that an area takes, 0 to 1: a hundredth of a percent is a few pixels of a map."""
    return round(value, 5)


def pixels(value: float) -> float:
    """Round a coordinate in pixels of the source picture."""
    return round(value, 1)


def millimetres(value: float) -> float:
    """Round a length in mm, or an area in mm2: hundredths are less than a pixel."""
    return round(value, 2)


def pixel_spacing(value: float | None) -> float | None:
    """Round the size of a pixel in mm; over a thousand pixels the rest is a thousandth of a millimetre."""
    return None if value is None else round(value, 6)


def milliseconds(value: float) -> float:
    """Round a duration in ms to what the clock resolves with sense, microseconds."""
    return round(value, 3)


def seconds(value: float) -> float:
    """Round an age in seconds to milliseconds."""
    return round(value, 3)


def frames_per_second(value: float) -> float:
    """Round a frame rate in frames per second."""
    return round(value, 2)


def descriptor(value: float) -> float:
    """Round a lesion's descriptor, a ratio without a unit."""
    return round(value, 3)
