"""What comes behind the findings: outboxes that were set aside, and ``health`` that was missed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.daemon.publisher.missed_health_delivery import MissedHealthDelivery
from edge.daemon.publisher.outbox_recovery import OutboxRecovery
from edge.outbox.missed_health import MissedHealthStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.daemon.publisher.delivery import Delivery
    from edge.daemon.publisher.shared_sink import SharedSink
    from edge.outbox.reader import OutboxReader


SETTLE_S = 1.0
"""After a new epoch has begun: consumers are told of it by `state` before anything of an earlier one comes again."""


class DeferredDelivery:
    """Of one publisher."""

    def __init__(self, path: Path, device: str, settings: Settings, shared: Sequence[SharedSink]) -> None:
        """``path`` is the first outbox' name."""
        durable = [one for one in shared if one.sink.durable]
        budget = settings.telemetry
        self._settings = settings
        self._present: OutboxReader | None = None
        self._present_since = 0.0
        self._sinks = [one.sink.name for one in durable]
        self.telemetry = MissedHealthStore(path.parent, budget.keep_s, budget.max_mb * 1e6)
        self._telemetry_couriers = {one.sink.name: MissedHealthDelivery(one.part()) for one in durable}
        self.recovery = OutboxRecovery(path, device, [one.part() for one in durable])

    def keep(self, health: bytes, away: Sequence[str]) -> None:
        """The sinks ``away`` have missed ``health``."""
        for name in away:
            self.telemetry.keep(name, health)
        self.telemetry.tidy(self._sinks)

    def work(self, outbox: OutboxReader, deliveries: Sequence[Delivery]) -> None:
        """One turn, when ``deliveries`` have nothing more to offer now."""
        self.recovery.work()
        waiting = self.telemetry.facts.waiting > 0 and not self.recovery.busy
        for findings in deliveries:
            if (delivery := self._telemetry_couriers.get(findings.sink.name)) is not None:
                delivery.work(self.telemetry, waiting and findings.idle(outbox))

    def problems(self) -> list[str]:
        """Reason words for ``state``: a set-aside outbox holds messages that cannot be read."""
        return ["backlog_unreadable"] * bool(self.recovery.unreadable)

    def tidy(self, outbox: OutboxReader) -> None:
        """Now and then: is there anything new, is anything too old?"""
        budget = self._settings.outbox
        if outbox is not self._present:
            self._present, self._present_since = outbox, time.monotonic()
        if time.monotonic() - self._present_since >= SETTLE_S:
            self.recovery.look()
        self.recovery.tidy(outbox, budget.keep_s, budget.unsent_keep_s, budget.max_mb * 1e6)

    def close(self) -> None:
        """Let go of the files."""
        self.recovery.close()
        self.telemetry.close()
