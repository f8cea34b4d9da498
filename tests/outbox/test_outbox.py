"""The outbox: numbers without gaps or repeats, delivery by sink, keeping, budgets, damage, full disks."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import wait_until
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_messages import make_message

from edge.contracts.coverage import Coverage
from edge.outbox import schema, transactions
from edge.outbox.reader import OutboxReader
from edge.outbox.transactions import transaction
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / schema.FILE_NAME


@pytest.fixture
def writer(path: Path) -> Iterator[OutboxWriter]:
    one = OutboxWriter(path, on_commit=lambda: None)
    yield one
    one.close(5)


def store(writer: OutboxWriter, count: int, suffix: str = "coverage/cart-1") -> None:
    for _ in range(count):
        assert writer.put(suffix, make_message())
    assert writer.flush(10)


def seqs(outbox: OutboxReader, sink: str = "a") -> list[int]:
    return [row.seq for row in outbox.pending(sink, 0, 1 << 60, 1000)]


def test_messages_are_numbered_from_one_and_keep_what_they_say(writer: OutboxWriter, path: Path) -> None:
    store(writer, 3)
    outbox = OutboxReader(path)
    rows = outbox.pending("a", 0, 1 << 60, 10)
    messages = [msgspec.json.decode(row.body, type=Coverage) for row in rows]
    assert [row.seq for row in rows] == [message.seq for message in messages] == [1, 2, 3]
    assert {message.epoch for message in messages} == {outbox.state().epoch}
    assert messages[0] == make_message(epoch=messages[0].epoch, seq=1)
    assert rows[0].suffix == "coverage/cart-1"
    outbox.close()


def test_only_its_owner_may_read_it(writer: OutboxWriter, path: Path) -> None:
    store(writer, 1)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in path.parent.iterdir())
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_burst_shares_commits_and_commit_is_told_after_it_is_readable(path: Path) -> None:
    told: list[int] = []
    outbox: list[OutboxReader] = []

    def on_commit() -> None:
        outbox[:] = outbox or [OutboxReader(path)]
        told.append(outbox[0].next_seq())

    writer = OutboxWriter(path, on_commit)
    wait_until(lambda: told)
    store(writer, 300)
    writer.close(5)
    assert told[-1] == 301
    assert len(told) < 300
    outbox[0].close()


def test_numbers_go_on_after_reopening_also_when_all_rows_are_gone(path: Path) -> None:
    first = OutboxWriter(path, lambda: None)
    store(first, 5)
    first.close(5)
    outbox = OutboxReader(path)
    epoch = outbox.state().epoch
    outbox.delivered("a", [1, 2, 3, 4, 5], ["a"])
    time.sleep(0.01)
    assert outbox.expire(keep_s=0.001, max_bytes=1e9) == 0
    assert outbox.state().oldest_kept is None
    second = OutboxWriter(path, lambda: None)
    store(second, 1)
    second.close(5)
    assert seqs(outbox) == [6]
    assert outbox.state().epoch == epoch
    outbox.close()


KILLED = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from edge.outbox.writer import OutboxWriter
from sample_messages import make_message
writer = OutboxWriter(Path(sys.argv[1]), lambda: None)
while True:
    writer.put("coverage/cart-1", make_message())
    time.sleep(0.0002)
"""


@pytest.mark.slow
def test_kill_9_reuses_no_number_and_leaves_no_gap(path: Path) -> None:
    seen: dict[int, bytes] = {}
    for _ in range(4):
        before = len(seen)
        process = subprocess.Popen([sys.executable, "-c", KILLED, path, Path(__file__).parents[1]])
        try:
            wait_until(lambda: path.exists() and count(path) > before + 30)  # noqa: B023
        finally:
            process.kill()
            process.wait()
        outbox = OutboxReader(path)
        rows = {row.seq: row.body for row in outbox.pending("a", 0, 1 << 60, 100_000)}
        assert {seq: rows[seq] for seq in seen} == seen
        assert sorted(rows) == list(range(1, len(rows) + 1))
        assert outbox.next_seq() == len(rows) + 1
        outbox.close()
        seen = rows


def count(path: Path) -> int:
    try:
        outbox = OutboxReader(path)
    except sqlite3.Error:
        return 0
    try:
        return outbox.depth().pending
    finally:
        outbox.close()


