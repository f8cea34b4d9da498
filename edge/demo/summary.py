"""Summary of the messages received in one scenario of the demo, and what is missing in them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.contracts.coverage import Coverage
from edge.contracts.envelope import Durable
from edge.contracts.finding import Finding
from edge.contracts.health import Health
from edge.contracts.results import Reason, Status
from edge.contracts.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.demo.subscriber import ReceivedMessage

StatusReason = tuple[Status, Reason | None]


@dataclass(slots=True)
class DemoSummary:
    """Summary of the messages that one device published."""

    births: list[State] = field(default_factory=list)
    """States published while it was there; one that is still starting has no model yet."""
    offline_count: int = 0
    """States ``offline`` that were received."""
    findings: list[Finding] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    frames: Counter[StatusReason] = field(default_factory=Counter)
    """By result, from the intervals that coverage closed."""
    durable: int = 0
    """Different durable messages."""
    missing: int = 0
    """Numbers of the sequence that never came."""

    @property
    def lesions(self) -> list[Finding]:
        """First finding message of each lesion."""
        return [finding for finding in self.findings if finding.lifecycle == "new"]

    def judged(self, status: Status, reason: Reason | None = None) -> int:
        """Number of frames with this result."""
        return self.frames[(status, reason)]


def summarise(received: Sequence[ReceivedMessage], device: str) -> DemoSummary:
    """Summary of the messages that ``device`` published; repeats are counted once."""
    summary = DemoSummary()
    numbers: dict[str, set[int]] = {}
    for each in received:
        message = each.message
        if each.device != device:
            continue
        if isinstance(message, State):
            if message.status == "offline":
                summary.offline_count += 1
            else:
                summary.births.append(message)
        elif isinstance(message, Health):
            summary.health.append(message)
        elif isinstance(message, Durable) and message.seq not in numbers.setdefault(message.epoch, set()):
            numbers[message.epoch].add(message.seq)  # (device, epoch, seq): a repeat is not counted twice
            if isinstance(message, Finding):
                summary.findings.append(message)
            elif isinstance(message, Coverage):
                summary.coverage.append(message)
                if message.previous is not None and message.previous.frames:
                    summary.frames[(message.previous.status, message.previous.reason)] += message.previous.frames
    summary.durable = sum(len(seqs) for seqs in numbers.values())
    summary.missing = sum(max(seqs) - len(seqs) for seqs in numbers.values())
    return summary


def missing_parts(summary: DemoSummary) -> list[str]:
    """Problems of a run: what any run of the daemon must have published, and this one did not."""
    problems = []
    if not summary.births:
        problems.append("no birth (state)")
    if not summary.coverage:
        problems.append("no coverage")
    if not summary.offline_count:
        problems.append("no goodbye (state)")
    if summary.missing:
        problems.append(f"{summary.missing} of its numbered messages did not arrive")
    return problems
