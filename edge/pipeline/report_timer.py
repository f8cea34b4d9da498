"""Report timer: sends the counters once a second, and at once when the runtime changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.results import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.contracts.finding import RuntimeRef
    from edge.contracts.frame_result import Result
    from edge.pipeline.stats import Stats

INTERVAL_NS = 1_000_000_000
RUNTIME_REASONS = (Reason.RUNTIME_HUNG, Reason.RUNTIME_LOST, Reason.SELF_TEST_FAILED)


class ReportTimer:
    """Calls back with the counters when it is time to report them. Not for use by two threads."""

    def __init__(self, callback: Callable[[Stats], None] | None, stats: Stats) -> None:
        """``callback`` is called with ``stats``; None: nobody wants the counters."""
        self._callback, self._stats = callback, stats
        self._next_ns = 0
        self._runtime_state: tuple[RuntimeRef | None, bool] = (None, False)

    def note_runtime(self, result: Result) -> None:
        """Note what computed a result; if that is another runtime, or none, `state` shall say so at once."""
        down = result.reason in RUNTIME_REASONS
        if (result.runtime is not None or down) and (result.runtime, down) != self._runtime_state:
            self._runtime_state = (result.runtime, down)
            self.hurry()

    def hurry(self) -> None:
        """Report at the next `tick`, however short ago the last report was."""
        self._next_ns = 0

    def tick(self, now_ns: int) -> None:
        """Report if it is time to; ``now_ns`` is the monotonic clock."""
        if self._callback is not None and now_ns >= self._next_ns:
            self._next_ns = now_ns + INTERVAL_NS
            self._callback(self._stats)

    def finish(self) -> None:
        """Report for the last time, at once."""
        if self._callback is not None:
            self._callback(self._stats)
