"""Frame schedule: frames that are due at fixed times, as a camera's are, or as fast as they are taken."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAD_S = 0.02
"""From the order to the first frame."""


def due_times(fps: float, seconds: float) -> Iterator[int]:
    """Times at which frames are due, on the monotonic clock in ns; each is given when it is due.

    Who is late is given the next one at once: its time counts from when it was due, so that a stall is seen in all the
    frames that waited for it.
    """
    began = time.monotonic_ns() + round(LEAD_S * 1e9)
    for number in range(round(fps * seconds)):
        due = began + round(number * 1e9 / fps)
        wait_s = (due - time.monotonic_ns()) / 1e9
        if wait_s > 0:
            time.sleep(wait_s)
        yield due


def as_fast_as_taken(seconds: float) -> Iterator[int]:
    """Time now, on the monotonic clock in ns, as often as it is asked for in so many seconds."""
    end = time.monotonic_ns() + round(seconds * 1e9)
    while (now := time.monotonic_ns()) < end:
        yield now
