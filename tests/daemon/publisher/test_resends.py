"""Large resends: marked in slices, announced before the first, one after the other, and begun again after a crash."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from brokers import wait_until
from publisher_harness import PublisherThread, make_job
from sample_messages import make_message

from edge.config.settings import RequestSettings
from edge.daemon.publisher import resends
from edge.outbox import resend, schema
from edge.outbox.reader import OutboxReader
from edge.outbox.rows import NO_END
from edge.outbox.schema import FILE_NAME
from edge.outbox.transactions import transaction

if TYPE_CHECKING:
    from pathlib import Path

SINK = "memory://one"
REQUESTS = RequestSettings(enabled=True, commands=("findings/resend", "ping"), per_minute=1000)
PASS_S = 0.5
"""Processor time of one pass; 0.03 s and less on a machine that does nothing else."""
RESEND = "response/findings/resend"


def make_outbox(folder: Path, count: int) -> str:
    """Make an outbox with ``count`` messages that `SINK` has acknowledged; its epoch."""
    path = folder / FILE_NAME
    schema.create(path)
    db = schema.connect(path, "NORMAL")
    epoch, _ = schema.meta(db)
    with transaction(db):
        for seq in range(1, count + 1):
            body = msgspec.json.encode(make_message(epoch=epoch, seq=seq))
            crc = schema.checksum(seq, "coverage/a", body)
            db.execute("INSERT INTO entries VALUES (?, 'coverage/a', ?, 'acked', ?)", (seq, time.time(), crc))
            db.execute("INSERT INTO bodies VALUES (?, ?)", (seq, body))
            db.execute("INSERT INTO delivery (seq, sink) VALUES (?, ?)", (seq, SINK))
        db.execute("UPDATE meta SET value = ? WHERE key = 'next_seq'", (count + 1,))
    db.close()
    return epoch


def ask(name: str, epoch: str, first: int, last: int) -> bytes:
    return json.dumps({"id": name, "args": {"epoch": epoch, "from": first, "to": last}}).encode()


def start(folder: Path, room: int | None = None, **changes: Any) -> PublisherThread:
    one = PublisherThread(make_job(folder, SINK, requests=REQUESTS, **changes))
    one.sinks[0].room = room
    one.start()
    wait_until(one.states)  # it listens
    return one


def lane(one: PublisherThread) -> list[int | str]:
    """What `SINK` received in its replay lane: seq, and the ids of answers."""
    found: list[int | str] = []
    for message in list(one.sinks[0].received):
        if message.suffix in ("coverage/a", RESEND):
            body = json.loads(message.body)
            found.append(body["seq"] if "seq" in body else body["id"])
    return found


def test_the_answer_stands_before_all_that_is_sent_again_in_order(tmp_path: Path) -> None:
    epoch = make_outbox(tmp_path, 3000)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:  # a backlog above what is asked for
        db.execute("UPDATE entries SET state = 'pending' WHERE seq > 2500")
        db.execute("DELETE FROM delivery WHERE seq > 2500")
    db.close()
    one = start(tmp_path, room=50)
    try:
        wait_until(lambda: len(lane(one)) == 50)
        one.sinks[0].say("request/findings/resend", ask("q", epoch, 101, 2200))
        wait_until(lambda: "q" in lane(one))
        one.sinks[0].room = None
        wait_until(lambda: len(lane(one)) == 2601)
        received = lane(one)
        assert received[:50] == list(range(2501, 2551))
        assert received[50] == "q"
        assert received[51:] == [*range(101, 2201), *range(2551, 3001)]
        answer = one.bodies(RESEND)[0]["result"]
        assert answer == {"queued": 2100, "gone": [], "gone_count": 0}
    finally:
        one.close()


def test_of_several_requests_each_is_answered_at_once_and_none_is_lost(tmp_path: Path) -> None:
    epoch = make_outbox(tmp_path, 2000)
    one = start(tmp_path)
    try:
        names = [f"q{number}" for number in range(resends.WAITING_LIMIT + 5)]
        for number, name in enumerate(names):
            one.sinks[0].say("request/findings/resend", ask(name, epoch, 1 + number, 2000))
        wait_until(lambda: len(one.bodies(RESEND)) == len(names))
        errors = {body["id"]: body["error"] for body in one.bodies(RESEND)}
        assert set(errors.values()) <= {None, "too_many"}
        assert list(errors.values()).count(None) >= resends.WAITING_LIMIT
        wait_until(lambda: set(range(1, 2001)) <= set(lane(one)))
        one.frame_link.close(5)
        one.stop()
        outbox = OutboxReader(tmp_path / FILE_NAME)
        assert (outbox.resend_progress().jobs, outbox.depth().pending) == (0, 0)
        outbox.close()
    finally:
        one.close()


def test_a_resend_that_was_answered_outlives_the_publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = make_outbox(tmp_path, 2000)
    monkeypatch.setattr(OutboxReader, "mark_resend_slice", lambda _self: False)  # it is killed before the first
    one = start(tmp_path)
    one.sinks[0].say("request/findings/resend", ask("q", epoch, 1, 2000))
    wait_until(lambda: one.bodies(RESEND))
    one.close()
    assert lane(one) == ["q"]
    monkeypatch.undo()
    one = start(tmp_path)
    try:
        wait_until(lambda: lane(one) == list(range(1, 2001)), 60)
    finally:
        one.close()


def test_in_an_outbox_that_fails_the_answer_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = make_outbox(tmp_path, 10)

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(OutboxReader, "add_resend", full)
    one = start(tmp_path)
    try:
        one.sinks[0].say("request/findings/resend", ask("q", epoch, 1, 10))
        wait_until(lambda: one.bodies(RESEND))
        assert one.bodies(RESEND)[0]["error"] == "unavailable"
    finally:
        one.close()


@pytest.mark.slow
def test_ten_resends_of_many_messages_leave_every_pass_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 100_000
    epoch = make_outbox(tmp_path, count)
    one = start(tmp_path, room=0)
    passes: list[float] = []
    turn = one.publisher._turn

    def timed() -> bool:
        began = time.thread_time()  # of this thread alone: the machine may be busy
        more = turn()
        passes.append(time.thread_time() - began)
        return more

    monkeypatch.setattr(one.publisher, "_turn", timed)
    try:
        for number in range(10):
            one.sinks[0].say("request/findings/resend", ask(f"q{number}", epoch, 1, count))
        wait_until(lambda: len(one.bodies(RESEND)) == 10, 60)
        assert [body["result"]["queued"] for body in one.bodies(RESEND)] == [count] * 10
        one.sinks[0].say("request/ping", b'{"id":"p"}')
        wait_until(lambda: one.bodies("response/ping"), 60)  # while they are marked
        outbox = OutboxReader(tmp_path / FILE_NAME)
        wait_until(lambda: not outbox.resend_progress().jobs, 120)
        assert outbox.depth().pending == count
        outbox.close()
        assert max(passes) < PASS_S
    finally:
        one.close()


def test_old_marks_and_damaged_jobs(tmp_path: Path) -> None:
    make_outbox(tmp_path, 3)
    db = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    db.execute("INSERT INTO meta VALUES ('resend', '4 2')")  # of an earlier version
    mark = resend.progress(db).mark
    assert mark is not None
    assert (mark.number, mark.first, mark.last) == (4, 2, NO_END)
    db.execute("INSERT INTO meta VALUES ('resending 000000001', 'x')")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        resend.mark_slice(db)
    db.close()


def test_two_that_carry_out_the_same_job_mark_each_message_once(tmp_path: Path) -> None:
    make_outbox(tmp_path, 3000)
    one, other = OutboxReader(tmp_path / FILE_NAME), OutboxReader(tmp_path / FILE_NAME)
    one.add_resend([(1, 10**9)], None)
    frontiers = [one.resend_progress(SINK).frontier]
    while one.mark_resend_slice() and other.mark_resend_slice():
        frontiers.append(one.resend_progress(SINK).frontier)
    assert frontiers == [1, *(1 + 1000 * n for n in (1, 2)), NO_END]
    assert one.depth().pending == 3000
    one.close()
    other.close()


def test_what_was_not_sent_before_a_resend_of_newer_ones_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = make_outbox(tmp_path, 1000)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("UPDATE entries SET state = 'pending' WHERE seq <= 100")
        db.execute("DELETE FROM delivery WHERE seq <= 100")
    db.close()
    one = start(tmp_path, room=10)
    try:
        wait_until(lambda: len(lane(one)) == 10)
        one.sinks[0].say("request/findings/resend", ask("q", epoch, 900, 910))
        wait_until(lambda: one.bodies(RESEND))
        one.sinks[0].room = None
        wait_until(lambda: len(lane(one)) == 112)
        assert lane(one) == [*range(1, 11), "q", *range(11, 101), *range(900, 911)]
    finally:
        one.close()


def test_many_ranges_in_one_request_and_nothing_between_them(tmp_path: Path) -> None:
    epoch = make_outbox(tmp_path, 1000)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("DELETE FROM entries WHERE seq IN (4, 998)")
    db.close()
    one = start(tmp_path)
    try:
        ranges = [[n, n] for n in range(2, 400, 2)] + [[995, 1200]]
        args = {"epoch": epoch, "from": 2, "to": 5000, "ranges": ranges}
        one.sinks[0].say("request/findings/resend", json.dumps({"id": "q", "args": args}).encode())
        wanted = [*(n for n in range(2, 400, 2) if n != 4), 995, 996, 997, 999, 1000]
        wait_until(lambda: len(lane(one)) == 1 + len(wanted))
        assert lane(one) == ["q", *wanted]
        assert one.bodies(RESEND)[0]["result"] == {
            "queued": len(wanted), "gone": [[4, 4], [998, 998]], "gone_count": 2,
        }  # fmt: skip
    finally:
        one.close()


@pytest.mark.parametrize(
    "ranges",
    [
        [], [[1, 2]] * 201, [[2, 1]], [[1, 3], [3, 4]], [[5, 6], [1, 2]], [[0, 1]], [[1, 2, 3]], [[1]], [1, 2], "1-2",
        [["1", "2"]], [[5, 11]], [[1, 1 << 70]], {"1": 2},
    ],
    ids=str,
)  # fmt: skip
def test_ranges_that_are_none_are_refused_in_words(tmp_path: Path, ranges: Any) -> None:
    epoch = make_outbox(tmp_path, 20)
    one = start(tmp_path)
    try:
        args = {"epoch": epoch, "from": 1, "to": 10, "ranges": ranges}
        one.sinks[0].say("request/findings/resend", json.dumps({"id": "q", "args": args}).encode())
        wait_until(lambda: one.bodies(RESEND))
        (answer,) = one.bodies(RESEND)
        assert (answer["id"], answer["error"]) == ("q", "invalid")
        assert answer["detail"]
    finally:
        one.close()


def test_a_request_with_many_ranges_keeps_others_waiting_not_out(tmp_path: Path) -> None:
    epoch = make_outbox(tmp_path, 1000)
    one = start(tmp_path)
    try:
        args = {"epoch": epoch, "from": 1, "to": 999, "ranges": [[n, n] for n in range(1, 400, 2)]}
        one.sinks[0].say("request/findings/resend", json.dumps({"id": "many", "args": args}).encode())
        one.sinks[0].say("request/findings/resend", ask("next", epoch, 1, 5))
        wait_until(lambda: len(one.bodies(RESEND)) == 2)
        errors = {body["id"]: body["error"] for body in one.bodies(RESEND)}
        assert errors["many"] is None
        assert errors["next"] in ("too_many", None)
        wait_until(lambda: set(range(1, 400, 2)) <= set(lane(one)))
        one.sinks[0].say("request/findings/resend", ask("later", epoch, 1, 5))
        wait_until(lambda: len(one.bodies(RESEND)) == 3)
        assert one.bodies(RESEND)[2]["error"] is None
    finally:
        one.close()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_slices_go_through_all_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    make_outbox(tmp_path, 30)
    monkeypatch.setattr(resend, "SLICE", size)
    one = OutboxReader(tmp_path / FILE_NAME)
    ranges = [(2, 2), (4, 9), (11, 11), (20, 40), (50, 60)]
    one.add_resend(ranges, SINK)
    one.add_resend([(31, 60)], SINK)
    assert one.resend_progress().jobs == 1, "what was not made yet is no job"
    while one.mark_resend_slice():
        pass
    pending = [row.seq for row in one.pending(SINK, 0, NO_END, 100)]
    assert pending == [2, *range(4, 10), 11, *range(20, 31)]
    one.close()
