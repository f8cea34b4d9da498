"""Outbox recovery: what waited in a set-aside outbox is sent all the same, under its own numbers."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until
from hostile_bytes import HOSTILE
from publisher_harness import REPORT, PublisherThread, make_job
from sample_messages import make_message

from edge.config.settings import OutboxSettings, RequestSettings, SinkSettings
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.daemon.publisher import outbox_housekeeping
from edge.daemon.publisher.outbox_recovery import OutboxRecovery
from edge.daemon.publisher.shared_sink import SharedSink
from edge.outbox import schema
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME, current_outbox
from edge.outbox.writer import OutboxWriter
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def frequent_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_housekeeping, "HOUSEKEEPING_S", 0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(folder: Path) -> Iterator[Any]:
    made: list[PublisherThread] = []

    def one(*uris: str, **changes: Any) -> PublisherThread:
        made.append(PublisherThread(make_job(folder, *(uris or ("memory://one",)), **changes)))
        made[-1].frame_link.report(REPORT)
        return made[-1].start()

    yield one
    for one_publisher in made:
        one_publisher.close()


def store(folder: Path, count: int, **changes: Any) -> str:
    """Store ``count`` messages in a run without a publisher; returns the epoch."""
    writer = OutboxWriter(folder / FILE_NAME, lambda: None)
    for _ in range(count):
        writer.put("coverage/cart-1", make_message(**changes))
    assert writer.close(5)
    outbox = OutboxReader(folder / FILE_NAME, readonly=True)
    epoch = outbox.state().epoch
    outbox.close()
    return epoch


def put_back(folder: Path) -> None:
    """Replace all files as from a backup: the same bytes, other files."""
    for path in list(folder.iterdir()):
        shutil.copy2(path, path.with_name("copy"))
        path.with_name("copy").replace(path)


def seqs_by_epoch(one: PublisherThread, sink: int = 0) -> dict[str, list[int]]:
    """Seqs by epoch, in the order in which they arrived."""
    found: dict[str, list[int]] = {}
    for body in one.bodies("coverage/cart-1", sink):
        found.setdefault(body["epoch"], []).append(body["seq"])
    return found


@pytest.mark.slow
def test_what_waits_in_a_copy_is_sent_under_its_own_epoch_marked_and_behind_the_present(
    folder: Path, start: Any
) -> None:
    old = store(folder, 300)
    put_back(folder)
    new = store(folder, 50)
    assert current_outbox(folder / FILE_NAME).name == "outbox-2.sqlite3"
    one = start("memory://one", "memory://two")
    for sink in (0, 1):
        wait_until(lambda: len(seqs_by_epoch(one, sink).get(old, [])) == 300)  # noqa: B023
        assert seqs_by_epoch(one, sink) == {new: list(range(1, 51)), old: list(range(1, 301))}
        assert next(iter(seqs_by_epoch(one, sink))) == new
    assert all(body["replayed"] for body in one.bodies("coverage/cart-1") if body["epoch"] == old)
    wait_until(lambda: not one.publisher.deliveries.deferred.recovery.busy)
    one.stop()
    again = start()  # it was noted there: nothing goes twice
    again.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: seqs_by_epoch(again))
    again.stop()
    assert seqs_by_epoch(again) == {new: [51]}


@pytest.mark.slow
def test_live_messages_go_first_and_a_break_in_the_middle_costs_nothing(folder: Path, start: Any) -> None:
    old = store(folder, 200)
    put_back(folder)
    one = start()
    one.sinks[0].room = 100
    wait_until(lambda: len(seqs_by_epoch(one).get(old, [])) == 100)
    one.sinks[0].silent = True
    one.sinks[0].disconnect()
    one.sinks[0].room, one.sinks[0].silent = None, False
    one.frame_link.durable("coverage/cart-1", make_message())
    one.sinks[0].connect()
    wait_until(lambda: set(seqs_by_epoch(one)[old]) == set(range(1, 201)) and len(seqs_by_epoch(one)) == 2)


@pytest.mark.slow
def test_an_earlier_epoch_can_be_asked_for_again(folder: Path, start: Any) -> None:
    old = store(folder, 10)
    put_back(folder)
    requests = RequestSettings(enabled=True, commands=("findings/resend",))
    one = start(requests=requests)
    wait_until(lambda: len(seqs_by_epoch(one).get(old, [])) == 10)
    wait_until(lambda: not one.publisher.deliveries.deferred.recovery.busy)
    asked = b'{"id":"%b","args":{"epoch":"%b","from":4,"to":6}}'
    one.sinks[0].say("request/findings/resend", asked % (b"a", old.encode()))
    wait_until(lambda: seqs_by_epoch(one)[old][10:] == [4, 5, 6])
    assert one.bodies("response/findings/resend")[0]["result"] == {"queued": 3, "gone": [], "gone_count": 0}
    one.sinks[0].say("request/findings/resend", asked % (b"b", b"never"))
    wait_until(lambda: len(one.bodies("response/findings/resend")) == 2)
    assert one.bodies("response/findings/resend")[1]["error"] == "unknown_epoch"


@pytest.mark.slow
def test_what_was_stored_for_another_device_is_not_sent(folder: Path, start: Any) -> None:
    store(folder, 5, device="another-cart")
    put_back(folder)
    new = store(folder, 1)
    one = start()
    wait_until(lambda: seqs_by_epoch(one))
    wait_until(lambda: one.publisher.deliveries.deferred.recovery._done)
    one.stop()
    assert seqs_by_epoch(one) == {new: [1]}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_message_that_nobody_can_read_costs_neither_the_publisher_nor_the_others(
    folder: Path, hostile: bytes
) -> None:
    """Its checksum is right: it was stored like that."""
    store(folder, 5)
    first = folder / FILE_NAME
    with contextlib.closing(sqlite3.connect(first, isolation_level=None)) as db:
        db.execute("UPDATE bodies SET body = ? WHERE seq = 1", (hostile,))
        db.execute("UPDATE entries SET crc = ? WHERE seq = 1", (schema.checksum(1, "coverage/cart-1", hostile),))
    schema.create(schema.next_outbox_path(first))
    sink = MemorySink(SinkSettings(uri="memory://one"), SinkIdentity(Topics("s", "d"), "run", b"{}"))
    sink.open()
    recovery = OutboxRecovery(first, "cart", [SharedSink(sink).part()])
    recovery.open_next()
    assert recovery.busy
    wait_until(lambda: (recovery.work(), not recovery.busy)[1])
    assert len(sink.received) == 5
    assert recovery.unreadable == set()
    recovery.close()


@pytest.mark.slow
def test_of_a_damaged_file_what_can_be_read_is_sent_and_the_rest_is_told_of(folder: Path, start: Any) -> None:
    old = store(folder, 400, exam_id="x" * 500)
    first = folder / FILE_NAME
    size = os.path.getsize(first)
    with first.open("r+b") as file:
        file.seek(size - size // 4 & ~4095)
        file.write(b"\xff" * (size // 8))
    new = store(folder, 1)
    one = start()
    wait_until(lambda: seqs_by_epoch(one).get(new) == [1])
    wait_until(lambda: "backlog_unreadable" in one.states()[-1].reasons)
    assert len(seqs_by_epoch(one).get(old, [])) > 100
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: seqs_by_epoch(one)[new] == [1, 2])


@pytest.mark.slow
def test_what_was_sent_rests_for_its_time_and_what_was_not_for_its_own(folder: Path, start: Any) -> None:
    store(folder, 3)
    put_back(folder)
    first = folder / FILE_NAME
    budget = OutboxSettings(keep_s=0.5, unsent_keep_s=1e6)
    one = start(outbox=budget)
    one.sinks[0].room = 0
    wait_until(lambda: one.publisher.deliveries.deferred.recovery.busy)
    outbox = OutboxReader(first)
    wait_until(lambda: outbox.age_of(FILE_NAME) > 1.0)
    outbox.close()
    assert os.path.getsize(first) > 0
    one.sinks[0].room = None
    wait_until(lambda: os.path.getsize(first) == 0)
    assert [len(seqs) for seqs in seqs_by_epoch(one).values()] == [3]


def test_files_that_were_set_aside_share_the_budget_in_bytes(folder: Path, start: Any) -> None:
    store(folder, 300, exam_id="x" * 5000)
    put_back(folder)
    one = start(outbox=OutboxSettings(max_mb=1.0))
    one.sinks[0].room = 0
    wait_until(lambda: os.path.getsize(folder / FILE_NAME) == 0)
    with pytest.raises(sqlite3.Error):
        OutboxReader(folder / FILE_NAME, newest=False)


def test_an_error_that_passes_does_not_end_it_and_repeats_nothing(folder: Path) -> None:
    store(folder, 3)
    first = folder / FILE_NAME
    schema.create(schema.next_outbox_path(first))
    sink = MemorySink(SinkSettings(uri="memory://one"), SinkIdentity(Topics("s", "d"), "run", b"{}"))
    sink.open()
    recovery = OutboxRecovery(first, "cart", [SharedSink(sink).part()])
    recovery.open_next()
    assert recovery.busy
    assert recovery._outbox is not None
    recovery._outbox._db.execute("PRAGMA busy_timeout = 20")
    recovery.work()
    with contextlib.closing(sqlite3.connect(first, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for _ in range(20):
            recovery.work()
        assert recovery.busy  # that all has arrived is not stored yet
        other.execute("ROLLBACK")
    wait_until(lambda: (recovery.work(), not recovery.busy)[1])
    assert recovery.unreadable == set()
    assert len(sink.received) == 3
    recovery.close()


def test_a_file_of_which_nothing_can_be_read_is_told_of_and_not_sent(folder: Path) -> None:
    store(folder, 2)
    first = folder / FILE_NAME
    with contextlib.closing(sqlite3.connect(first, isolation_level=None)) as db:
        db.execute("UPDATE bodies SET body = ?", (b'{"device":"\xff"}',))
        db.execute("UPDATE entries SET crc = NULL")
    schema.create(schema.next_outbox_path(first))
    sink = MemorySink(SinkSettings(uri="memory://one"), SinkIdentity(Topics("s", "d"), "run", b"{}"))
    sink.open()
    recovery = OutboxRecovery(first, "cart", [SharedSink(sink).part()])
    recovery.open_next()
    assert not recovery.busy
    assert recovery.unreadable == {first}
    assert sink.received == []
