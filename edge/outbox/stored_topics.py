"""Topics of the messages that lie in a device's outboxes: those of an earlier model may be others than the present's.

Rows are looked through once: what was found, and up to which number, is kept in ``meta``.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.decoding import UnreadableError, decode_json
from edge.outbox import schema
from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    from pathlib import Path

KEY = "topics"
BUSY_TIMEOUT_S = 0.1
"""So long the note waits while the other process commits; without it the rows are looked through again next time."""


class SeenTopics(msgspec.Struct, frozen=True):
    """First levels of topics of all rows below a number."""

    topics: list[str] = []
    below: int = 0


def stored_topics(path: Path) -> frozenset[str]:
    """First levels of the topics (``findings`` of ``findings/cart``) of all messages that the outboxes hold.

    ``path`` is the first outbox' name; those that were set aside count. What cannot be read is passed over.
    """
    found: set[str] = set()
    current = schema.current_outbox(path)
    for each in (*schema.set_aside_outboxes(path), current):
        with contextlib.suppress(sqlite3.Error, OSError):
            found |= _topics_of(each, readonly=each != current)
    return frozenset(found)


def _topics_of(path: Path, *, readonly: bool) -> set[str]:
    with contextlib.closing(schema.connect(path, "NORMAL", readonly, BUSY_TIMEOUT_S)) as db:
        seen, next_seq = _seen(db), schema.meta(db)[1]
        rows = db.execute(
            "SELECT DISTINCT substr(suffix, 1, instr(suffix || '/', '/') - 1) FROM entries WHERE seq >= ?",
            (seen.below,),
        )
        found = {*seen.topics, *(str(topic) for (topic,) in rows)}
        if not readonly and next_seq > seen.below:
            note = msgspec.json.encode(SeenTopics(sorted(found), next_seq)).decode()
            with contextlib.suppress(sqlite3.Error), transaction(db):
                db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (KEY, note))
        return found


def _seen(db: sqlite3.Connection) -> SeenTopics:
    """What was noted last; nothing where all of those rows are gone, or the note cannot be read."""
    row = db.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    oldest = db.execute("SELECT min(seq) FROM entries").fetchone()[0]
    if row is None or oldest is None:
        return SeenTopics()
    try:
        seen = decode_json(str(row[0]).encode(), SeenTopics)
    except UnreadableError:
        return SeenTopics()
    return seen if oldest < seen.below else SeenTopics()
