"""The account itself: it must see what it is there to see."""

from __future__ import annotations

import json
import sqlite3

import pytest
from faults.accounting import Produced, Received, compare


def message(seq, *, epoch="e", replayed=False, status="finding", text="x"):
    said = {"device": "d", "epoch": epoch, "seq": seq, "text": text, "status": status, "replayed": replayed}
    return json.dumps(said, separators=(",", ":")).encode()


def outbox(folder, seqs, *, next_seq=None, text="x"):
    path = folder / "outbox.sqlite3"
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    db.executescript("CREATE TABLE meta (key, value); CREATE TABLE messages (seq INTEGER PRIMARY KEY, body BLOB);")
    db.executemany("INSERT INTO meta VALUES (?, ?)", [("epoch", "e"), ("next_seq", next_seq or max(seqs) + 1)])
    db.executemany("INSERT INTO messages VALUES (?, ?)", [(seq, message(seq, text=text)) for seq in seqs])
    db.commit()
    db.close()
    return folder


TOPIC = "edge/v1/yard/cart/findings/phantom-1"


def test_all_is_well(tmp_path):
    produced, received = Produced(), Received()
    produced.look(outbox(tmp_path, [1, 2, 3]))
    for seq, replayed in ((3, False), (1, True), (2, True), (3, True)):
        received.feed(TOPIC, message(seq, replayed=replayed))
    account = compare(produced, received)
    assert (account.produced, account.received, account.duplicates) == (3, 3, 1)
    assert (account.missing, account.foreign, account.violations) == ([], [], [])


def test_what_is_missing_or_foreign_is_named(tmp_path):
    produced, received = Produced(), Received()
    produced.look(outbox(tmp_path, [1, 2]))
    received.feed(TOPIC, message(2))
    received.feed(TOPIC, message(3))
    account = compare(produced, received)
    assert account.missing == [("d", "e", 1)]
    assert account.foreign == [("d", "e", 3)]


@pytest.mark.parametrize(
    ("bodies", "word"),
    [
        ([message(2), message(1)], "order"),
        ([message(2, replayed=True), message(1, replayed=True)], "order"),
        ([message(1), message(1, text="y")], "seq reused on the wire"),
        ([message(1, status="clear")], "clear"),
    ],
)
def test_what_must_not_be_heard(bodies, word):
    received = Received()
    for body in bodies:
        received.feed(TOPIC, body)
    assert len(received.violations) == 1
    assert word in received.violations[0]


@pytest.mark.parametrize(
    ("then", "word"),
    [
        ({"seqs": [1, 2, 3], "text": "y"}, "seq reused in the outbox"),
        ({"seqs": [1], "next_seq": 2}, "went back"),
        ({"seqs": [1, 2, 3, 4, 6]}, "rows were ever seen"),
        ({"seqs": [1, 2, 3, 4], "next_seq": 4}, "not below next_seq"),
    ],
)
def test_what_must_not_be_in_an_outbox(tmp_path, then, word):
    produced = Produced()
    produced.look(outbox(tmp_path, [1, 2, 3]))
    assert produced.violations == []
    produced.look(outbox(tmp_path, **then))
    assert any(word in violation for violation in produced.violations)
