"""Coverage of one stream: which result state held from when to when. Pure; knows no messages."""

from __future__ import annotations

from dataclasses import dataclass

from edge.contracts.coverage import Interval
from edge.contracts.results import Reason, Status


@dataclass(frozen=True, slots=True)
class CoverageChange:
    """Change of the result state: another one holds from ``since_ns`` (monotonic clock) on."""

    status: Status
    reason: Reason | None
    since_ns: int
    since_frame: int | None
    previous: Interval | None


SILENCE_NS = 5_000_000_000
"""After this time without a frame no state can be said to hold any more: the source is silent, or we stood still."""


class CoverageTracker:
    """Counts frames while the result state stays, and returns each change. Time never runs backwards here."""

    def __init__(self) -> None:
        self._now: tuple[Status, Reason | None] | None = None
        self._since_ns = 0
        self._last_ns = 0
        self._frames = 0

    def holds(self, status: Status, reason: Reason | None) -> bool:
        """Whether the stream is in this state now."""
        return self._now == (status, reason)

    def check_silence(self, now_ns: int) -> CoverageChange | None:
        """End the current state at its last frame if none came for `SILENCE_NS`; the change, or None.

        Call it now and then. A stream that is already `no_result` says so as long as it likes.
        """
        if self._now is None or self._now[0] is Status.NO_RESULT or now_ns - self._last_ns < SILENCE_NS:
            return None
        return self._change(Status.NO_RESULT, Reason.NO_FRAMES, self._last_ns, None)

    def observe(
        self, status: Status, reason: Reason | None, at_ns: int, frame: int | None, *, anew: bool = False
    ) -> CoverageChange | None:
        """Set the result state from a frame or event (``frame`` None); the change, or None if the state is the same.

        ``anew``: another exam begins, so the state is told again: what held for one patient says nothing of the next.
        Call `check_silence` first: a gap before this frame must not count for the state before it.
        """
        self._last_ns = at_ns = max(at_ns, self._last_ns)  # frames decoded ahead are older than events told at once
        if (status, reason) == self._now and not anew:
            self._frames += frame is not None
            return None
        return self._change(status, reason, at_ns, frame)

    def break_off(self, at_ns: int) -> CoverageChange:
        """Begin a gap: a message could not be kept, and nothing is known from here to the next state that is told."""
        self._last_ns = at_ns = max(at_ns, self._last_ns)
        self._now, self._since_ns, self._frames = (Status.NO_RESULT, Reason.NOT_RECORDED), at_ns, 0
        return CoverageChange(*self._now, at_ns, None, previous=None)

    def _change(self, status: Status, reason: Reason | None, at_ns: int, frame: int | None) -> CoverageChange:
        previous = None
        if self._now is not None:
            previous = Interval(
                status=self._now[0],
                reason=self._now[1],
                from_mono_ns=self._since_ns,
                to_mono_ns=at_ns,
                frames=self._frames,
            )
        self._now, self._since_ns, self._frames = (status, reason), at_ns, int(frame is not None)
        return CoverageChange(status, reason, at_ns, frame, previous)
