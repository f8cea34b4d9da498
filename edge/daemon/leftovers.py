"""What comes behind the findings: outboxes that were set aside, and ``health`` that was missed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.daemon.salvage import Salvage
from edge.daemon.telemetry import TelemetryCourier
from edge.sinks.telemetry import TelemetryStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.daemon.courier import Courier
    from edge.daemon.shared_sink import SharedSink
    from edge.sinks.outbox import Outbox


SETTLE_S = 1.0
"""After a new epoch has begun: consumers are told of it by `state` before anything of an earlier one comes again."""


class Leftovers:
    """Of one publisher."""

    def __init__(self, path: Path, device: str, settings: Settings, shared: Sequence[SharedSink]) -> None:
        """``path`` is the first outbox' name."""
        durable = [one for one in shared if one.sink.durable]
        budget = settings.telemetry
        self._settings = settings
        self._present: Outbox | None = None
        self._present_since = 0.0
        self._sinks = [one.sink.name for one in durable]
        self.telemetry = TelemetryStore(path.parent, budget.keep_s, budget.max_mb * 1e6)
        self._telemetry_couriers = {one.sink.name: TelemetryCourier(one.part()) for one in durable}
        self.salvage = Salvage(path, device, [one.part() for one in durable])

    def keep(self, health: bytes, away: Sequence[str]) -> None:
        """The sinks ``away`` have missed ``health``."""
        for name in away:
            self.telemetry.keep(name, health)
        self.telemetry.tidy(self._sinks)

    def work(self, outbox: Outbox, couriers: Sequence[Courier]) -> None:
        """One turn, when ``couriers`` have nothing more to offer now."""
        self.salvage.work()
        waiting = self.telemetry.facts.waiting > 0 and not self.salvage.busy
        for findings in couriers:
            if (courier := self._telemetry_couriers.get(findings.sink.name)) is not None:
                courier.work(self.telemetry, waiting and findings.idle(outbox))

    def tidy(self, outbox: Outbox) -> None:
        """Now and then: is there anything new, is anything too old?"""
        budget = self._settings.outbox
        if outbox is not self._present:
            self._present, self._present_since = outbox, time.monotonic()
        if time.monotonic() - self._present_since >= SETTLE_S:
            self.salvage.look()
        self.salvage.tidy(outbox, budget.keep_s, budget.unsent_keep_s, budget.max_mb * 1e6)

    def close(self) -> None:
        """Let go of the files."""
        self.salvage.close()
        self.telemetry.close()
