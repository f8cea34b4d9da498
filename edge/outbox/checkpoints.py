"""Checkpoints of the outbox' journal, in a thread of their own: they wait for the disk, and nobody waits for them.

SQLite would make one within whichever commit finds the journal long enough; in the publisher that held up what was to
be sent for tens of milliseconds. The writer still does so when the journal is much longer: no publisher runs then.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import TYPE_CHECKING

from edge.outbox import schema

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

EVERY_S = 5.0
"""Seconds between two checkpoints, while there are commits."""
JOIN_S = 0.1


class Checkpoints:
    """Thread that moves the journal of one outbox into its file every few seconds."""

    def __init__(self, path: Path, every_s: float = EVERY_S) -> None:
        """Start the thread for the outbox at ``path``."""
        self._path, self._every_s = path, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; one that waits for the disk is left to itself."""
        self._end.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        try:
            db = schema.connect(self._path, "NORMAL")
        except (sqlite3.Error, OSError) as error:
            log.debug("no checkpoints of %s: %s", self._path.name, error)
            return
        try:
            seen = None
            while not self._end.wait(self._every_s):
                seen = self._checkpoint(db, seen)
        finally:
            db.close()

    def _checkpoint(self, db: sqlite3.Connection, seen: int | None) -> int | None:
        """Make a checkpoint if there were commits since ``seen``; what is seen now."""
        try:
            version = int(db.execute("PRAGMA data_version").fetchone()[0])
            if version != seen:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:  # a full disk: the journal waits
            log.debug("no checkpoint of %s: %s", self._path.name, error)
            return None
        return version
