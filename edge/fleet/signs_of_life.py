"""Signs of life of one device: when it was last heard, and after how long a silence it counts as silent.

All times are the watcher's own monotonic seconds. Of the device's clocks only differences of ``mono_ns`` within one
run are used, so it does not matter what a device believes the time to be.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from typing import Any

SILENT_AFTER = 3
"""Intervals of a device without a message after which it is silent."""
DEFAULT_EVERY_S = 10.0
"""Interval of a device that does not tell it and of which two ``health`` messages were not heard yet."""
LEAST_EVERY_S, MOST_EVERY_S = 0.5, 86_400.0
"""Bounds of an interval, whatever a device says: below it a busy network would read as silence."""
GAPS = 5
"""Newest intervals between ``health`` messages by which the device's own is learnt."""


class SignsOfLife:
    """Moments at which one device was heard, and the interval of its ``health`` messages."""

    __slots__ = ("_gaps", "_last_health", "_stated_s", "health_at", "heard_at", "known_since")

    def __init__(self, now: float) -> None:
        """``now``: when something of the device, be it a retained message, arrived first."""
        self.known_since = now
        """When something of the device first arrived."""
        self.heard_at: float | None = None
        """When its last own message arrived; None: never. Retained messages and last wills are the broker's."""
        self.health_at: float | None = None
        """When its last ``health`` arrived."""
        self._stated_s: float | None = None
        self._last_health: tuple[str, int] | None = None
        self._gaps: deque[float] = deque(maxlen=GAPS)

    def hear(self, now: float) -> None:
        """Note a message that the device itself sent just now."""
        self.heard_at = now

    def hear_health(self, now: float, run_id: str, mono_ns: int | None) -> None:
        """Note a ``health`` message; ``run_id`` and ``mono_ns`` are those in it."""
        self.heard_at = self.health_at = now
        if mono_ns is None:
            return
        if self._last_health is not None and self._last_health[0] == run_id and mono_ns > self._last_health[1]:
            self._gaps.append((mono_ns - self._last_health[1]) / 1e9)
        self._last_health = (run_id, mono_ns)

    def set_interval(self, stated: Any) -> None:
        """Take the interval that the device states (``health_every_s``); what is no positive number says nothing."""
        is_number = isinstance(stated, (int, float)) and not isinstance(stated, bool)
        usable = is_number and math.isfinite(stated) and stated > 0
        self._stated_s = float(stated) if usable else None

    @property
    def silent_after_s(self) -> float:
        """Seconds without a message after which the device is silent."""
        every_s = self._stated_s
        if every_s is None:
            # The median: a lost health makes one gap twice as long.
            every_s = statistics.median(self._gaps) if self._gaps else DEFAULT_EVERY_S
        return SILENT_AFTER * min(max(every_s, LEAST_EVERY_S), MOST_EVERY_S)

    def silent(self, now: float) -> bool:
        """Whether there was no sign of life for too long."""
        since = self.known_since if self.heard_at is None else self.heard_at
        return now - since > self.silent_after_s

    def health_is_fresh(self, now: float) -> bool:
        """Whether the numbers of the last ``health`` still hold."""
        return self.health_at is not None and now - self.health_at <= self.silent_after_s
