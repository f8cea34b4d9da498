"""Which topics the messages in a device's outboxes have: also of an earlier model, and of outboxes set aside."""

from __future__ import annotations

import sqlite3

import pytest
from sample_messages import make_message

from edge.outbox import schema
from edge.outbox.stored_topics import KEY, stored_topics
from edge.outbox.writer import OutboxWriter


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / schema.FILE_NAME


def store(path, *suffixes):
    writer = OutboxWriter(path, on_commit=lambda: None)
    for suffix in suffixes:
        assert writer.put(suffix, make_message())
    assert writer.close(30)


def note(path):
    with sqlite3.connect(path) as db:
        row = db.execute("SELECT value FROM meta WHERE key = ?", (KEY,)).fetchone()
    db.close()
    return row and row[0]


def test_topics_of_all_rows_are_found_and_each_row_is_looked_at_once(path):
    assert stored_topics(path) == frozenset()
    store(path, "labels/cart", "coverage/cart")
    assert stored_topics(path) == {"labels", "coverage"}
    assert note(path) == '{"topics":["coverage","labels"],"below":3}'
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET suffix = 'other/cart' WHERE seq = 1")  # not looked at again
    db.close()
    store(path, "findings/cart", "odd")
    assert stored_topics(path) == {"labels", "coverage", "findings", "odd"}


def test_what_is_gone_altogether_is_named_no_more(path):
    store(path, "labels/cart", "coverage/cart")
    assert "labels" in stored_topics(path)
    store(path, "findings/cart")
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM entries WHERE seq < 3")
    db.close()
    assert stored_topics(path) == {"findings"}


def test_outboxes_that_were_set_aside_count_and_damage_is_passed_over(path):
    store(path, "labels/cart")
    schema.create(schema.next_outbox_path(path))
    store(path, "coverage/cart")
    assert stored_topics(path) == {"labels", "coverage"}
    path.write_bytes(b"no database" * 100)
    assert stored_topics(path) == {"coverage"}


def test_a_note_that_cannot_be_read_costs_a_look(path):
    store(path, "labels/cart")
    stored_topics(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = 'x' WHERE key = ?", (KEY,))
    db.close()
    assert stored_topics(path) == {"labels"}
