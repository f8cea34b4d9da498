"""Table of the live demo: a row each second of what a subscriber received, and lines between for what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.coverage import Coverage
from edge.contracts.finding import Finding
from edge.contracts.health import Health
from edge.contracts.results import Status
from edge.picture.wording import REASONS, sentence, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.demo.subscriber import ReceivedMessage

HEAD = "     s  stream frames/s  age ms  frames dropped reconnects  what it sees"
"""Age: from the capture of the newest judged picture to its result. Dropped: came, and were not judged, as a newer one
was there."""


class LiveTable:
    """Rows of the table, made of messages in their order of arrival."""

    def __init__(self) -> None:
        self._sees = "starting"
        self._lesion = ""
        self.ages_ms: list[float] = []
        """Ages of all rows."""
        self.last: Health | None = None
        self.lesion_rows = 0
        """Rows that showed a lesion."""

    def lines(self, received: ReceivedMessage) -> Iterator[str]:
        """Lines that a message adds to the table: none, or one."""
        message = received.message
        if isinstance(message, Finding):
            yield from self._finding(received.at_s, message)
        elif isinstance(message, Coverage):
            yield from self._coverage(received.at_s, message)
        elif isinstance(message, Health):
            yield self._row(received.at_s, message)

    def _finding(self, at_s: float, finding: Finding) -> Iterator[str]:
        if finding.lesions:
            self._lesion = f"lesion, {size(finding.lesions[0])}"
        if finding.lifecycle == "new":
            yield event(at_s, f"finding: {' | '.join(sentence(finding))}")

    def _coverage(self, at_s: float, coverage: Coverage) -> Iterator[str]:
        was_lost = self._sees.startswith("LOST")
        if coverage.status is Status.FINDING:
            self._sees = "lesion"
        elif coverage.status is Status.CLEAR:
            self._sees = "no lesion detected"
        else:
            why = "" if coverage.reason is None else REASONS[coverage.reason]
            lost = coverage.reason is not None and coverage.reason.value == "source_lost"
            self._sees = f"LOST: {why}" if lost else f"not judged: {why}"
            if lost:
                self._lesion = ""  # the return begins another finding, which says its own size
        if self._sees.startswith("LOST") != was_lost:
            yield event(at_s, f"coverage: {'back, frames are judged' if was_lost else self._sees}")

    def _row(self, at_s: float, health: Health) -> str:
        self.last = health
        rate = "-" if health.fps is None or health.streams_lost else f"{health.fps:.1f}"
        if health.queue_age_ms is not None:
            self.ages_ms.append(health.queue_age_ms)
        age = "-" if health.queue_age_ms is None else f"{health.queue_age_ms:.1f}"
        sees_lesion = self._sees == "lesion" and bool(self._lesion)
        sees = self._lesion if sees_lesion else self._sees
        if health.streams_lost and not self._sees.startswith("LOST"):
            sees = "LOST"  # health tells it a moment before coverage does
        state = "lost" if health.streams_lost else "live"
        self.lesion_rows += sees_lesion and state == "live"
        return (
            f"{at_s:6.1f}  {state:<6} {rate:>8} {age:>7} {health.frames:>7} {health.dropped:>7} "
            f"{health.reconnects:>10}  {sees}"
        )


def event(at_s: float, text: str) -> str:
    """A line between the rows of the table."""
    return f"{at_s:6.1f}  -- {text}"
