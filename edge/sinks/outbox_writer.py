"""The frame process' side of the outbox: messages in, numbered and synced to disk by a thread of its own.

Group commit: whatever waits when the thread comes round shares one transaction, so one disk sync serves a burst.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec

from edge.sinks import outbox_schema
from edge.sinks.outbox_schema import transaction, transient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.contracts.envelope import Durable

log = logging.getLogger(__name__)

QUEUE_LIMIT = 10_000
"""Messages held in memory while the disk takes none: minutes of findings, some 20 MB."""
BATCH_LIMIT = 500
RETRY_S = 0.5


class OutboxWriter:
    """Stores durable messages. `put` never waits, not even for a lock; the disk is the thread's business alone."""

    def __init__(self, path: Path, on_commit: Callable[[], None], queue_limit: int = QUEUE_LIMIT) -> None:
        self.lost = 0
        """Messages that were given up because the queue was full, or that could not be encoded."""
        self._path = outbox_schema.newest(path)
        self._on_commit = on_commit
        self._limit = queue_limit
        self._queue: SimpleQueue[tuple[str, Durable] | threading.Event] = SimpleQueue()
        """Messages, and events to be set when all before them is stored."""
        self._closing = threading.Event()
        self._problem: str | None = None
        self._was_set_aside = False
        self._encoder = msgspec.json.Encoder()
        self._db: sqlite3.Connection | None = None
        self._inode = 0
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
        """Words for `Report.reasons`; empty: all is well."""
        words = [self._problem] if self._problem else []
        if self._was_set_aside:
            words.append("outbox_set_aside")
        if self.lost:
            words.append("messages_lost")
        return words

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was put is on disk; whether that came to be."""
        stored = threading.Event()
        self._queue.put(stored)
        return stored.wait(timeout_s)

    def close(self, timeout_s: float) -> bool:
        """Store what waits and end; whether all of it is on disk. May be called twice."""
        done = self._closing.is_set() or self.flush(timeout_s)
        self._closing.set()
        self._queue.put(threading.Event())  # so that the thread looks up
        self._thread.join(timeout_s)
        return done

    def _run(self) -> None:
        self._store_until_stored([])  # opens or makes the file: the publisher tells its epoch in the birth message
        self._on_commit()
        while not (self._closing.is_set() and self._queue.empty()):
            batch: list[tuple[str, Durable]] = []
            stored: threading.Event | None = None
            item = self._queue.get()
            while not isinstance(item, threading.Event):
                batch.append(item)
                if len(batch) == BATCH_LIMIT or self._queue.empty():
                    break
                item = self._queue.get()
            else:
                stored = item
            if batch:
                if not self._store_until_stored(batch):
                    continue
                self._on_commit()
            if stored is not None:
                stored.set()
        if self._db is not None:
            self._db.close()

    def _store_until_stored(self, batch: list[tuple[str, Durable]]) -> bool:
        """Keep trying; False if that was ended by `close`."""
        expected: int | None = None
        while True:
            try:
                db = self._open()
                if expected is not None and outbox_schema.meta(db)[1] != expected:
                    break  # the commit that failed had reached the disk after all
                expected = outbox_schema.meta(db)[1]
                with transaction(db):
                    self._append(db, batch)
                break
            except (sqlite3.Error, OSError) as error:
                if self._trouble(error):
                    expected = None
                    continue
            if self._closing.wait(RETRY_S):
                self.lost += len(batch)
                return False
        if self._problem:
            log.info("the outbox takes messages again")
            self._problem = None
        return True

    def _open(self) -> sqlite3.Connection:
        if self._db is not None:
            if self._path.exists() and self._path.stat().st_ino == self._inode:
                return self._db
            raise sqlite3.DatabaseError("removed or replaced")
        if self._path.exists() and not self._path.is_file():
            raise sqlite3.DatabaseError("not a regular file")
        if not self._path.exists():
            outbox_schema.create(self._path)
            log.info("new outbox %s", self._path.name)
        db = outbox_schema.connect(self._path, "FULL")
        # The publisher moves the journal into the file; this is the fall-back while there is no publisher.
        db.execute("PRAGMA wal_autocheckpoint = 4000")
        self._db, self._inode = db, self._path.stat().st_ino
        return db

    def _append(self, db: sqlite3.Connection, batch: list[tuple[str, Durable]]) -> None:
        epoch, seq = outbox_schema.meta(db)
        created = time.time()
        rows = []
        for suffix, message in batch:
            try:
                body = self._encoder.encode(msgspec.structs.replace(message, epoch=epoch, seq=seq))
            except (TypeError, ValueError) as error:  # a bug in whoever made it; the others must not suffer
                log.error("a message for %s cannot be encoded and is lost: %s", suffix, error)
                self.lost += 1
                continue
            rows.append((seq, suffix, body, created))
            seq += 1
        db.executemany("INSERT INTO messages (seq, suffix, body, created) VALUES (?, ?, ?, ?)", rows)
        db.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (seq,))

    def _trouble(self, error: sqlite3.Error | OSError) -> bool:
        """Let go of the file; True if it was damaged: then the next one can be begun at once."""
        if self._db is not None:
            self._db.close()
            self._db = None
        word = transient(error) if isinstance(error, sqlite3.Error) else "disk_error"
        if word is None:
            damaged, self._path = self._path, outbox_schema.successor(self._path)
            self._was_set_aside = True
            log.error("%s is damaged (%s) and left as it is; going on with a new epoch", damaged.name, error)
            return True
        if word != self._problem:
            self._problem = word
            log.error("the outbox takes no messages (%s); trying again", error)
        return False
