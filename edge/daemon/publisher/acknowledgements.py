"""Acknowledgements of one sink that the outbox does not have yet: committed together, and kept while the disk is full.

What has arrived is not sent again because the disk does not take that it has: it is remembered here, as long as this
process lives and the epoch goes on, and committed when there is room.
"""

from __future__ import annotations

import sqlite3
import time
from itertools import islice
from typing import TYPE_CHECKING

from edge.outbox.schema import transient_error
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from logging import Logger

    from edge.outbox.reader import OutboxReader

RECORD_EVERY_S = 0.1
"""Acknowledgements that come more slowly are committed so often; what a crash loses of them costs a repeat."""
RECORD_AT_MOST = 250
"""In one commit, and so many call for one at once: the writer waits for it, some 2 ms."""
LOCKED_PAUSE_S = 0.002
"""Pause when the writer commits just now: it is not waited for, since messages could be sent meanwhile."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
"""Pause after a commit that failed, and the limit up to which it doubles."""
REPORT_AFTER_S = 1.0
"""So long without a commit is a problem to be reported: the other process may just have held the lock."""


class Acknowledgements:
    """Seq of messages that have arrived at one sink, and are not recorded in the outbox yet."""

    def __init__(self, sink: str, durable_sinks: Sequence[str], logger: Logger) -> None:
        """``durable_sinks``: names of all durable sinks, ``sink`` among them or not."""
        self._sink, self._durable_sinks = sink, durable_sinks
        self._log = LogLimiter(logger)
        self._seqs: dict[int, None] = {}
        """Those that came first are first."""
        self._next_at = 0.0
        self._pause_s = 0.0
        self._failing_since: float | None = None
        self._word = ""

    def add(self, seqs: Iterable[int]) -> None:
        """Note that these have arrived."""
        self._seqs.update(dict.fromkeys(seqs))

    def forget(self, first: int, last: int) -> list[int]:
        """Forget those from ``first`` to ``last``, which are asked for again; the ones that there were."""
        found = [seq for seq in self._seqs if first <= seq <= last]
        for seq in found:
            del self._seqs[seq]
        return found

    def clear(self) -> None:
        """Forget all: they are of an outbox that is not in use any more."""
        self._seqs.clear()
        self._pause_s = self._next_at = 0.0
        self._failing_since = None

    def problem(self) -> str | None:
        """Word for ``state.reasons`` while the outbox takes none (``disk_full``, ``disk_error``); None: it does."""
        return self._word if self._reported() else None

    def _reported(self) -> bool:
        return self._failing_since is not None and time.monotonic() - self._failing_since >= REPORT_AFTER_S

    def due(self) -> bool:
        """Whether `record` should be called."""
        now = time.monotonic()
        full = len(self._seqs) >= RECORD_AT_MOST and not self._pause_s
        return bool(self._seqs) and (full or now >= self._next_at)

    def record(self, outbox: OutboxReader) -> list[int]:
        """Commit the oldest to ``outbox``; which these were. A disk that takes none now is left alone for a while.

        Raises sqlite3.Error if the outbox itself is damaged.
        """
        seqs = list(islice(self._seqs, RECORD_AT_MOST))
        if not seqs:
            return []
        try:
            outbox.delivered(self._sink, seqs, self._durable_sinks, wait=self._reported())
        except sqlite3.Error as error:
            word = transient_error(error)
            if word is None:
                raise
            self._fail(word, error)
            return []
        for seq in seqs:
            del self._seqs[seq]
        self._pause_s, self._failing_since = 0.0, None
        self._next_at = time.monotonic() + (0.0 if self._seqs else RECORD_EVERY_S)
        return seqs

    def _fail(self, word: str, error: sqlite3.Error) -> None:
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        self._word = word
        if "locked" in str(error) and not self._reported():
            self._pause_s = LOCKED_PAUSE_S
        else:
            self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._next_at = now + self._pause_s
        if self._reported():
            self._log.error(
                word, "that %d messages have arrived cannot be stored (%s); trying again", len(self._seqs), error
            )
