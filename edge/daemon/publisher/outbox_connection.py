"""Connection of the publisher to the outbox in use: opens it, and opens it anew after a failure or a replacement.

A file that fails is left alone for a while, longer each time. What is known of its messages (which are on their way,
which have arrived) holds as long as its epoch goes on.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from edge.outbox.checkpoints import Checkpoints
from edge.outbox.identity import FOLDER_LOST, FolderIdentity
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import current_outbox, is_damage, mark_damaged, transient_error
from edge.outbox.stored_topics import stored_topics
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.publisher")

MISSING_LIMIT_S = 5.0
"""So long without an outbox is a reason to be degraded: the frame process makes it when it starts."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""Pause after a failure, and the limit up to which it doubles; of the first few, a start may see one."""
STABLE_S = 10.0
"""An outbox that was read for so long was a good one: after its failure, the pauses start anew."""
BUSY_TIMEOUT_S = 0.1
"""So long a change waits while the frame process commits. It is tried again: what else there is to do does not wait."""


class OutboxConnection:
    """The publisher's outbox reader, opened again when the file was replaced, failed, or is there only now."""

    def __init__(self, path: Path, durable_sinks: Sequence[str], on_new_epoch: Callable[[], None]) -> None:
        """Keep what is needed to open it; nothing is opened yet.

        Args:
            path: the first outbox' name.
            durable_sinks: names of the sinks that messages wait for.
            on_new_epoch: called when another outbox was opened than before: what is known of that no longer holds.
        """
        self.path = path
        self.reader: OutboxReader | None = None
        """The open outbox; None: there is none that could be read."""
        self.topics: frozenset[str] = frozenset()
        """First levels of the topics of what lay in all outboxes when this one was opened."""
        self._checkpoints: Checkpoints | None = None
        self._durable_sinks = durable_sinks
        self._on_new_epoch = on_new_epoch
        self._missing_since = self._opened_at = time.monotonic()
        self._epoch: str | None = None
        self._unawaited_at: float | None = None
        """When to mark as acked what no present sink waits for; None: that is done for the present epoch."""
        self._folder: FolderIdentity | None = None
        self.folder_lost = False
        """Whether the state directory was taken away under us."""
        self._lost_messages = False
        """Whether an outbox was removed with messages that were not delivered."""
        self._failed: Path | None = None
        self._retry_at = 0.0
        self._pause_s = 0.0
        self._limited_log = LogLimiter(log)

    def reopen_if_needed(self) -> OutboxReader | None:
        """The outbox in use, opened (again) if need be; None if there is none that can be read now."""
        self.folder_lost = self._folder is not None and self._folder.lost()
        if self.folder_lost:
            return self.reader  # what is open is not to be found any more: it is delivered as long as it can be read
        if self.reader is not None and self.reader.replaced():
            self._report_replaced(self.reader)
            self.close()
        if self.reader is None and self._may_open():
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                log.debug("no outbox yet: %s", error)
                self.discard_failed(error)
        if self.reader is not None and self._unawaited_at is not None and time.monotonic() >= self._unawaited_at:
            self._acknowledge_unawaited(self.reader)
        return self.reader

    def _report_replaced(self, reader: OutboxReader) -> None:
        """Log that another outbox is read from now on, and how much is lost with one that was removed."""
        pending = 0
        if not reader.found():
            with contextlib.suppress(sqlite3.Error):
                pending = reader.depth().pending
        if pending:
            self._lost_messages = True
            log.error("%s was removed with %d messages that not every receiver had", reader.path.name, pending)
        log.warning("the outbox was replaced; reading the new one")

    def discard_failed(self, error: sqlite3.Error | OSError) -> None:
        """Close the outbox after ``error``, to open it later; if that says damage, leave a note for the frame process.

        Damage that only the publisher found: the frame process must learn of it, it begins the next outbox.
        """
        now = time.monotonic()
        self._failed = current_outbox(self.path)
        if self.reader is not None:
            self._failed = self.reader.path
            if isinstance(error, sqlite3.Error) and is_damage(error):
                mark_damaged(self.reader.path)
            if now - self._opened_at >= STABLE_S:
                self._pause_s = 0.0
            self.close()
        self._pause_s = min(2 * self._pause_s or FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._retry_at = now + self._pause_s

    def report_failed(self, error: sqlite3.Error) -> None:
        """`discard_failed`, with a line in the log."""
        self.discard_failed(error)
        self._limited_log.error(
            str(error), "the outbox cannot be read (%s); opening it anew in %.1f s", error, self._pause_s
        )

    def problems(self) -> list[str]:
        """Reason words for ``state``: the outbox is missing for too long, or messages in it were damaged."""
        missing = self.reader is None and time.monotonic() - self._missing_since > MISSING_LIMIT_S
        changed = self.reader is not None and self.reader.damaged > 0
        words = {
            "outbox_unreadable": missing,
            "messages_damaged": changed,
            "messages_lost": self._lost_messages,
            FOLDER_LOST: self.folder_lost,
        }
        return [word for word, applies in words.items() if applies]

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._checkpoints is not None:
            self._checkpoints.close()
            self._checkpoints = None
        if self.reader is not None:
            self.reader.close()
            self.reader = None
            self._missing_since = time.monotonic()

    def _may_open(self) -> bool:
        """Whether there is a file to open, and it did not just fail. The next one need not wait for the last."""
        path = current_outbox(self.path)
        return path.exists() and (path != self._failed or time.monotonic() >= self._retry_at)

    def _open(self) -> None:
        reader = OutboxReader(self.path, busy_timeout_s=BUSY_TIMEOUT_S, checkpoints=False)
        try:
            epoch = reader.state().epoch
        except BaseException:
            reader.close()
            raise
        self.reader, self._opened_at = reader, time.monotonic()
        self._folder = self._folder or FolderIdentity(reader.path.parent)
        self._checkpoints = Checkpoints(reader.path)
        if epoch != self._epoch:
            self._epoch = epoch
            self.topics = stored_topics(self.path)
            # Without a durable sink nothing is delivered: it waits for one, or for the size budget.
            self._unawaited_at = 0.0 if self._durable_sinks else None
            self._on_new_epoch()

    def _acknowledge_unawaited(self, reader: OutboxReader) -> None:
        try:
            reader.acknowledge_unawaited(self._durable_sinks)
            self._unawaited_at = None
        except sqlite3.Error as error:
            if transient_error(error) is None:
                self.discard_failed(error)
            else:  # a full disk is read all the same
                self._unawaited_at = time.monotonic() + LONGEST_PAUSE_S
