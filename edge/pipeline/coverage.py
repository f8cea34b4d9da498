"""Which result state held when, for one stream. Pure; knows no messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.coverage import Interval

if TYPE_CHECKING:
    from edge.contracts.results import Reason, Status


@dataclass(frozen=True, slots=True)
class Change:
    """From ``since_ns`` on, another state holds."""

    status: Status
    reason: Reason | None
    since_ns: int
    since_frame: int | None
    previous: Interval | None


class CoverageKeeper:
    """Counts frames while the state stays, and says when it changes."""

    def __init__(self) -> None:
        self._now: tuple[Status, Reason | None] | None = None
        self._since_ns = 0
        self._frames = 0

    def holds(self, status: Status, reason: Reason | None) -> bool:
        """Whether the stream is in this state now."""
        return self._now == (status, reason)

    def observe(self, status: Status, reason: Reason | None, at_ns: int, frame: int | None) -> Change | None:
        """A frame (or, with ``frame`` None, an event) puts the stream into this state; None: it was in it already."""
        if (status, reason) == self._now:
            self._frames += frame is not None
            return None
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
        return Change(status, reason, at_ns, frame, previous)
