"""Outbox writer, in the frame process: numbers messages, syncs them to disk in a thread; full disks are tried again.

Group commit: whatever waits when the thread comes round shares one transaction, so one disk sync serves a burst.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import sqlite3
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from edge.outbox import clock, schema
from edge.outbox.batches import next_batch
from edge.outbox.identity import FOLDER_LOST, FolderIdentity, IdentityFile
from edge.outbox.schema import transient_error
from edge.outbox.transactions import transaction
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.contracts.envelope import Durable

log = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
"""Messages held in memory while the disk takes none: minutes of findings, some 20 MB."""
RETRY_S = 0.5
OPEN_RETRY_LIMIT_S = 10.0
"""The pause doubles up to it while the file cannot even be opened: moving a large one to another layout fills the disk
again and again."""
HUNG_S = 20.0
"""A commit that takes so long will not come back: far longer than waiting for the other process, or a slow card."""


class OutboxWriter:
    """Stores durable messages. `put` never waits, not even for a lock; the disk is the thread's business alone."""

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[], None],
        queue_limit: int = QUEUE_LIMIT,
        on_stored: Callable[[int], None] | None = None,
    ) -> None:
        """``on_commit`` and ``on_stored`` are called after each commit, the latter with how many messages it stored."""
        self.lost = 0
        """Messages that were given up because the queue was full, or that could not be encoded."""
        self._path = schema.current_outbox(path)
        self._on_commit, self._on_stored = on_commit, on_stored
        self._limit = queue_limit
        self._queue: SimpleQueue[tuple[str, Durable] | threading.Event] = SimpleQueue()
        """Messages, and events to be set when all before them is stored."""
        self._closing = threading.Event()
        self._problem: str | None = None
        self._was_set_aside = False
        self._folder: FolderIdentity | None = None
        """Of the state directory, once an outbox in it was open: one that is taken away is not made anew."""
        self._encoder = msgspec.json.Encoder()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
        self._checked = 0
        """Inode of the file that was read through: once for each is enough."""
        self._committing_since: float | None = None
        self._offset = 0.0
        """Of the outbox' clock, see `edge.outbox.clock.offset`."""
        self._mark: IdentityFile | None = None
        self._expected: int | None = None
        """``next_seq`` before a commit that has failed, and is tried again."""
        self._last: tuple[str, int] | None = None
        """(epoch, next_seq) after the last commit to the open file."""
        self._pause_s = 0.0
        self._opened = False
        """Whether the file could be opened when something was to be stored last."""
        self._limited_log = LogLimiter(log)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def put(self, suffix: str, message: Durable) -> bool:
        """Queue ``message`` for storage; False if the queue is full and it is lost."""
        if self._closing.is_set() or self._queue.qsize() >= self._limit:
            self.lost += 1
            return False
        self._queue.put((suffix, message))
        return True

    def problems(self) -> list[str]:
        """Reason words for `FrameReport.reasons`; empty: all is well."""
        words = [self._problem] if self._problem else []
        if self._was_set_aside:
            words.append("outbox_set_aside")
        if self.lost:
            words.append("messages_lost")
        return words

    def hung(self, limit_s: float = HUNG_S) -> bool:
        """Whether the disk has not come back from one commit for ``limit_s``: only a new process helps, if anything.

        A disk that says no (full, read-only) is no such: that is a problem, see `problems`, and is tried again.
        """
        if not self._thread.is_alive() and not self._closing.is_set():
            return True  # a bug of ours ended it; nothing would ever be stored
        since = self._committing_since
        return since is not None and time.monotonic() - since > limit_s

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is on disk; whether it is within ``timeout_s``."""
        return self.mark().wait(timeout_s)

    def mark(self) -> threading.Event:
        """Return an event that is set when all that was put until now is on disk. Never waits."""
        stored = threading.Event()
        self._queue.put(stored)
        return stored

    def close(self, timeout_s: float) -> bool:
        """Store what waits, and end the thread; whether all of it is on disk. May be called twice."""
        done = self._closing.is_set() or self.flush(timeout_s)
        self._closing.set()
        self._queue.put(threading.Event())  # so that the thread wakes
        self._thread.join(timeout_s)
        return done

    def _run(self) -> None:
        try:
            self._store_all()
        finally:  # also when a bug ends it: the process may live on, and must not keep the file locked
            self._close_file()

    def _store_all(self) -> None:
        """Store what comes, until the end; the numbers of the last commit are then synced."""
        self._store_until_stored([])  # opens or makes the file: the publisher announces its epoch in the first `state`
        self._on_commit()
        while not (self._closing.is_set() and self._queue.empty()):
            batch, stored = next_batch(self._queue)
            if self._store_until_stored(batch):
                self._announce_stored(batch, stored)
        if self._mark is not None and self._last is not None:
            with contextlib.suppress(OSError):
                self._mark.write(*self._last, sync=True)

    def _announce_stored(self, batch: list[tuple[str, Durable]], stored: threading.Event | None) -> None:
        """Tell all who want to know that ``batch``, and what was before ``stored``, is on the disk."""
        if batch:
            if self._on_stored is not None:
                self._on_stored(len(batch))
            self._on_commit()
        if stored is not None:
            stored.set()

    def _close_file(self) -> None:
        if self._db is not None:
            self._db.close()
        if self._mark is not None:
            self._mark.close()
        self._db = self._mark = self._last = None

    def _store_until_stored(self, batch: list[tuple[str, Durable]]) -> bool:
        """Keep trying; False if that was ended by `close`."""
        while not self._try_to_store(batch):
            if self._closing.wait(self._retry_pause()):
                self.lost, self._expected = self.lost + len(batch), None
                if batch:
                    log.error("%d messages could not be stored and are lost (%s)", len(batch), self._problem)
                return False
        return True

    def _try_to_store(self, batch: list[tuple[str, Durable]]) -> bool:
        """Store ``batch`` in one commit; False: the disk takes none now, and `_retry_pause` says when to try again."""
        while True:
            try:
                db = self._open()
                self._opened = True
                self._committing_since = time.monotonic()
                if self._expected is None or schema.meta(db)[1] == self._expected:
                    with transaction(db, eager=True):
                        epoch, self._expected, next_seq = self._append(db, batch)
                else:  # the commit that failed had reached the disk after all
                    epoch, next_seq = schema.meta(db)
                self._update_identity(epoch, next_seq)
                break
            except (sqlite3.Error, OSError) as error:
                if not self._handle_error(error):
                    return False
                self._expected = None
            finally:
                self._committing_since = None
        self._expected = None
        if self._problem:
            self._limited_log.info("again", "the outbox takes messages again")
            self._problem = None
        return True

    def _retry_pause(self) -> float:
        """Seconds until the next try: longer each time while the file cannot be opened."""
        self._pause_s = RETRY_S if self._opened else min(2 * self._pause_s or RETRY_S, OPEN_RETRY_LIMIT_S)
        self._opened = False
        return self._pause_s

    def _open(self) -> sqlite3.Connection:
        if self._folder is not None and self._folder.lost():
            raise FileNotFoundError(errno.ENOENT, "the state directory was removed, moved or replaced")
        if self._db is not None:
            if not self._path.exists() or self._path.stat().st_ino != self._inode:
                raise sqlite3.DatabaseError("removed or replaced")
            if self._last is not None:
                epoch, next_seq = schema.meta(self._db)
                if epoch != self._last[0] or next_seq < self._last[1]:
                    raise sqlite3.DatabaseError("put back while in use")
            if schema.is_marked_damaged(self._path):
                raise sqlite3.DatabaseError("malformed: the publisher could not read it")
            return self._db
        if self._path.exists() and not self._path.is_file():
            raise sqlite3.DatabaseError("not a regular file")
        if schema.is_marked_damaged(self._path):
            raise sqlite3.DatabaseError("malformed: it was found so before")
        if not self._path.exists():
            schema.create(self._path)
            log.info("new outbox %s", self._path.name)
        schema.migrate(self._path)
        db = schema.connect(self._path, "FULL")
        try:
            schema.verify(self._path, db)
            inode = self._path.stat().st_ino
            if inode != self._checked:
                schema.check(db)
            # The publisher moves the journal into the file; this is the fall-back while there is no publisher.
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            self._offset = clock.offset(db)
            self._mark = IdentityFile(self._path)
        except BaseException:
            db.close()
            raise
        self._db, self._inode, self._checked, self._last = db, inode, inode, None
        self._folder = self._folder or FolderIdentity(self._path.parent)
        return db

    def _update_identity(self, epoch: str, next_seq: int) -> None:
        """Write the numbers of a finished commit to the identity file."""
        self._last = (epoch, next_seq)
        if self._mark is not None:
            try:
                self._mark.write(epoch, next_seq)
            except OSError as error:  # it stays behind: a copy put back may not be noticed, nothing else is the worse
                self._limited_log.warning(
                    "mark", "the mark of %s cannot be written: %s", self._path.name, error.strerror
                )

    def _append(self, db: sqlite3.Connection, batch: list[tuple[str, Durable]]) -> tuple[str, int, int]:
        """Add ``batch`` to the open transaction; the epoch, and next_seq before and after it."""
        epoch, first = schema.meta(db)
        seq = first
        created = self._offset + clock.uptime()
        rows, bodies = [], []
        for suffix, message in batch:
            try:
                body = self._encoder.encode(msgspec.structs.replace(message, epoch=epoch, seq=seq))
            except (TypeError, ValueError) as error:  # a bug in whoever made it; the others must not suffer
                self._limited_log.error(suffix, "a message for %s cannot be encoded and is lost: %s", suffix, error)
                self.lost += 1
                continue
            rows.append((seq, suffix, created, schema.checksum(seq, suffix, body)))
            bodies.append((seq, body))
            seq += 1
        db.executemany("INSERT INTO entries (seq, suffix, created, crc) VALUES (?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO bodies VALUES (?, ?)", bodies)
        db.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (seq,))
        return epoch, first, seq

    def _handle_error(self, error: sqlite3.Error | OSError) -> bool:
        """Close the file after ``error``; True if it is damaged or a copy: then the next one can be begun at once."""
        self._close_file()
        word = transient_error(error) if isinstance(error, sqlite3.Error) else "disk_error"
        if self._folder is not None and self._folder.lost():
            word = FOLDER_LOST
        if word is None:
            damaged, self._path = self._path, schema.next_outbox_path(self._path)
            self._was_set_aside = True
            with contextlib.suppress(OSError):
                if damaged.is_file():
                    damaged.chmod(0o600)  # whoever put it there may have been generous
            log.error("%s is not gone on with (%s) and left as it is; a new epoch begins", damaged.name, error)
            return True
        if word != self._problem:
            self._problem = word
            self._limited_log.error(word, "the outbox takes no messages (%s); trying again", error)
        return False
