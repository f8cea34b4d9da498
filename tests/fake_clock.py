"""Clock that tests set by hand."""

from __future__ import annotations


class FakeClock:
    """Monotonic clock in seconds, which stands still until a test sets ``now``."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