def test_a_message_is_done_when_all_durable_sinks_have_it(writer: OutboxWriter, path: Path) -> None:
    store(writer, 4)
    outbox = OutboxReader(path)
    outbox.delivered("a", [1, 2, 3], ["a", "b"])
    assert seqs(outbox, "a") == [4]
    assert seqs(outbox, "b") == [1, 2, 3, 4]
    outbox.delivered("b", [2], ["a", "b"])
    outbox.delivered("b", [2], ["a", "b"])  # twice is once
    assert seqs(outbox, "b") == [1, 3, 4]
    assert outbox.depth().pending == 3
    outbox.acknowledge_unawaited(["a"])  # b was taken out of the configuration
    assert outbox.depth().pending == 1
    outbox.acknowledge_unawaited([])
    assert outbox.depth().pending == 0
    assert [row.seq for row in outbox.stored(2, 10)] == [2, 3, 4]
    outbox.close()


def test_reading_respects_first_end_and_limit(writer: OutboxWriter, path: Path) -> None:
    store(writer, 10)
    outbox = OutboxReader(path)
    assert [row.seq for row in outbox.pending("a", 3, 8, 3)] == [3, 4, 5]
    assert [row.seq for row in outbox.pending("a", 7, 8, 3)] == [7]
    assert outbox.pending("a", 11, 12, 3) == []
    outbox.close()


def test_acked_messages_stay_for_their_time_and_pending_ones_stay_on(writer: OutboxWriter, path: Path) -> None:
    store(writer, 3)
    outbox = OutboxReader(path)
    outbox.delivered("a", [1, 2], ["a"])
    assert outbox.expire(keep_s=60, max_bytes=1e9) == 0
    assert outbox.state().oldest_kept == 1
    time.sleep(0.01)
    assert outbox.expire(keep_s=0.001, max_bytes=1e9) == 0
    assert outbox.state().oldest_kept == 3
    assert outbox.state().expired == []
    assert outbox._db.execute("SELECT count(*) FROM delivery").fetchone() == (0,)
    outbox.close()


def test_over_the_budget_acked_go_before_pending_and_what_is_given_up_is_told(path: Path) -> None:
    writer = OutboxWriter(path, lambda: None)
    store(writer, 3000)
    outbox = OutboxReader(path)
    outbox.delivered("a", range(1, 1001), ["a"])
    used = outbox.depth().used_bytes
    assert outbox.expire(keep_s=1e6, max_bytes=used * 0.8) == 0
    assert outbox.state().oldest_kept is not None
    assert 500 < (outbox.state().oldest_kept or 0) <= 1001
    assert outbox.expire(keep_s=1e6, max_bytes=used * 0.3) > 0
    outbox.expire(keep_s=1e6, max_bytes=used * 0.2)
    state = outbox.state()
    assert state.oldest_kept is not None
    assert state.expired == [(1001, state.oldest_kept - 1)]  # one range, as it is one
    assert outbox.depth().used_bytes <= used * 0.2
    assert state.next_seq == 3001
    writer.close(5)
    outbox.close()


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["put", "deliver", "expire", "reopen"]), max_size=20))
def test_whatever_happens_each_number_is_pending_kept_or_gone_and_none_is_given_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("outbox") / schema.FILE_NAME
    writer = OutboxWriter(path, lambda: None)
    store(writer, 1)
    outbox = OutboxReader(path)
    made, done = 1, 0
    for step in steps:
        if step == "put":
            store(writer, 2)
            made += 2
        elif step == "deliver" and done < made:
            done += 1
            outbox.delivered("a", [done], ["a"])
        elif step == "expire":
            outbox.expire(keep_s=1e-9, max_bytes=1e9)
        elif step == "reopen":
            writer.close(5)
            writer = OutboxWriter(path, lambda: None)
        assert seqs(outbox) == list(range(done + 1, made + 1))
        assert outbox.next_seq() == made + 1
        kept = outbox.state().oldest_kept
        assert kept is None or kept <= done + 1
    writer.close(5)
    outbox.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "other database", "newer layout", "directory"])
def test_a_damaged_file_is_set_aside_and_a_new_epoch_begins(path: Path, damage: str) -> None:
    writer = OutboxWriter(path, lambda: None)
    store(writer, 50)
    writer.close(5)
    outbox = OutboxReader(path)
    epoch = outbox.state().epoch
    outbox.close()
    if damage == "garbage":
        path.write_bytes(os.urandom(50_000))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other database":
        path.unlink()
        sqlite3.connect(path).execute("CREATE TABLE x (y)").connection.close()
    elif damage == "newer layout":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    else:
        path.unlink()
        path.mkdir()
    again = OutboxWriter(path, lambda: None)
    store(again, 2)
    assert again.problems() == ["outbox_set_aside"]
    outbox = OutboxReader(path)
    assert outbox.state().epoch != epoch
    assert seqs(outbox) == [1, 2]
    assert path.exists()  # as evidence
    assert outbox.path.name == "outbox-2.sqlite3"
    again.close(5)
    outbox.close()


