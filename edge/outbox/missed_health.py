"""Store of ``health`` that a receiver missed while it was away: a file of its own, with a budget of its own.

It can push out no finding, and its loss is no loss of one: so it is written without waiting for the disk, and begun
anew when it is damaged. What is given up unsent is counted, with the times that it was about.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.outbox.transactions import transaction
from edge.process.log_limit import LogLimiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)

FILE_NAME = "telemetry.sqlite3"
GIVE_UP = 50
"""Samples given up at once, when there are too many."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
"""Pause after a failure (a full disk), and the limit up to which it doubles; meanwhile nothing is tried."""

LAYOUT = """
CREATE TABLE IF NOT EXISTS samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sink TEXT NOT NULL, stored REAL NOT NULL, at TEXT NOT NULL, body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS by_sink ON samples (sink, id);
CREATE TABLE IF NOT EXISTS expired (count INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL);
"""


class MissedHealth(NamedTuple):
    """One ``health`` message that waits for one sink."""

    id: int
    body: bytes


class MissedHealthCounts(NamedTuple):
    """How much missed ``health`` waits or was given up, as `health` reports it."""

    waiting: int = 0
    expired: int = 0
    """Given up unsent, since this file was begun; one sample that two sinks lack counts twice."""
    expired_from: str | None = None
    """``at`` of the oldest and the newest sample that was given up; None: none was."""
    expired_to: str | None = None


class _ExpiredHealth(NamedTuple):
    """What was given up: how many, and ``at`` of the oldest and the newest."""

    number: int
    first: str
    last: str

    def merged_with(self, other: _ExpiredHealth | None) -> _ExpiredHealth:
        """Sum of both, with the older first and the newer last time; ``other`` None: nothing is added."""
        if other is None:
            return self
        return _ExpiredHealth(self.number + other.number, min(self.first, other.first), max(self.last, other.last))


class _At(msgspec.Struct):
    at: str = ""


