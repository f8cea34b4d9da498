"""Transactions of an outbox, begun with the write lock, which frame process and publisher take from each other."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

EAGER_PAUSE_S, EAGER_TRIES = 0.0002, 100
"""Pause between two tries to get the lock, and how many there are before it is waited for as SQLite does."""


@contextlib.contextmanager
def transaction(db: sqlite3.Connection, eager: bool = False) -> Iterator[None]:
    """Transaction (context manager): all or nothing. Takes the write lock at once.

    So what was read inside still holds when it is written. ``eager``: the lock is asked for again and again while the
    other process commits, since SQLite's own pauses of 1, 2, 5, 10 ms are longer than most commits.
    """
    if not (eager and _begin_eagerly(db)):
        db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            db.execute("ROLLBACK")
        raise


def _begin_eagerly(db: sqlite3.Connection) -> bool:
    """Try to begin a transaction `EAGER_TRIES` times; whether it has begun."""
    (timeout_ms,) = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute("PRAGMA busy_timeout = 0")
    try:
        for _ in range(EAGER_TRIES):
            if _begin_now(db):
                return True
            time.sleep(EAGER_PAUSE_S)
    finally:
        db.execute(f"PRAGMA busy_timeout = {timeout_ms}")
    return False


def _begin_now(db: sqlite3.Connection) -> bool:
    """Begin a transaction; False if the other process holds the lock."""
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise
        return False
    return True
