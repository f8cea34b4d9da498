"""Drain before the publisher ends: how long it goes on after a stop request, and what is left undelivered then."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.daemon.publisher.outbox_connection import OutboxConnection
    from edge.daemon.publisher.sink_deliveries import SinkDeliveries


class DrainPhase:
    """Decides when the publisher ends after a stop request: all delivered, time over, or asked twice."""

    def __init__(self, timeout_s: float, outbox: OutboxConnection, deliveries: SinkDeliveries) -> None:
        """``timeout_s``: the drain time, from when `over` is asked first after a stop request."""
        self._timeout_s = timeout_s
        self._outbox, self._deliveries = outbox, deliveries
        self._stop_requests = 0
        self._deadline: float | None = None

    def request_stop(self) -> None:
        """Count a stop request; a second one ends the drain at once. May be called from a signal handler."""
        self._stop_requests += 1

    def over(self) -> bool:
        """Whether the publisher should end now; False without a stop request."""
        if not self._stop_requests:
            return False
        if self._deadline is None:
            self._deadline = time.monotonic() + self._timeout_s
        return self._stop_requests > 1 or time.monotonic() >= self._deadline or self._all_delivered()

    def undelivered(self) -> int:
        """How many messages are not delivered to all durable sinks; 0 also where the outbox cannot be read."""
        with contextlib.suppress(sqlite3.Error):
            if self._outbox.reader is not None and not self._all_delivered():
                return self._outbox.reader.depth().pending
        return 0

    def _all_delivered(self) -> bool:
        if self._outbox.reader is None:
            return not self._outbox.path.exists()
        try:
            return self._deliveries.all_delivered(self._outbox.reader)
        except sqlite3.Error:
            return False
