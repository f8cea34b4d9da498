"""Frames of the last seconds: counts those within a window that moves with the stream's time."""

from __future__ import annotations

from collections import deque


class RecentFrames:
    """Frames within the last ``window_ns`` nanoseconds; a window of 0 holds the newest frame alone."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._frames: deque[tuple[int, float]] = deque()
        self.first_ns = 0
        """Time of the first frame of an unbroken run: since then there was one in every window."""

    def add(self, now_ns: int, weight: float = 1.0) -> None:
        """Add a frame at the time that it is now; ``weight``: how much it counts in `weight`."""
        if not self.count(now_ns):
            self.first_ns = now_ns
        self._frames.append((now_ns, weight))

    def count(self, now_ns: int) -> int:
        """Number of frames in the window that ends now."""
        frames, since_ns = self._frames, now_ns - self._window_ns
        while frames and frames[0][0] <= since_ns and frames[0][0] != now_ns:
            frames.popleft()
        return len(frames)

    def weight(self, now_ns: int) -> float:
        """Sum of the weights of the frames in the window that ends now."""
        return sum(weight for _, weight in self._frames) if self.count(now_ns) else 0.0
