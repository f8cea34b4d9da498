"""Outbox reader, in the publisher: pending messages, acknowledgements by sink, resending and expiry.

Commits here are not synced one by one: an acknowledgement lost in a power cut costs one repeat, which consumers
recognise by (epoch, seq). Numbers are never given here.
"""

from __future__ import annotations

import contextlib
import logging
import math
import sqlite3
import time
from typing import TYPE_CHECKING

from edge.contracts.state import OutboxState
from edge.outbox import clock, resend, schema
from edge.outbox.deletion import Deletion
from edge.outbox.resend import ResendCounter
from edge.outbox.rows import NO_END, OutboxDepth, StoredMessage, consecutive_ranges
from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.outbox.rows import ResendProgress, ResendResult

log = logging.getLogger(__name__)

PAUSE_S = 0.002
"""Between two slices of a resend that is carried out at once: SQLite gives the lock to no one in turn."""


class OutboxReader:
    """Reads what the frame process stored. All methods raise sqlite3.Error when the file fails; then open anew."""

    def __init__(
        self,
        path: Path,
        readonly: bool = False,
        newest: bool = True,
        verify: bool = True,
        busy_timeout_s: float = schema.BUSY_TIMEOUT_S,
        checkpoints: bool = True,
    ) -> None:
        """Open the outbox.

        Args:
            path: the first outbox' name.
            readonly: nothing can be changed by it; for looking beside a running daemon.
            newest: the newest outbox is opened; False: the one at ``path``.
            verify: False: also one that is not to be continued, see `edge.outbox.identity`.
            busy_timeout_s: how long a change waits while the other process commits; then it raises sqlite3.Error.
            checkpoints: False: somebody else makes them, see `edge.outbox.checkpoints`.
        """
        self.path = schema.current_outbox(path) if newest else path
        self.damaged = 0
        """Messages that were found changed on the disk, and given up."""
        self._db = schema.connect(self.path, "NORMAL", readonly, busy_timeout_s)
        try:
            if verify and not readonly:
                schema.verify(self.path, self._db)
            if not checkpoints:
                self._db.execute("PRAGMA wal_autocheckpoint = 0")
            self._inode = self.path.stat().st_ino  # it may have been removed meanwhile
        except BaseException:
            self._db.close()
            raise
        self._readonly, self._busy_timeout_s = readonly, busy_timeout_s
        # One that was killed may have left the journal with what it had deleted.
        self._deletion = Deletion(self._db, left_behind=not readonly)
        self._offset: float | None = None
        self._data_version = -1

    def replaced(self) -> bool:
        """Whether this is not the file in use any more: the writer went on to another, or it was taken away."""
        return not self.found() or schema.next_outbox_path(self.path).exists()

    def found(self) -> bool:
        """Whether this file is still found under its name."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def close(self) -> None:
        """Close the outbox file and its connection."""
        self._db.close()

    def changed(self) -> bool:
        """Whether another connection has committed since the last call; True at the first. Costs some microseconds."""
        before, self._data_version = self._data_version, self._db.execute("PRAGMA data_version").fetchone()[0]
        return bool(before != self._data_version)

    def next_seq(self) -> int:
        """Number (seq) that the next message gets."""
        return schema.meta(self._db)[1]

    def state(self) -> OutboxState:
        """Epoch, numbers and expired ranges: what consumers need to tell pending, lost and missing apart."""
        epoch, next_seq = schema.meta(self._db)
        oldest = self._db.execute("SELECT min(seq) FROM entries").fetchone()[0]
        expired = [(first, last) for first, last in self._db.execute("SELECT first, last FROM expired ORDER BY first")]
        return OutboxState(epoch=epoch, oldest_kept=oldest, next_seq=next_seq, expired=expired)

    def now(self) -> float:
        """Time of the outbox' own clock in seconds, see `edge.outbox.clock`."""
        if self._offset is None:
            try:
                self._offset = clock.offset(self._db, self._readonly)
            except sqlite3.Error as error:
                if schema.transient_error(error) is None:
                    raise
                return clock.offset(self._db, readonly=True) + clock.uptime()  # a full disk cannot store it yet
        return self._offset + clock.uptime()

    def first_since(self, moment_s: float) -> int:
        """First seq that was stored at ``moment_s`` (of `edge.outbox.clock.uptime`) or later, or will be.

        It reads backwards from the newest message: for moments that are not long ago.
        """
        next_seq = self.next_seq()  # first: what the writer commits between these looks was stored since, too
        since = self.now() - clock.uptime() + moment_s
        older = self._db.execute(
            "SELECT seq FROM entries WHERE created < ? ORDER BY seq DESC LIMIT 1", (since,)
        ).fetchone()
        if older is not None:
            return int(older[0]) + 1
        first = self._db.execute("SELECT min(seq) FROM entries").fetchone()[0]
        return next_seq if first is None else int(first)

    def age_of(self, name: str) -> float:
        """Seconds since `age_of` was called for ``name`` first; stored in this outbox."""
        seen = self._db.execute("SELECT value FROM meta WHERE key = ?", (f"seen {name}",)).fetchone()
        if seen is None:
            seen = (self.now(),)
            with transaction(self._db):
                self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (f"seen {name}", *seen))
        return float(self.now() - float(seen[0]) if isinstance(seen[0], (int, float)) else math.inf)

    def depth(self) -> OutboxDepth:
        """Number of pending messages, age of the oldest, and bytes that all messages take."""
        count = self._db.execute("SELECT count(*) FROM entries WHERE state = 'pending'").fetchone()[0]
        oldest = self._db.execute("SELECT created FROM entries WHERE state = 'pending' ORDER BY seq LIMIT 1").fetchone()
        age = 0.0 if oldest is None else max(0.0, self.now() - oldest[0])
        return OutboxDepth(count, age, self._used_bytes())

    def pending(self, sink: str, first: int, end: int, limit: int) -> list[StoredMessage]:
        """Messages ``first`` <= seq < ``end`` that ``sink`` does not have yet, in order of seq, at most ``limit``."""
        return self._intact(
            "state = 'pending' AND seq >= ? AND seq < ? AND NOT EXISTS "
            "(SELECT 1 FROM delivery WHERE delivery.seq = messages.seq AND delivery.sink = ?)",
            (first, end, sink, limit),
        )

    def stored(self, first: int, limit: int) -> list[StoredMessage]:
        """Messages from ``first`` on, delivered or not: for sinks that no message waits for."""
        return self._intact("seq >= ?", (first, limit))

    def _intact(self, condition: str, values: tuple[object, ...]) -> list[StoredMessage]:
        """Messages that are as they were stored (checksum). Others are given up and entered in ``expired``."""
        while True:
            found = self._db.execute(
                f"SELECT seq, suffix, body, crc FROM messages WHERE {condition} ORDER BY seq LIMIT ?",  # noqa: S608 - our own words
                values,
            ).fetchall()
            rows = [StoredMessage(*row[:3]) for row in found if _is_intact(*row)]
            if len(rows) < len(found):
                sound = {row.seq for row in rows}
                lost = [(row[0],) for row in found if row[0] not in sound]
                log.error("%d messages in %s were changed on the disk and are given up", len(lost), self.path.name)
                with transaction(self._db):
                    self._deletion.give_up(lost)
                self.damaged += len(lost)
            if rows or not found:
                return rows

    def kept(self, first: int, end: int, limit: int) -> list[tuple[StoredMessage, str]]:
        """Messages ``first`` <= seq < ``end``, at most ``limit``; each is ``pending``, ``acked`` or ``damaged``."""
        rows = self._db.execute(
            "SELECT seq, suffix, body, crc, state FROM messages WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?",
            (min(first, NO_END), min(end, NO_END), limit),
        )
        return [(StoredMessage(*row[:3]), str(row[4]) if _is_intact(*row[:4]) else "damaged") for row in rows]

    def kept_count(self) -> int:
        """Number of messages that are stored, delivered or not."""
        return int(self._db.execute("SELECT count(*) FROM entries").fetchone()[0])

    def delivered(self, sink: str, seqs: Sequence[int], durable_sinks: Sequence[str], wait: bool = True) -> None:
        """Record that ``sink`` has acknowledged ``seqs``; those that all ``durable_sinks`` have are acked.

        ``wait`` False: raises sqlite3.OperationalError at once if the other process commits just now.
        """
        with transaction(self._db) if wait else self._at_once():
            # By ranges: at each row and statement SQLite gives up Python's lock, which the connection's thread takes.
            for first, last in consecutive_ranges(seqs):
                self._record_delivery(sink, first, last, durable_sinks)

    def _record_delivery(self, sink: str, first: int, last: int, durable_sinks: Sequence[str]) -> None:
        if set(durable_sinks) <= {sink}:  # which sink has it need not be told of a message that none waits for
            self._db.execute("UPDATE entries SET state = 'acked' WHERE seq BETWEEN ? AND ?", (first, last))
            return
        self._db.execute(
            "INSERT OR IGNORE INTO delivery (seq, sink) SELECT seq, ? FROM entries WHERE seq BETWEEN ? AND ?",
            (sink, first, last),
        )
        self._db.execute(
            f"{_ack(durable_sinks)} AND seq BETWEEN ? AND ?", (*durable_sinks, len(durable_sinks), first, last)
        )

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        self._db.execute("PRAGMA busy_timeout = 0")
        try:
            with transaction(self._db):
                yield
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1e3)}")

    def acknowledge_unawaited(self, durable_sinks: Sequence[str]) -> None:
        """Mark as acked what no present sink waits for: the configuration may have lost one since it was stored."""
        with transaction(self._db):
            self._db.execute(_ack(durable_sinks), (*durable_sinks, len(durable_sinks)))

    def resend_counter(self, ranges: Sequence[tuple[int, int]]) -> ResendCounter:
        """Counter of what a resend of ``ranges``, rising and apart, will send, and of what is gone."""
        return ResendCounter(self._db, ranges)

    def add_resend(self, ranges: Sequence[tuple[int, int]], sink: str | None) -> None:
        """Store the job to send ``ranges``, rising and apart, to ``sink`` again (None: to all sinks)."""
        resend.add_job(self._db, ranges, sink)

    def mark_resend_slice(self) -> bool:
        """Carry out a slice of the first stored job; False: there is none."""
        return resend.mark_slice(self._db)

    def resend_progress(self, sink: str | None = None) -> ResendProgress:
        """How far resends are: by this, deliveries learn of those of another process, too."""
        return resend.progress(self._db, sink)

    def resend(self, first: int, last: int, sink: str | None = None) -> ResendResult:
        """Mark kept messages as not delivered to ``sink`` (None: to none), all of them; others may write meanwhile."""
        counter, result = self.resend_counter([(first, last)]), None
        while result is None:
            result = counter.count_some()
        self.add_resend([(first, last)], sink)
        while self.mark_resend_slice():
            time.sleep(PAUSE_S)
        return result

    def expire(self, keep_s: float, max_bytes: float, unsent_keep_s: float = math.inf) -> int:
        """Delete what was kept long enough, and, over the size budget, the oldest. Returns how many were lost by it.

        The oldest acked go first. Pending ones older than ``unsent_keep_s`` (and ``keep_s``), and, if all that is left
        is pending and still too much, the oldest of that are given up and entered in ``expired``, so that consumers
        learn of it.
        """
        lost = 0
        while (gone := self.expire_some(keep_s, max_bytes, unsent_keep_s)) is not None:
            lost += gone
        return lost

    def expire_some(self, keep_s: float, max_bytes: float, unsent_keep_s: float = math.inf) -> int | None:
        """Delete some of what `expire` would: how many were lost by it. None: nothing is left to delete."""
        now = self.now()
        if self._deletion.delete_acked(now - keep_s):
            return 0
        if gone := self._deletion.give_up_pending(now - max(keep_s, unsent_keep_s)):
            return gone
        if self._used_bytes() > max_bytes:
            return 0 if self._deletion.delete_acked() else self._deletion.give_up_pending() or None
        return None

    def truncate_journal(self) -> bool:
        """Empty the journal, where what was deleted still stands; False if the writer is just at work: try again."""
        return self._deletion.truncate_journal()

    def _used_bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def _is_intact(seq: int, suffix: object, body: object, crc: int | None) -> bool:
    """Whether a message is as it was stored. Those of the first layout have no checksum."""
    if not isinstance(suffix, str) or not isinstance(body, bytes):
        return False
    return crc is None or crc == schema.checksum(seq, suffix, body)


def _ack(durable_sinks: Sequence[str]) -> str:
    """Statement that acks every pending message which all of ``durable_sinks`` have."""
    marks = ", ".join("?" * len(durable_sinks))
    return (
        "UPDATE entries SET state = 'acked' WHERE state = 'pending' AND "  # noqa: S608 - only question marks are put in
        f"(SELECT count(*) FROM delivery WHERE delivery.seq = entries.seq AND delivery.sink IN ({marks})) = ?"
    )
