"""Resends of an outbox: jobs stored in it, which whoever has time carries out in short slices, and their counting.

A job marks one or more ranges of messages as pending again. It is stored before anybody is told of it, so that it
outlives the process, and each slice is a transaction of its own: the writer and the publisher's other work come
between. The publisher and `edge-cli outbox resend` may carry out the same job; each slice is marked once.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.outbox.rows import GONE_LIMIT, NO_END, ResendJob, ResendMark, ResendProgress, ResendResult, SeqRanges
from edge.outbox.schema import meta
from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

SLICE = 500
"""Messages that are marked in one transaction: some 10 ms, for which the writer waits."""
COUNT_SLICE = 20_000
"""Messages that are counted in one go."""
MARK, JOB = "resend", "resending "
"""Keys in ``meta``: of the mark, and what the key of each job begins with."""


class ResendCounter:
    """Counts what is kept of some ranges, some at a time: what a resend of them will send."""

    def __init__(self, db: sqlite3.Connection, ranges: Sequence[tuple[int, int]]) -> None:
        """``ranges``: [first, last] that are asked for, rising and apart; they are cut to what there is."""
        self._db = db
        end = meta(db)[1] - 1
        self._waiting = deque((min(first, NO_END), min(last, end)) for first, last in ranges)
        self._next = self._waiting[0][0]
        self._kept, self._count = SeqRanges(), 0
        self._gone: list[tuple[int, int]] = []
        self._gone_count = 0

    def count_some(self) -> ResendResult | None:
        """Count some more; the result when all is counted. Raises sqlite3.Error if the outbox fails."""
        room = COUNT_SLICE
        while self._waiting and room:
            first, last = self._waiting[0]
            seqs = _kept(self._db, self._next, last, room)
            for seq in seqs:
                self._kept.add(seq)
            self._count += len(seqs)
            if len(seqs) == room:
                self._next = seqs[-1] + 1
                return None
            room -= len(seqs)
            self._end_range(first, last)
        return ResendResult(self._count, self._gone[:GONE_LIMIT], self._gone_count)

    def _end_range(self, first: int, last: int) -> None:
        """Note what is gone of a range that is counted, and go on to the next."""
        gone, number = self._kept.gaps(first, last)
        self._gone += gone
        self._gone_count += number
        self._kept = SeqRanges()
        self._waiting.popleft()
        self._next = self._waiting[0][0] if self._waiting else 0


def add_job(db: sqlite3.Connection, ranges: Sequence[tuple[int, int]], sink: str | None) -> None:
    """Store the job to mark ``ranges``, rising and apart, as not delivered to ``sink`` (None: to none of the sinks)."""
    with transaction(db):
        newest = max((int(key.removeprefix(JOB)) for key, _ in _jobs(db)), default=0)
        made = meta(db)[1] - 1
        wanted = [(first, min(last, made)) for first, last in ranges if first <= min(last, made)]
        if wanted:
            job = _job_of(wanted, sink)
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
        now, later = _next_slice(db, job.ranges or [(job.first, job.last)])
        for first, last in now:
            db.execute(
                "DELETE FROM delivery WHERE seq >= ? AND seq <= ? AND (sink = ? OR ? IS NULL)",
                (first, last, job.sink, job.sink),
            )
            db.execute(
                "UPDATE entries SET state = 'pending' WHERE seq >= ? AND seq <= ? AND state <> 'pending'", (first, last)
            )
        before = progress(db).mark
        db.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)",
            (MARK, f"{before.number + 1 if before else 1} {now[0][0]} {now[-1][1]}"),
        )
        if not later:
            db.execute("DELETE FROM meta WHERE key = ?", (key,))
        else:
            rest = _job_of(later, job.sink)
            db.execute("UPDATE meta SET value = ? WHERE key = ?", (msgspec.json.encode(rest).decode(), key))
    return True


def _next_slice(
    db: sqlite3.Connection, ranges: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The first of ``ranges``, as far as a slice goes, and the rest of them."""
    room = SLICE
    now: list[tuple[int, int]] = []
    for place, (first, last) in enumerate(ranges):
        seqs = _kept(db, first, last, room)
        if len(seqs) == room and seqs[-1] < last:
            return [*now, (first, seqs[-1])], [(seqs[-1] + 1, last), *ranges[place + 1 :]]
        now.append((first, last))
        room -= len(seqs)
        if not room:
            return now, list(ranges[place + 1 :])
    return now, []


def _job_of(ranges: Sequence[tuple[int, int]], sink: str | None) -> ResendJob:
    several = list(ranges) if len(ranges) > 1 else []
    return ResendJob(first=ranges[0][0], last=ranges[-1][1], sink=sink, ranges=several)


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
