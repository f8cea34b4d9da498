"""Capture times of a video device's pictures: the kernel's own where they can be true, else the moment of arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.live.v4l2.buffers import AT_START

if TYPE_CHECKING:
    from edge.sources.live.v4l2.buffers import FilledBuffer

OLDEST_NS = 1_000_000_000
"""Beyond the time that nobody took any, a picture is not older than this: exposure, transfer, some buffers."""
AHEAD_NS = 100_000_000
"""Some drivers name the time at which a picture should end: it may be this much ahead, and then it counts as now."""


class KernelClock:
    """Decides for each buffer of one stream when its picture was captured, on this machine's monotonic clock."""

    def __init__(self, started_ns: int) -> None:
        """``started_ns``: when the stream began; no picture is older."""
        self._started_ns = started_ns
        self._taken_ns = started_ns
        self._last_stamp_ns = 0
        self.untrue = 0
        """Buffers whose time could not be true: their arrival counts instead."""
        self.source = "unknown"
        """Where the last buffer's time came from, in words."""

    def captured_ns(self, buffer: FilledBuffer, now_ns: int) -> int:
        """Time at which the picture was captured; ``now_ns``: when its buffer was taken."""
        # What lay there already came at an unknown moment since the last one was taken: the earliest is assumed.
        arrived_ns = now_ns if buffer.waited else self._taken_ns
        oldest_ns = max(self._taken_ns - OLDEST_NS, self._started_ns - OLDEST_NS)
        problem = ""
        if not buffer.is_monotonic:
            problem = "the driver's times are not of the monotonic clock"
        elif not oldest_ns <= buffer.stamp_ns <= now_ns + AHEAD_NS:
            problem = "the driver's times cannot be true"
        elif buffer.stamp_ns <= self._last_stamp_ns:
            problem = "the driver's times do not rise"
        self._taken_ns = now_ns
        if problem:
            self.untrue += 1
            self.source = f"arrival ({problem})"
            return arrived_ns
        self._last_stamp_ns = buffer.stamp_ns
        self.source = "kernel, start of exposure" if buffer.flags & AT_START else "kernel, end of frame"
        return min(buffer.stamp_ns, now_ns)
