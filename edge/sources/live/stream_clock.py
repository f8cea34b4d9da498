"""Clock of a live stream: maps its time stamps to this machine's monotonic clock, by the smallest delay seen.

A frame is never there before it was captured, and some come with hardly any delay: the smallest difference between
arrival and time stamp is that of the clocks. Only the last `WINDOW_NS` count, so that a slow drift is followed. What
grows faster than clocks drift is a delay: a network that is too slow for what is sent into it. A delay that all frames
have (exposure, encoder) cannot be seen here.
"""

from __future__ import annotations

from collections import deque

PERIOD_NS = 5_000_000_000
"""The smallest difference is kept for each period of this length; finer would only cost."""
PERIODS = 4
WINDOW_NS = PERIOD_NS * PERIODS
"""Two clocks that drift by 100 ppm are 2 ms apart after this time."""
MOST_DRIFT = 0.002
"""By so much of the time that passes may the smallest difference grow. Clocks drift by 0.0001; a camera that counts 30
frames of 29.97 as a second, by 0.001."""

SETTLED_FRAMES = 5
"""The first frames of a connection often come late: the server is just starting. So many are waited for,"""
SETTLED_NS = 300_000_000
"""or for so long."""


class StreamClock:
    """Mapping from the time stamps of one connection to the monotonic clock."""

    def __init__(self) -> None:
        self._count = 0
        self._first_ns = self._last_ns = 0
        self._difference_ns = 0
        """The difference that is taken for that of the clocks."""
        self._smallest: deque[tuple[int, int]] = deque(maxlen=PERIODS)
        """(begin of the period by arrival, smallest difference in it), the oldest first."""

    @property
    def is_settled(self) -> bool:
        """Whether enough has been noted for the times to be right."""
        if not self._smallest:
            return False
        return self._count >= SETTLED_FRAMES or self._last_ns - self._first_ns >= SETTLED_NS

    def note(self, stamp_ns: int, arrived_ns: int) -> None:
        """Note when something with this time stamp arrived."""
        difference = arrived_ns - stamp_ns
        self._first_ns = self._first_ns or arrived_ns
        passed_ns = max(0, arrived_ns - self._last_ns)
        self._last_ns = max(self._last_ns, arrived_ns)
        self._count += 1
        if not self._smallest or arrived_ns - self._smallest[-1][0] >= PERIOD_NS:
            self._smallest.append((arrived_ns, difference))
        elif difference < self._smallest[-1][1]:
            self._smallest[-1] = (self._smallest[-1][0], difference)
        smallest = min(difference for _, difference in self._smallest)
        most = self._difference_ns + round(passed_ns * MOST_DRIFT)
        self._difference_ns = smallest if self._count == 1 else min(smallest, most)

    def captured_ns(self, stamp_ns: int) -> int:
        """Monotonic time of a time stamp; `note` has been called before."""
        return stamp_ns + self._difference_ns
