"""Delivery that comes behind the findings: outboxes that were set aside, and ``health`` that was missed."""

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


REPLAY_DELAY_S = 1.0
"""After a new epoch has begun: consumers are told of it by `state` before anything of an earlier one comes again."""


class DeferredDelivery:
    """Set-aside outboxes and missed ``health`` of one publisher, sent when no finding is left to send."""

    def __init__(self, path: Path, device: str, settings: Settings, shared: Sequence[SharedSink]) -> None:
        """``path`` is the first outbox' name; ``shared`` are all sinks, of which only the durable ones are used."""
        durable = [one for one in shared if one.sink.durable]
        budget = settings.telemetry
        self._settings = settings
        self._present: OutboxReader | None = None
        self._present_since = 0.0
        self._sinks = [one.sink.name for one in durable]
        self.missed_health = MissedHealthStore(path.parent, budget.keep_s, budget.max_mb * 1e6)
        self._missed_health_deliveries = {one.sink.name: MissedHealthDelivery(one.part()) for one in durable}
        self.recovery = OutboxRecovery(path, device, [one.part() for one in durable])

    def keep_missed_health(self, health: bytes, away: Sequence[str]) -> None:
        """Store ``health`` for each of the sinks ``away``, which have missed it."""
        for name in away:
            self.missed_health.keep(name, health)
        self.missed_health.expire(self._sinks)

    def work(self, outbox: OutboxReader, deliveries: Sequence[Delivery]) -> None:
        """One turn; call it when ``deliveries`` have nothing more to offer now."""
        self.recovery.work()
        waiting = self.missed_health.counts.waiting > 0 and not self.recovery.busy
        for findings in deliveries:
            if (delivery := self._missed_health_deliveries.get(findings.sink.name)) is not None:
                delivery.work(self.missed_health, waiting and findings.idle(outbox))

    def missed_health_waits(self) -> bool:
        """Whether missed ``health`` waits that a sink which is connected now would take soon."""
        return any(
            delivery.sink.session and self.missed_health.waiting(name, delivery.offered, limit=1)
            for name, delivery in self._missed_health_deliveries.items()
        )

    def problems(self) -> list[str]:
        """Reason words for ``state``: a set-aside outbox holds messages that cannot be read."""
        return ["backlog_unreadable"] * bool(self.recovery.unreadable)

    def housekeeping(self, outbox: OutboxReader) -> None:
        """Open set-aside outboxes that are new, and empty those that are too old; called every few seconds."""
        budget = self._settings.outbox
        if outbox is not self._present:
            self._present, self._present_since = outbox, time.monotonic()
        if time.monotonic() - self._present_since >= REPLAY_DELAY_S:
            self.recovery.open_next()
        self.recovery.expire(outbox, budget.keep_s, budget.unsent_keep_s, budget.max_mb * 1e6)

    def close(self) -> None:
        """Record what arrived last, and close the files of set-aside outboxes and missed ``health``."""
        for delivery in self._missed_health_deliveries.values():
            delivery.work(self.missed_health, may_send=False)
        self.recovery.close()
        self.missed_health.close()
