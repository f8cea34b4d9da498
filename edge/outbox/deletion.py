"""Expiry and deletion of messages in an outbox: what was delivered, and what is given up unsent and announced."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    import sqlite3

EXPIRE_CHUNK = 500
"""Rows deleted in one transaction, so that the writer never waits long."""
EXPIRED_LIMIT = 500
"""Ranges that are announced; were there more, the oldest are only named to who asks for them again."""


class Deletion:
    """Deletes messages from one open outbox."""

    def __init__(self, db: sqlite3.Connection, left_behind: bool) -> None:
        """``left_behind``: the journal may hold what somebody else has deleted."""
        self._db = db
        self.in_journal = left_behind
        """Whether deleted content may still stand in the journal."""

    def delete_acked(self, before: float = math.inf) -> int:
        """Delete the oldest that all sinks have, of those stored before ``before``; how many."""
        with transaction(self._db):
            rows = self._db.execute(
                "SELECT seq FROM entries WHERE state = 'acked' AND created < ? ORDER BY created LIMIT ?",
                (before, EXPIRE_CHUNK),
            ).fetchall()
            self._delete(rows)
        return len(rows)

    def give_up_pending(self, before: float = math.inf) -> int:
        """Give up the oldest that were stored before ``before``; how many.

        Nothing is locked, or searched, if the oldest was not.
        """
        oldest = "SELECT seq, created FROM entries WHERE state = 'pending' ORDER BY seq LIMIT ?"
        if not any(created < before for _, created in self._db.execute(oldest, (1,)).fetchall()):
            return 0
        with transaction(self._db):
            rows = [(seq,) for seq, created in self._db.execute(oldest, (EXPIRE_CHUNK,)) if created < before]
            self.give_up(rows)
        return len(rows)

    def give_up(self, rows: list[tuple[int]]) -> None:
        """Delete messages within the caller's transaction, and enter them in ``expired``."""
        self._delete(rows)
        for (seq,) in rows:
            joined = self._db.execute("UPDATE expired SET last = ? WHERE last = ?", (seq, seq - 1)).rowcount
            if not joined:
                self._db.execute("INSERT INTO expired VALUES (?, ?)", (seq, seq))
        self._db.execute(
            "DELETE FROM expired WHERE first NOT IN (SELECT first FROM expired ORDER BY first DESC LIMIT ?)",
            (EXPIRED_LIMIT,),
        )

    def truncate_journal(self) -> bool:
        """Empty the journal, where what was deleted still stands; False if the writer is just at work: try again."""
        if self.in_journal:
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # most of it, while the writer goes on
            self.in_journal = bool(self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        return not self.in_journal

    def _delete(self, rows: list[tuple[int]]) -> None:
        self._db.executemany("DELETE FROM delivery WHERE seq = ?", rows)
        self._db.executemany("DELETE FROM bodies WHERE seq = ?", rows)
        self._db.executemany("DELETE FROM entries WHERE seq = ?", rows)
        self.in_journal = self.in_journal or bool(rows)