class MissedHealthStore:
    """Stores missed ``health`` of one publisher. Nothing here raises: what cannot be kept is counted."""

    def __init__(self, state_dir: Path, keep_s: float, max_bytes: float) -> None:
        """``keep_s``: how long a sample is kept. ``max_bytes`` 0: nothing is kept."""
        self._path = state_dir / FILE_NAME
        self._keep_s, self._max_bytes = keep_s, max_bytes
        self._db: sqlite3.Connection | None = None
        self._uncounted: _ExpiredHealth | None = None
        """What could not even be counted on the disk."""
        self._unrecorded: set[int] = set()
        """Ids of samples that have arrived, and could not be deleted yet: not to be sent again."""
        self._retry_at = self._pause_s = 0.0
        self._limited_log = LogLimiter(log)
        self.counts = MissedHealthCounts()
        if self._max_bytes:
            self._try(self._restamp)
        else:
            remove(state_dir)

    def keep(self, sink: str, body: bytes) -> None:
        """Store ``body``, a ``health`` message that ``sink`` has missed."""
        at = ""
        with contextlib.suppress(UnreadableError):
            at = decode_json(body, _At).at

        def insert(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO samples (sink, stored, at, body) VALUES (?, ?, ?, ?)", (sink, _uptime(), at, body))

        if not self._max_bytes or not self._try(insert):
            self._uncounted = _ExpiredHealth(1, at, at).merged_with(self._uncounted)
            self._count()

    def waiting(self, sink: str, after: int, limit: int) -> list[MissedHealth]:
        """The oldest samples that wait for ``sink``, of those above the id ``after``."""
        found: list[MissedHealth] = []

        def select(db: sqlite3.Connection) -> None:
            rows = db.execute(
                "SELECT id, body FROM samples WHERE sink = ? AND id > ? ORDER BY id LIMIT ?", (sink, after, limit)
            )
            found.extend(MissedHealth(*row) for row in rows if row[0] not in self._unrecorded)

        if self.counts.waiting:
            self._try(select)
        return found

    def sent(self, ids: list[int]) -> None:
        """Delete the samples ``ids``, which have arrived; later, if the disk takes nothing now."""
        self._unrecorded.update(ids)
        self._delete_sent()

    def expire(self, sinks: list[str]) -> None:
        """Delete samples that are too old, over the size budget, or for none of ``sinks``, the configured."""

        def by_age(db: sqlite3.Connection) -> None:
            marks = ", ".join("?" * len(sinks))
            self._give_up(db, f"stored < ? OR sink NOT IN ({marks})", (_uptime() - self._keep_s, *sinks))

        def by_size(db: sqlite3.Connection) -> None:
            self._give_up(db, "id IN (SELECT id FROM samples ORDER BY id LIMIT ?)", (GIVE_UP,))

        self._delete_sent()
        if self.counts.waiting:
            self._try(by_age)
        # Asked between transactions: within one, SQLite does not tell the free pages rightly.
        while self.counts.waiting and self._used() > self._max_bytes and self._try(by_size):
            pass

    def close(self) -> None:
        """Close the database file, if it is open."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _used(self) -> int:
        if self._db is None:
            return 0
        names = ("page_count", "freelist_count", "page_size")
        pages, free, size = (self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in names)
        return int((pages - free) * size)

    def _give_up(self, db: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> None:
        rows = db.execute(f"SELECT id, at FROM samples WHERE {condition}", values).fetchall()  # noqa: S608 - our own words
        db.executemany("DELETE FROM samples WHERE id = ?", [row[:1] for row in rows])
        if rows:
            times = [at for _, at in rows]
            _add_expired(db, _ExpiredHealth(len(times), min(times), max(times)))

    def _delete_sent(self) -> None:
        ids = [(one,) for one in self._unrecorded]
        if ids and self._try(lambda db: db.executemany("DELETE FROM samples WHERE id = ?", ids)):
            self._unrecorded.clear()

    def _restamp(self, db: sqlite3.Connection) -> None:
        """What was stored before this boot gets its age from now on: no clock tells how long we were off."""
        db.execute("UPDATE samples SET stored = ? WHERE stored > ?", (_uptime(), _uptime()))

    def _try(self, action: Callable[[sqlite3.Connection], object], anew: bool = True) -> bool:
        """Do it in one transaction; whether it came to be. A damaged file is begun anew."""
        if time.monotonic() < self._retry_at:
            return False
        try:
            if self._db is None:
                self._db = _open(self._path)
            with transaction(self._db):
                action(self._db)
        except (sqlite3.Error, OSError) as error:
            self.close()
            self._pause_s = min(2 * self._pause_s or FIRST_PAUSE_S, LONGEST_PAUSE_S)
            self._limited_log.warning(str(error), "%s: %s", FILE_NAME, error)
            if isinstance(error, (OSError, sqlite3.OperationalError)):
                self._retry_at = time.monotonic() + self._pause_s
                return False  # full or read-only: the file itself is well
            self._unrecorded.clear()
            remove(self._path.parent)
            return anew and self._try(action, anew=False)
        self._pause_s = 0.0
        self._count()
        return True

    def _count(self) -> None:
        waiting, lost = 0, None
        with contextlib.suppress(sqlite3.Error):
            if self._db is not None:
                if self._uncounted is not None:
                    _add_expired(self._db, self._uncounted)
                    self._uncounted = None
                waiting = self._db.execute("SELECT count(*) FROM samples").fetchone()[0]
                lost = _expired(self._db)
        if self._uncounted is not None:
            lost = self._uncounted.merged_with(lost)
        self.counts = MissedHealthCounts(waiting, *(lost or ()))


def remove(state_dir: Path) -> None:
    """Delete the file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        with contextlib.suppress(OSError):
            (state_dir / (FILE_NAME + suffix)).unlink(missing_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
    try:
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(LAYOUT)
    except BaseException:
        db.close()
        raise
    return db


def _expired(db: sqlite3.Connection) -> _ExpiredHealth | None:
    row = db.execute("SELECT count, first, last FROM expired").fetchone()
    return row and _ExpiredHealth(*row)


def _add_expired(db: sqlite3.Connection, lost: _ExpiredHealth) -> None:
    total = lost.merged_with(_expired(db))
    db.execute("DELETE FROM expired")
    db.execute("INSERT INTO expired VALUES (?, ?, ?)", total)


def _uptime() -> float:
    """Seconds since the boot, sleep included: it cannot be set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