def test_the_newest_file_is_gone_on_with_after_a_restart(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    for made in (1, 2):
        writer = OutboxWriter(path, lambda: None)
        store(writer, 1)
        writer.close(5)
        outbox = OutboxReader(path)
        assert outbox.path.name == "outbox-2.sqlite3"
        assert seqs(outbox) == list(range(1, made + 1))
        outbox.close()


def test_a_file_removed_under_a_running_daemon_begins_anew_and_the_reader_sees_it(
    writer: OutboxWriter, path: Path
) -> None:
    store(writer, 2)
    outbox = OutboxReader(path)
    assert not outbox.replaced()
    path.unlink()
    assert outbox.replaced()
    store(writer, 1)
    assert outbox.replaced()
    new = OutboxReader(path)
    assert new.state().epoch != outbox.state().epoch
    assert seqs(new) == [1]
    outbox.close()
    new.close()


def test_while_the_disk_takes_nothing_messages_wait_then_go_and_overflow_is_counted(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.parent.chmod(0o700)
    writer = OutboxWriter(path, lambda: None, queue_limit=5)
    store(writer, 1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("PRAGMA max_page_count = 1")
    writer._db.execute("PRAGMA max_page_count = 1")  # type: ignore[union-attr]  # "database or disk is full"
    big = make_message(exam_id="x" * 200_000)
    assert writer.put("coverage/cart-1", big)
    wait_until(lambda: writer.problems() == ["disk_full"])
    assert [writer.put("coverage/cart-1", make_message()) for _ in range(7)] == [True] * 5 + [False] * 2
    assert writer.lost == 2
    blocker.close()
    assert writer.flush(10)  # the writer opened the file anew, and the limit was the old connection's
    assert writer.problems() == ["messages_lost"]
    outbox = OutboxReader(path)
    assert seqs(outbox) == [1, 2, 3, 4, 5, 6, 7]
    outbox.close()
    writer.close(5)


def test_putting_does_not_wait_for_a_disk_that_is_locked(writer: OutboxWriter, path: Path) -> None:
    store(writer, 1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    done = threading.Event()

    def put_many() -> None:
        for _ in range(100):
            writer.put("coverage/cart-1", make_message())
        done.set()

    threading.Thread(target=put_many).start()
    assert done.wait(2)
    assert not writer.flush(0.2)
    blocker.execute("ROLLBACK")
    blocker.close()
    assert writer.flush(10)
    assert count(path) == 101


def test_a_message_that_cannot_be_written_as_json_costs_itself_only(writer: OutboxWriter, path: Path) -> None:
    writer.put("coverage/cart-1", make_message(exam_id=object()))
    store(writer, 1)
    assert writer.lost == 1
    outbox = OutboxReader(path)
    assert seqs(outbox) == [1]
    assert json.loads(outbox.pending("a", 0, 9, 1)[0].body)["exam_id"] == "exam"
    outbox.close()


def test_after_close_nothing_is_taken(path: Path) -> None:
    writer = OutboxWriter(path, lambda: None)
    assert writer.put("coverage/cart-1", make_message())
    assert writer.close(5)
    assert not writer.put("coverage/cart-1", make_message())
    writer.close(5)
    assert count(path) == 1


def test_a_missing_file_is_an_error_for_the_reader_and_is_not_made_by_it(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        OutboxReader(path)
    assert not path.exists()


def test_the_writer_asks_for_the_lock_again_and_again_and_then_waits_as_sqlite_does(
    writer: OutboxWriter, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(writer, 1)
    other, mine = schema.connect(path, "NORMAL"), schema.connect(path, "NORMAL", busy_timeout_s=0.05)
    pauses: list[float] = []

    def commit_at_the_third(pause_s: float) -> None:
        pauses.append(pause_s)
        if len(pauses) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(transactions.time, "sleep", commit_at_the_third)
    other.execute("BEGIN IMMEDIATE")
    with transaction(mine, eager=True):
        assert len(pauses) == 3
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"), transaction(mine, eager=True):
        pass
    assert len(pauses) == 3 + transactions.EAGER_TRIES
    assert mine.execute("PRAGMA busy_timeout").fetchone()[0] == 50
    other.close()
    mine.close()


def test_a_reader_is_told_once_that_another_connection_has_committed(writer: OutboxWriter, path: Path) -> None:
    store(writer, 2)
    outbox = OutboxReader(path)
    assert [outbox.changed(), outbox.changed()] == [True, False]
    outbox.delivered("a", [1], ["a"])  # its own commits are no news
    assert not outbox.changed()
    store(writer, 1)
    assert [outbox.changed(), outbox.changed()] == [True, False]
    outbox.close()
