"""Messages that cannot be kept are counted and announced: over budget, changed on the disk, damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until
from publisher_harness import REPORT
from sample_messages import make_message

from edge.config.settings import OutboxSettings
from edge.daemon.publisher import outbox_housekeeping
from edge.outbox import schema
from edge.outbox.deletion import EXPIRED_LIMIT
from edge.outbox.reader import OutboxReader
from edge.outbox.schema import FILE_NAME
from edge.outbox.transactions import transaction
from edge.outbox.writer import OutboxWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from publisher_harness import PublisherThread


@pytest.fixture(autouse=True)
def frequent_housekeeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_housekeeping, "HOUSEKEEPING_S", 0.2)


def test_what_the_budget_could_not_hold_is_announced_by_range_in_state_and_health(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher(outbox=OutboxSettings(max_mb=1.0))
    one.frame_link.report(REPORT)
    one.sinks[0].silent = True  # takes them and never has them
    one.start()
    wait_until(one.states)
    for _ in range(1200):
        one.frame_link.durable("coverage/cart-1", make_message(exam_id="x" * 2000))
    assert one.frame_link._writer.flush(10)
    wait_until(lambda: _health(one)["outbox_next_seq"] == 1201 and _health(one)["outbox_expired"])
    wait_until(lambda: _health(one)["outbox_bytes"] <= 1e6)
    wait_until(lambda: one.states()[-1].outbox.expired == _last(one))
    health = _health(one)
    ((first, last),) = health["outbox_expired"]
    assert (first, last + 1) == (1, health["outbox_oldest_kept"])
    assert health["outbox_depth"] == 1200 - last


def _health(one: PublisherThread) -> dict[str, Any]:
    return wait_until(lambda: one.bodies("health"))[-1]


def _last(one: PublisherThread) -> list[tuple[int, int]]:
    return [tuple(pair) for pair in _health(one)["outbox_expired"]]


def test_no_more_ranges_are_announced_than_a_message_can_hold(tmp_path: Path) -> None:
    writer = OutboxWriter(tmp_path / FILE_NAME, lambda: None)
    for _ in range(2 * EXPIRED_LIMIT + 20):
        writer.put("coverage/cart-1", make_message())
    assert writer.close(10)
    outbox = OutboxReader(tmp_path / FILE_NAME)
    outbox.delivered("a", range(2, 2 * EXPIRED_LIMIT + 21, 2), ["a"])
    with transaction(outbox._db):
        outbox._deletion.give_up([(seq,) for seq in range(1, 2 * EXPIRED_LIMIT + 20, 2)])
    expired = outbox.state().expired
    assert len(expired) == EXPIRED_LIMIT
    assert expired[-1] == (2 * EXPIRED_LIMIT + 19,) * 2
    outbox.close()


def test_a_message_changed_on_the_disk_is_not_sent_and_told_of(make_publisher: Callable[..., PublisherThread]) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.sinks[0].room = 0
    one.start()
    wait_until(one.states)
    for _ in range(3):
        one.frame_link.durable("coverage/cart-1", make_message())
    assert one.frame_link._writer.flush(10)
    one.sinks[0].disconnect()
    outbox = OutboxReader(one.publisher.outbox.path)
    outbox._db.execute("UPDATE bodies SET body = CAST(replace(body, 'no_result', 'clear') AS BLOB) WHERE seq = 2")
    outbox.close()
    one.sinks[0].room = None
    one.sinks[0].connect()
    wait_until(lambda: len(one.bodies("coverage/cart-1")) == 2)
    assert [body["seq"] for body in one.bodies("coverage/cart-1")] == [1, 3]
    wait_until(lambda: one.states()[-1].reasons == ["messages_damaged"] and one.states()[-1].outbox.expired == [(2, 2)])


DAMAGE = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
db.close()
with open(sys.argv[1], "r+b") as file:
    size = os.path.getsize(sys.argv[1])
    for page in range(size // 4096 // 4, size // 4096 - 20):
        file.seek(page * 4096)
        file.write(b"\\xa5" * 4096)
"""


def test_damage_that_only_the_reader_meets_ends_in_a_new_epoch_and_not_in_silence(
    make_publisher: Callable[..., PublisherThread],
) -> None:
    one = make_publisher()
    one.frame_link.report(REPORT)
    one.start()
    wait_until(one.states)
    one.sinks[0].disconnect()
    for _ in range(400):
        one.frame_link.durable("coverage/cart-1", make_message(exam_id="x" * 1500))
    assert one.frame_link._writer.flush(10)
    subprocess.run([sys.executable, "-c", DAMAGE, one.publisher.outbox.path], check=True)
    old = one.states()[-1].outbox.epoch
    one.sinks[0].connect()

    def arrives() -> bool:
        one.frame_link.durable("coverage/cart-1", make_message(exam_id="after"))
        return any(body["epoch"] != old for body in one.bodies("coverage/cart-1"))

    wait_until(arrives)
    assert schema.is_marked_damaged(one.publisher.outbox.path)
    assert one.frame_link._writer.problems() == ["outbox_set_aside"]


def test_what_was_set_aside_is_emptied_after_its_time(
    make_publisher: Callable[..., PublisherThread], tmp_path: Path
) -> None:
    first = tmp_path / "state" / FILE_NAME
    first.parent.mkdir()
    first.write_bytes(b"damaged, and with findings in it")
    one = make_publisher(outbox=OutboxSettings(keep_s=1.0))
    one.start()
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("coverage/cart-1"))
    assert os.path.getsize(first) > 0
    wait_until(lambda: os.path.getsize(first) == 0)
    one.frame_link.durable("coverage/cart-1", make_message())
    wait_until(lambda: one.bodies("coverage/cart-1")[-1]["seq"] == 2)
    assert schema.current_outbox(first).name == "outbox-2.sqlite3"
