"""Late frames: what waited somewhere on its way, and is not what the probe sees now."""

from __future__ import annotations

import time

from edge.sources.live.network_errors import lost

LATE_NS = 500_000_000
"""A frame that is older than this when it is decoded is left out."""
PATIENCE_NS = 500_000_000
"""A connection that gives late frames only for longer than this is given up: what waits in it is lost with it. Shorter
than the limit of silence, which would tell that nothing came (`edge.sources.live.silence`)."""


class LateFrames:
    """Counter of the late frames of one connection."""

    def __init__(self) -> None:
        self._since_ns: int | None = None
        self._count = 0

    def leaves_out(self, captured_ns: int) -> bool:
        """Whether a frame is too old to be given. Raises `SourceError` if that has been so for too long."""
        now = time.monotonic_ns()
        age = now - captured_ns
        if age < LATE_NS:
            self._since_ns = None
            return False
        self._count += 1
        if self._since_ns is None:
            self._since_ns = now
        elif now - self._since_ns > PATIENCE_NS:
            raise lost(
                f"its pictures come {age / 1e9:.1f} s late; the connection is made anew",
                "is the network too slow, or this machine?",
            )
        return True

    def leave_out(self) -> None:
        """Count a frame that is left out because its time is not known yet."""
        self._count += 1

    def take_count(self) -> int:
        """How many were left out since this was asked last."""
        count, self._count = self._count, 0
        return count
