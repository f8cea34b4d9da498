"""Outbox housekeeping timer: has `OutboxReader.expire` delete what is too old or too much, every few seconds."""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from edge.outbox.schema import transient_error
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from edge.config.settings import OutboxSettings
    from edge.daemon.publisher.deferred_delivery import DeferredDelivery
    from edge.outbox.reader import OutboxReader

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.publisher")

HOUSEKEEPING_S = 10.0
"""Seconds between two rounds of deletion."""
SLICE_S = 0.05
"""So long at most messages are deleted in one turn: what else the publisher does must not wait for a large round."""


class OutboxHousekeeping:
    """Deletes expired messages of the outbox in use and of those that were set aside, every `HOUSEKEEPING_S`."""

    def __init__(self, budget: OutboxSettings, deferred: DeferredDelivery) -> None:
        """``budget``: how long and how much is kept; ``deferred`` looks after the outboxes that were set aside."""
        self._budget, self._deferred = budget, deferred
        self._next_at = 0.0
        self._deleting = False
        self._lost = 0
        self._limited_log = LogLimiter(log, every_s=60.0)

    def work(self, outbox: OutboxReader) -> bool:
        """Delete what has expired, if it is time again; True: there is more to delete.

        A disk that takes nothing now is left alone until the next round. Raises sqlite3.Error if the outbox is damaged.
        """
        if not self._deleting and time.monotonic() < self._next_at:
            return False
        try:
            self._work(outbox)
        except sqlite3.Error as error:
            word = transient_error(error)
            if word is None:
                raise
            self._deleting, self._next_at = False, time.monotonic() + HOUSEKEEPING_S
            self._limited_log.warning(word, "nothing can be deleted from the outbox now (%s); trying again", error)
        return self._deleting

    def _work(self, outbox: OutboxReader) -> None:
        if not self._deleting:
            self._next_at = time.monotonic() + HOUSEKEEPING_S
            self._deferred.housekeeping(outbox)
            outbox.truncate_journal()  # of the last time: the frame process may have been at work
        budget, deadline = self._budget, time.monotonic() + SLICE_S
        self._deleting = True
        while self._deleting and time.monotonic() < deadline:
            lost = outbox.expire_some(budget.keep_s, budget.max_mb * 1e6, budget.unsent_keep_s)
            self._deleting = lost is not None
            self._lost += lost or 0
        if self._lost and not self._deleting:
            log.error("%d messages were given up that not every receiver had: too old, or too many", self._lost)
            self._lost = 0
