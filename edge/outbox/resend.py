"""Resends of an outbox: jobs stored in it, which whoever has time carries out in short slices, and their counting.

A job marks one range of messages as pending again. It is stored before anybody is told of it, so that it outlives the
process, and each slice is a transaction of its own: the writer and the publisher's other work come between. The
publisher and `edge-cli outbox resend` may carry out the same job; each slice is marked once.
"""

from __future__ import annotations

import sqlite3

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.outbox.rows import NO_END, ResendJob, ResendMark, ResendProgress, ResendResult, SeqRanges
from edge.outbox.schema import meta
from edge.outbox.transactions import transaction

SLICE = 500
"""Messages that are marked in one transaction: some 10 ms, for which the writer waits."""
COUNT_SLICE = 20_000
"""Messages that are counted in one go."""
MARK, JOB = "resend", "resending "
"""Keys in ``meta``: of the mark, and what the key of each job begins with."""


class ResendCounter:
    """Counts what is kept of a range, some at a time: what a resend of it will send."""

    def __init__(self, db: sqlite3.Connection, first: int, last: int) -> None:
        """``first`` and ``last``: lowest and highest seq that is asked for; the latter is cut to what there is."""
        self._db = db
        self.first, self.last = min(first, NO_END), min(last, meta(db)[1] - 1)
        self._next, self._kept, self._count = self.first, SeqRanges(), 0
        self._done = False

    def count_some(self) -> ResendResult | None:
        """Count some more; the result when all is counted. Raises sqlite3.Error if the outbox fails."""
        seqs = [] if self._done else _kept(self._db, self._next, self.last, COUNT_SLICE)
        for seq in seqs:
            self._kept.add(seq)
        self._count += len(seqs)
        if len(seqs) == COUNT_SLICE:
            self._next = seqs[-1] + 1
            return None
        self._done = True
        return ResendResult(self._count, *self._kept.gaps(self.first, self.last))


def add_job(db: sqlite3.Connection, first: int, last: int, sink: str | None) -> None:
    """Store the job to mark ``first`` <= seq <= ``last`` as not delivered to ``sink`` (None: to none of the sinks)."""
    with transaction(db):
        newest = max((int(key.removeprefix(JOB)) for key, _ in _jobs(db)), default=0)
        last = min(last, meta(db)[1] - 1)
        if first <= last:
            job = ResendJob(first=first, last=last, sink=sink)
            # A number of fixed width: jobs are carried out in the order of their keys.
            db.execute("INSERT INTO meta VALUES (?, ?)", (f"{JOB}{newest + 1:09}", msgspec.json.encode(job).decode()))


def progress(db: sqlite3.Connection, sink: str | None = None) -> ResendProgress:
    """Mark of the last slice, number of jobs, and the lowest seq that waits to be marked for ``sink``."""
    mark, frontier, jobs = None, NO_END, 0
    for key, value in db.execute("SELECT key, value FROM meta WHERE key >= 'resend' AND key < 'resene'"):
        if key == MARK:
            mark = _mark(value)
            continue
        job = _job(value)
        jobs += 1
        if sink is None or job.sink in (None, sink):
            frontier = min(frontier, job.first)
    return ResendProgress(mark, jobs, frontier)


def mark_slice(db: sqlite3.Connection) -> bool:
    """Mark the next messages of the first job; False: there is no job. Raises sqlite3.Error if the outbox fails."""
    if not _jobs(db):
        return False
    with transaction(db):
        found = _jobs(db)
        if not found:
            return False
        key, job = found[0]
        seqs = _kept(db, job.first, job.last, SLICE)
        end = job.last if len(seqs) < SLICE else seqs[-1]
        db.execute(
            "DELETE FROM delivery WHERE seq >= ? AND seq <= ? AND (sink = ? OR ? IS NULL)",
            (job.first, end, job.sink, job.sink),
        )
        db.execute(
            "UPDATE entries SET state = 'pending' WHERE seq >= ? AND seq <= ? AND state <> 'pending'", (job.first, end)
        )
        before = progress(db).mark
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            (MARK, f"{before.number + 1 if before else 1} {job.first} {end}"),
        )
        if end >= job.last:
            db.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            rest = msgspec.structs.replace(job, first=end + 1)
            db.execute("UPDATE meta SET value = ? WHERE key = ?", (msgspec.json.encode(rest).decode(), key))
    return True


def _kept(db: sqlite3.Connection, first: int, last: int, limit: int) -> list[int]:
    """Seq of kept messages, ``first`` <= seq <= ``last``, at most ``limit``, rising."""
    rows = db.execute("SELECT seq FROM entries WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?", (first, last, limit))
    return [seq for (seq,) in rows]


def _jobs(db: sqlite3.Connection) -> list[tuple[str, ResendJob]]:
    rows = db.execute(
        "SELECT key, value FROM meta WHERE key > ? AND key < ? ORDER BY key", (JOB, JOB[:-1] + "!")
    ).fetchall()
    return [(str(key), _job(value)) for key, value in rows]


def _job(value: object) -> ResendJob:
    try:
        return decode_json(str(value), ResendJob)
    except UnreadableError:
        raise sqlite3.DatabaseError("malformed: the job of a resend") from None


def _mark(value: object) -> ResendMark:
    """An earlier version's mark has two numbers; what it marked ends nowhere in particular."""
    try:
        number, first, *last = map(int, str(value).split())
        return ResendMark(number, first, *(last or [NO_END]))
    except (TypeError, ValueError):
        raise sqlite3.DatabaseError("malformed: the mark of a resend") from None
