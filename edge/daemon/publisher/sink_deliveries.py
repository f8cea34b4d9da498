"""Deliveries to all sinks: first the outbox in use, then set-aside outboxes and ``health`` that was missed."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from edge.daemon.publisher.deferred_delivery import DeferredDelivery
from edge.daemon.publisher.delivery import Delivery
from edge.daemon.publisher.shared_sink import SharedSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.contracts.ports import Sink
    from edge.daemon.job import DaemonJob
    from edge.daemon.publisher.shared_sink import SharedSinkPart
    from edge.outbox.reader import OutboxReader


class SinkDeliveries:
    """One `Delivery` of the outbox in use for each sink, and the `DeferredDelivery` that comes behind them."""

    def __init__(
        self, path: Path, job: DaemonJob, sinks: Sequence[Sink], on_acked: Callable[[Sequence[int]], None] | None
    ) -> None:
        """``path`` is the first outbox' name; ``on_acked`` gets the seq of what has arrived, as `Delivery` has it."""
        durable_sinks = [sink.name for sink in sinks if sink.durable]
        shared = [SharedSink(sink) for sink in sinks]
        self._deliveries = [Delivery(one.part(), durable_sinks, on_acked) for one in shared]
        self.deferred = DeferredDelivery(path, job.device, job.settings, shared)

    def note_sessions(self) -> None:
        """Note connections that are new: what is stored from now on is live for them. Call it at every turn."""
        for delivery in self._deliveries:
            delivery.note_session()

    def work(self, outbox: OutboxReader, state_sent: Callable[[Sink | SharedSinkPart], bool]) -> bool:
        """One turn of each delivery whose connection has been sent our state. True: sinks may take more now.

        Raises sqlite3.Error if the outbox fails.
        """
        more = False
        self.note_sessions()
        for delivery in self._deliveries:
            # Before any finding: consumers learn who speaks, and of which epoch.
            if state_sent(delivery.sink) or not delivery.sink.session:
                more = delivery.work(outbox) or more
        return more

    def work_deferred(self, outbox: OutboxReader) -> None:
        """One turn of what comes behind the findings; call it when these have nothing more to offer now."""
        self.deferred.work(outbox, self._deliveries)

    def reset(self) -> None:
        """Forget all positions and acknowledgements: another outbox file is in use."""
        for delivery in self._deliveries:
            delivery.reset()

    def problems(self) -> list[str]:
        """Reason words for ``state``: the outbox does not take which messages have arrived."""
        return [word for delivery in self._deliveries if (word := delivery.problem()) is not None]

    def all_delivered(self, outbox: OutboxReader) -> bool:
        """Commit what has arrived; whether nothing is left to deliver, missed ``health`` of connected sinks included.

        Raises sqlite3.Error if the outbox fails.
        """
        for delivery in self._deliveries:
            delivery.record(outbox)
        if outbox.resend_progress().jobs:
            return False
        if self.deferred.recovery.busy or not all(delivery.idle(outbox) for delivery in self._deliveries):
            return False
        return not self.deferred.missed_health_waits()

    def finish(self, outbox: OutboxReader) -> None:
        """Commit what arrived last; call it after the sinks were closed."""
        with contextlib.suppress(sqlite3.Error):
            for delivery in self._deliveries:
                delivery.work(outbox)  # what arrived last
                while delivery.record(outbox):
                    pass
            self.deferred.recovery.work()
