"""Delivery of the outbox to one sink in two lanes: which goes first, what is marked, what is offered again."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sample_messages import make_message

from edge.config.settings import SinkSettings
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.daemon.publisher import acknowledgements
from edge.daemon.publisher.delivery import Delivery
from edge.outbox.reader import OutboxReader
from edge.outbox.writer import OutboxWriter
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.contracts.ports import Outgoing


class DeliveryHarness:
    """An outbox, a memory sink and the delivery between them."""

    def __init__(self, folder: Path, durable: bool = True) -> None:
        path = folder / "outbox.sqlite3"
        self.writer = OutboxWriter(path, lambda: None)
        self.writer.flush(5)
        self.store(0)
        self.outbox = OutboxReader(path)
        self.sink = MemorySink(
            SinkSettings(uri="memory://desk", durable=durable), SinkIdentity(Topics("s", "d"), "run", b"{}")
        )
        self.delivery = Delivery(self.sink, [self.sink.name] if durable else [])

    def store(self, count: int, text: str = "exam") -> None:
        for _ in range(count):
            self.writer.put("coverage/a", make_message(exam_id=text))
        assert self.writer.flush(5)

    def work(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.delivery.work(self.outbox)
        self.delivery.record(self.outbox)  # it would do so by itself, a little later

    @property
    def received(self) -> list[tuple[int, bool]]:
        """(seq, replayed) of the messages that arrived, from their bodies."""
        bodies = [json.loads(message.body) for message in self.sink.received]
        return [(body["seq"], body["replayed"]) for body in bodies]

    def pending(self) -> int:
        return self.outbox.depth().pending


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[DeliveryHarness]:
    one = DeliveryHarness(tmp_path)
    yield one
    one.writer.close(5)
    one.outbox.close()


def test_what_was_stored_before_the_connection_is_replay_and_what_after_is_live(harness: DeliveryHarness) -> None:
    harness.store(2)
    harness.sink.open()
    harness.work()
    harness.store(2)
    harness.work(2)
    assert harness.received == [(1, True), (2, True), (3, False), (4, False)]
    assert harness.pending() == 0
    assert harness.delivery.idle(harness.outbox)


def test_live_begins_with_the_connection_however_late_the_outbox_is_read(harness: DeliveryHarness) -> None:
    harness.store(2)
    harness.sink.open()
    harness.delivery.note_session()
    harness.store(3)  # our state is not sent yet, or the outbox was not open
    harness.work(2)
    assert sorted(harness.received) == [(1, True), (2, True), (3, False), (4, False), (5, False)]
    assert harness.pending() == 0
    harness.sink.disconnect()
    harness.delivery.note_session()
    harness.store(1)
    harness.sink.connect()
    harness.delivery.note_session()
    harness.store(1)
    harness.work(2)
    assert sorted(harness.received[5:]) == [(6, True), (7, False)]


def test_of_a_new_outbox_all_is_live_for_a_connection_that_stood_before_it(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    harness.sink.open()
    harness.delivery.note_session()
    harness.work()
    (tmp_path / "other").mkdir()
    other = DeliveryHarness(tmp_path / "other")
    other.store(2)
    harness.delivery.reset()
    harness.delivery.work(other.outbox)
    assert harness.received == [(1, False), (2, False)]
    other.writer.close(5)
    other.outbox.close()


def test_a_connection_that_changes_unseen_makes_nothing_live_that_the_last_one_was_sent(
    harness: DeliveryHarness,
) -> None:
    harness.sink.silent = True
    harness.sink.open()
    harness.delivery.note_session()
    harness.store(2)
    harness.work()
    harness.sink.disconnect()
    harness.sink.connect()
    harness.work()  # without a look in between
    assert harness.received == [(1, False), (2, False), (1, True), (2, True)]


def test_a_sink_that_nothing_waits_for_gets_all_that_is_new_from_the_first_message_on(tmp_path: Path) -> None:
    harness = DeliveryHarness(tmp_path, durable=False)
    harness.sink.open()
    harness.delivery.note_session()
    harness.store(2)
    harness.work()
    assert harness.received == [(1, False), (2, False)]
    harness.writer.close(5)
    harness.outbox.close()


def test_without_a_connection_nothing_happens_and_nothing_is_lost(harness: DeliveryHarness) -> None:
    harness.store(3)
    harness.work(3)
    assert harness.received == []
    assert not harness.delivery.idle(harness.outbox)
    assert harness.pending() == 3


def test_live_goes_first_and_replay_has_its_share(harness: DeliveryHarness) -> None:
    harness.store(300)
    harness.sink.room = 0
    harness.sink.open()
    harness.work()
    harness.store(300)
    harness.sink.room = 100
    harness.work()
    lanes = [replayed for _, replayed in harness.received]
    assert len(lanes) == 100
    assert 15 <= sum(lanes) <= 25  # one in five
    live = [seq for seq, replayed in harness.received if not replayed]
    replay = [seq for seq, replayed in harness.received if replayed]
    assert live == list(range(301, 301 + len(live)))
    assert replay == list(range(1, 1 + len(replay)))
    harness.sink.room = None
    harness.work(10)
    assert sorted(seq for seq, _ in harness.received) == list(range(1, 601))


def test_a_live_message_goes_out_within_the_turn_in_which_it_is_stored(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.store(100)
    send = harness.sink.send

    def store_one_meanwhile(message: Outgoing) -> bool:
        if message.late and len(harness.sink.received) == 5:
            harness.store(1)
        return send(message)

    monkeypatch.setattr(harness.sink, "send", store_one_meanwhile)
    harness.sink.open()
    harness.work()
    assert (101, False) in harness.received[:20]


def test_after_a_loss_what_was_under_way_comes_again_marked_and_in_order(harness: DeliveryHarness) -> None:
    harness.sink.silent = True
    harness.sink.open()
    harness.work()
    harness.store(5)
    harness.work()
    assert harness.received == [(seq, False) for seq in range(1, 6)]
    harness.sink.disconnect()
    harness.work()
    harness.store(1)
    harness.sink.silent = False
    harness.sink.connect()
    harness.work(2)
    harness.store(1)
    harness.work(2)
    assert harness.received[5:] == [*((seq, True) for seq in range(1, 7)), (7, False)]
    assert harness.pending() == 0


def test_what_is_refused_is_offered_again_and_the_rest_goes_on(harness: DeliveryHarness) -> None:
    harness.sink.open()
    harness.work()
    harness.sink.refusing = True
    harness.store(2)
    harness.work()
    harness.sink.refusing = False
    harness.store(1)
    harness.work(3)
    assert harness.received[:2] == [(1, False), (2, False)]
    assert sorted(harness.received[2:]) == [(1, True), (2, True), (3, False)]
    assert harness.pending() == 0


def test_a_message_under_way_is_not_offered_twice(harness: DeliveryHarness) -> None:
    harness.store(150)
    harness.sink.silent = True
    harness.sink.open()
    harness.work(5)
    assert [seq for seq, _ in harness.received] == list(range(1, 151))


def test_a_sink_that_nothing_waits_for_gets_what_is_new_only(tmp_path: Path) -> None:
    harness = DeliveryHarness(tmp_path, durable=False)
    harness.store(3)
    harness.sink.open()
    harness.work()
    harness.store(2)
    harness.work()
    assert harness.received == [(4, False), (5, False)]
    harness.sink.disconnect()
    harness.work()
    harness.store(2)
    harness.sink.connect()
    harness.work()
    harness.store(1)
    harness.work()
    assert harness.received[2:] == [(8, False)]
    assert harness.delivery.idle(harness.outbox)
    harness.writer.close(5)
    harness.outbox.close()


def test_only_the_mark_itself_is_rewritten(harness: DeliveryHarness) -> None:
    nasty = '","replayed":false,"x":"'
    harness.store(1, nasty)
    harness.sink.open()
    harness.work()
    body = json.loads(harness.sink.received[0].body)
    assert body["exam_id"] == nasty
    assert body["replayed"] is True


def test_a_new_outbox_is_started_from_scratch_and_late_acknowledgements_are_not_its(
    harness: DeliveryHarness, tmp_path: Path
) -> None:
    harness.store(2)
    harness.sink.open()
    harness.work()
    assert harness.pending() == 2  # sent, and not yet asked whether they arrived
    (tmp_path / "other").mkdir()
    other = DeliveryHarness(tmp_path / "other")
    harness.delivery.reset()
    harness.delivery.work(other.outbox)
    other.store(1)
    harness.delivery.work(other.outbox)
    assert harness.received == [(1, True), (2, True), (1, False)]
    assert other.pending() == 1
    harness.delivery.work(other.outbox)
    assert other.pending() == 0
    other.writer.close(5)
    other.outbox.close()


def test_acknowledgements_share_commits_and_nothing_is_sent_twice_before_theirs(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledgements, "RECORD_EVERY_S", 1e6)
    harness.store(3)
    harness.sink.open()
    harness.work(2)  # the first may be recorded at once, and the clock runs from there
    harness.store(5)
    for _ in range(3):
        harness.delivery.work(harness.outbox)
    assert harness.pending() == 5
    assert not harness.delivery.idle(harness.outbox)
    harness.sink.disconnect()
    harness.sink.connect()
    for _ in range(3):
        harness.delivery.work(harness.outbox)
    assert [seq for seq, _ in harness.received] == list(range(1, 9))  # the new connection does not get them again
    monkeypatch.setattr(acknowledgements, "RECORD_AT_MOST", 5)
    harness.delivery.work(harness.outbox)
    assert harness.pending() == 0
    assert harness.delivery.idle(harness.outbox)


def test_what_arrived_before_it_was_asked_for_again_is_sent_again(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledgements, "RECORD_EVERY_S", 1e6)
    harness.store(1)
    harness.sink.open()
    harness.work(2)
    harness.store(3)
    harness.delivery.work(harness.outbox)
    harness.delivery.work(harness.outbox)  # 2 to 4 have arrived; that is not committed yet
    harness.outbox.resend(3, 4)
    harness.work(2)
    assert sorted(harness.received) == [(1, True), (2, False), (3, False), (3, True), (4, False), (4, True)]
    assert harness.pending() == 0


def test_a_sink_that_takes_no_more_of_the_backlog_still_gets_live_messages(
    harness: DeliveryHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = harness.sink.send
    stock: list[Outgoing] = []

    def full_of_late_ones(message: Outgoing) -> bool:
        if message.late and len(stock) >= 10:
            return False
        stock.extend([message] * message.late)
        return send(message)

    monkeypatch.setattr(harness.sink, "send", full_of_late_ones)
    harness.store(50)
    harness.sink.open()
    harness.work()
    harness.store(50)
    harness.work(2)
    assert harness.received == [(seq, True) for seq in range(1, 11)] + [(seq, False) for seq in range(51, 101)]
    stock.clear()
    harness.work(2)
    assert harness.received[60:] == [(seq, True) for seq in range(11, 21)]


def test_an_acknowledgement_of_before_does_not_answer_for_what_is_asked_for_again(harness: DeliveryHarness) -> None:
    harness.store(3)
    harness.sink.open()
    harness.delivery.work(harness.outbox)  # sent, and arrived; what arrived is not looked at yet
    assert harness.outbox.resend(3, 3, harness.sink.name).queued == 1
    harness.work(3)
    assert harness.received == [(1, True), (2, True), (3, True), (3, True)]
    assert harness.pending() == 0
    assert harness.delivery.idle(harness.outbox)


def test_a_delivery_whose_sink_is_away_is_idle_when_nothing_waits(harness: DeliveryHarness) -> None:
    assert harness.delivery.idle(harness.outbox)
    harness.store(1)
    assert not harness.delivery.idle(harness.outbox)


def test_a_damaged_mark_is_damage_of_the_outbox(harness: DeliveryHarness) -> None:
    harness.sink.open()
    harness.outbox._db.execute("INSERT INTO meta VALUES ('resend', '1 u')")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        harness.delivery.work(harness.outbox)
