"""Account of messages for fault tests: it must see what it is there to see."""

from __future__ import annotations

import json
import sqlite3

import pytest
from faults.accounting import Produced, Received, compare, lost_in_commit_window, readable
from faults.disk import flip


def message(seq, *, epoch="e", replayed=False, status="finding", text="x"):
    """Body of a message as the daemon publishes it."""
    said = {"device": "d", "epoch": epoch, "seq": seq, "text": text, "status": status, "replayed": replayed}
    return json.dumps(said, separators=(",", ":")).encode()


def outbox(folder, seqs, *, next_seq=None, text="x"):
    """Write an outbox file with messages ``seqs`` into ``folder``."""
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
    produced.read_outboxes(outbox(tmp_path, [1, 2, 3]))
    for seq, replayed in ((3, False), (1, True), (2, True), (3, True)):
        received.feed(TOPIC, message(seq, replayed=replayed))
    account = compare(produced, received)
    assert (account.produced, account.received, account.duplicates) == (3, 3, 1)
    assert (account.missing, account.foreign, account.violations) == ([], [], [])


def test_what_is_missing_or_foreign_is_named(tmp_path):
    produced, received = Produced(), Received()
    produced.read_outboxes(outbox(tmp_path, [1, 2]))
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
    produced.read_outboxes(outbox(tmp_path, [1, 2, 3]))
    assert produced.violations == []
    produced.read_outboxes(outbox(tmp_path, **then))
    assert any(word in violation for violation in produced.violations)


def test_the_replay_lane_begins_anew_when_the_device_is_asked_to_go_back():
    received = Received()
    received.feed(TOPIC, message(5, replayed=True))
    received.feed(TOPIC, message(7))
    received.feed("edge/v1/yard/cart/response/findings/resend", b"{}")
    received.feed(TOPIC, message(2, replayed=True))
    assert received.violations == []
    received.feed(TOPIC, message(6))  # the live lane does not
    assert len(received.violations) == 1


def test_a_struck_file_owes_nothing_but_gives_no_number_twice(tmp_path):
    produced, received = Produced(), Received()
    path = outbox(tmp_path, [1, 2, 3]) / "outbox.sqlite3"
    produced.read_outboxes(tmp_path)
    for seq in (1, 2):
        received.feed(TOPIC, message(seq))
    produced.mark_damaged(path, "e")
    produced.read_outboxes(outbox(tmp_path, [1]))
    assert produced.violations == []
    assert compare(produced, received).missing == [("d", "e", 3)]
    assert readable(tmp_path).keys() == {("d", "e", 1)}
    outbox(tmp_path, [1, 2, 3], text="y")  # gone on with: 2 and 3 are given again
    produced.read_outboxes(tmp_path)
    received.feed(TOPIC, message(2, text="y"))
    received.feed(TOPIC, message(3, text="y"))
    violations = compare(produced, received).violations
    assert any("reused on the wire" in each for each in violations)
    assert any("body changed on the way" in each for each in violations)


def test_what_a_struck_file_numbers_afterwards_is_owed(tmp_path):
    produced = Produced()
    path = outbox(tmp_path, [1, 2]) / "outbox.sqlite3"
    produced.read_outboxes(tmp_path)
    produced.mark_damaged(path, "e")
    produced.read_outboxes(outbox(tmp_path, [1, 3], next_seq=4))
    assert ("d", "e", 3) in produced.bodies
    assert produced.violations == []


def test_a_file_that_nobody_struck_must_be_readable(tmp_path):
    path = outbox(tmp_path, list(range(1, 200))) / "outbox.sqlite3"
    flip(path, [place / 100 for place in range(99)])
    with pytest.raises((sqlite3.Error, KeyError, ValueError)):
        Produced().read_outboxes(tmp_path)
    produced = Produced()
    produced.mark_damaged(path, "e")
    produced.read_outboxes(tmp_path)
    assert produced.bodies == {}


def test_frames_that_were_told_and_never_committed(tmp_path):
    produced, received = Produced(), Received()
    produced.frames = {("r", 1): [10**9], ("r", 2): [10**9]}
    for frame, mono_ns in ((1, 10**9 + 5), (2, 10**9 + 5), (3, 10**9), (1, 9 * 10**9)):
        result = {"status": "finding", "run_id": "r", "frame_seq": frame, "mono_ns": mono_ns}
        received.feed("edge/v1/yard/cart/results/phantom-1", json.dumps(result).encode())
    assert lost_in_commit_window(produced, received) == 2  # the third, and the first of a process that came later
