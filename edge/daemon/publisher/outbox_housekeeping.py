"""Outbox housekeeping timer: has `OutboxReader.expire` delete what is too old or too much, every few seconds."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.config.settings import OutboxSettings
    from edge.daemon.publisher.deferred_delivery import DeferredDelivery
    from edge.outbox.reader import OutboxReader

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.publisher")

HOUSEKEEPING_S = 10.0
"""Seconds between two rounds of deletion."""


class OutboxHousekeeping:
    """Deletes expired messages of the outbox in use and of those that were set aside, every `HOUSEKEEPING_S`."""

    def __init__(self, budget: OutboxSettings, deferred: DeferredDelivery) -> None:
        """``budget``: how long and how much is kept; ``deferred`` looks after the outboxes that were set aside."""
        self._budget, self._deferred = budget, deferred
        self._next_at = 0.0

    def work(self, outbox: OutboxReader) -> None:
        """Delete what has expired, if it is time again. Raises sqlite3.Error if the outbox fails."""
        if time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + HOUSEKEEPING_S
        budget = self._budget
        self._deferred.housekeeping(outbox)
        outbox.truncate_journal()  # of the last time: the frame process may have been at work
        lost = outbox.expire(budget.keep_s, budget.max_mb * 1e6, budget.unsent_keep_s)
        if lost:
            log.error("%d messages were given up that not every receiver had: too old, or too many", lost)
