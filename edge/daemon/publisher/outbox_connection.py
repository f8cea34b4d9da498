"""Connection of the publisher to the outbox in use: opens it, and opens it anew after a failure or a replacement."""

from __future__ import annotations

import logging
import sqlite3
import time
from typing import TYPE_CHECKING

from edge.outbox.reader import OutboxReader
from edge.outbox.schema import is_damage, mark_damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# Name of the process, not of the module: who filters logs by it need not know how the process is cut into files.
log = logging.getLogger("edge.daemon.publisher")

MISSING_LIMIT_S = 5.0
"""So long without an outbox is a reason to be degraded: the frame process makes it when it starts."""


class OutboxConnection:
    """The publisher's outbox reader, opened again when the file was replaced, failed, or is there only now."""

    def __init__(self, path: Path, durable_sinks: Sequence[str], on_close: Callable[[], None]) -> None:
        """Keep what is needed to open it; nothing is opened yet.

        Args:
            path: the first outbox' name.
            durable_sinks: names of the sinks that messages wait for.
            on_close: called after a close, also of one that did not open: what is known of the outbox no longer holds.
        """
        self.path = path
        self.reader: OutboxReader | None = None
        """The open outbox; None: there is none that could be read."""
        self._durable_sinks = durable_sinks
        self._on_close = on_close
        self._missing_since = time.monotonic()

    def reopen_if_needed(self) -> OutboxReader | None:
        """The outbox in use, opened (again) if need be; None if there is none that can be read now."""
        if self.reader is not None and self.reader.replaced():
            log.warning("the outbox was replaced; reading the new one")
            self._discard()
        if self.reader is None:
            try:
                self.reader = OutboxReader(self.path)
                if self._durable_sinks:  # without one, nothing is delivered: it waits for one, or for the size budget
                    self.reader.acknowledge_unawaited(self._durable_sinks)
            except (sqlite3.Error, OSError) as error:
                log.debug("no outbox yet: %s", error)
                self.discard_failed(error)
        return self.reader

    def discard_failed(self, error: sqlite3.Error | OSError) -> None:
        """Close the outbox after ``error``; if that says damage, leave a note for the frame process.

        Damage that only the publisher found: the frame process must learn of it, it begins the next outbox.
        """
        if self.reader is not None and isinstance(error, sqlite3.Error) and is_damage(error):
            mark_damaged(self.reader.path)
        self._discard()

    def problems(self) -> list[str]:
        """Reason words for ``state``: the outbox is missing for too long, or messages in it were damaged."""
        missing = self.reader is None and time.monotonic() - self._missing_since > MISSING_LIMIT_S
        changed = self.reader is not None and self.reader.damaged > 0
        return ["outbox_unreadable"] * missing + ["messages_damaged"] * changed

    def close(self) -> None:
        """Close the file at the end of the process; ``on_close`` is not called."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    def _discard(self) -> None:
        if self.reader is not None:
            self.close()
            self._missing_since = time.monotonic()
        self._on_close()
