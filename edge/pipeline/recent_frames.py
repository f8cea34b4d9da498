"""Frames of the last seconds: counts those within a window that moves with the stream's time."""

from __future__ import annotations

from collections import deque


class RecentFrames:
    """Times of frames within the last ``window_ns`` nanoseconds; a window of 0 holds the newest frame alone."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._times: deque[int] = deque()
        self.first_ns = 0
        """Time of the first frame of an unbroken run: since then there was one in every window."""

    def add(self, now_ns: int) -> None:
        """Add a frame at the time that it is now."""
        if not self.count(now_ns):
            self.first_ns = now_ns
        self._times.append(now_ns)

    def count(self, now_ns: int) -> int:
        """Number of frames in the window that ends now."""
        times, since_ns = self._times, now_ns - self._window_ns
        while times and (times[0] <= since_ns and times[0] != now_ns):
            times.popleft()
        return len(times)
