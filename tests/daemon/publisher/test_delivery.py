"""Two lanes from the outbox to one sink: who goes first, what is marked, what is offered again."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sample_messages import make_message

from edge.config.settings import SinkSettings
from edge.contracts.ports import SinkIdentity
from edge.contracts.topics import Topics
from edge.daemon.publisher import delivery
from edge.daemon.publisher.delivery import Delivery
from edge.outbox.reader import OutboxReader
from edge.outbox.writer import OutboxWriter
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.contracts.ports import Outgoing


class Desk:
    """An outbox, a memory sink and the courier between them."""

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
    def got(self) -> list[tuple[int, bool]]:
        """(seq, replayed) of what arrived, as it says itself."""
        bodies = [json.loads(message.body) for message in self.sink.received]
        return [(body["seq"], body["replayed"]) for body in bodies]

    def pending(self) -> int:
        return self.outbox.depth().pending


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.writer.close(5)
    one.outbox.close()


def test_what_was_stored_before_the_connection_is_replay_and_what_after_is_live(handler: Desk) -> None:
    handler.store(2)
    handler.sink.open()
    handler.work()
    handler.store(2)
    handler.work(2)
    assert handler.got == [(1, True), (2, True), (3, False), (4, False)]
    assert handler.pending() == 0
    assert handler.delivery.idle(handler.outbox)


def test_without_a_connection_nothing_happens_and_nothing_is_lost(handler: Desk) -> None:
    handler.store(3)
    handler.work(3)
    assert handler.got == []
    assert not handler.delivery.idle(handler.outbox)
    assert handler.pending() == 3


def test_live_goes_first_and_replay_has_its_share(handler: Desk) -> None:
    handler.store(300)
    handler.sink.room = 0
    handler.sink.open()
    handler.work()
    handler.store(300)
    handler.sink.room = 100
    handler.work()
    lanes = [replayed for _, replayed in handler.got]
    assert len(lanes) == 100
    assert 15 <= sum(lanes) <= 25  # one in five
    live = [seq for seq, replayed in handler.got if not replayed]
    replay = [seq for seq, replayed in handler.got if replayed]
    assert live == list(range(301, 301 + len(live)))
    assert replay == list(range(1, 1 + len(replay)))
    handler.sink.room = None
    handler.work(10)
    assert sorted(seq for seq, _ in handler.got) == list(range(1, 601))


def test_after_a_loss_what_was_under_way_comes_again_marked_and_in_order(handler: Desk) -> None:
    handler.sink.silent = True
    handler.sink.open()
    handler.work()
    handler.store(5)
    handler.work()
    assert handler.got == [(seq, False) for seq in range(1, 6)]
    handler.sink.disconnect()
    handler.work()
    handler.store(1)
    handler.sink.silent = False
    handler.sink.connect()
    handler.work(2)
    handler.store(1)
    handler.work(2)
    assert handler.got[5:] == [*((seq, True) for seq in range(1, 7)), (7, False)]
    assert handler.pending() == 0


def test_what_is_refused_is_offered_again_and_the_rest_goes_on(handler: Desk) -> None:
    handler.sink.open()
    handler.work()
    handler.sink.refusing = True
    handler.store(2)
    handler.work()
    handler.sink.refusing = False
    handler.store(1)
    handler.work(3)
    assert handler.got[:2] == [(1, False), (2, False)]
    assert sorted(handler.got[2:]) == [(1, True), (2, True), (3, False)]
    assert handler.pending() == 0


def test_a_message_under_way_is_not_offered_twice(handler: Desk) -> None:
    handler.store(150)
    handler.sink.silent = True
    handler.sink.open()
    handler.work(5)
    assert [seq for seq, _ in handler.got] == list(range(1, 151))


def test_a_sink_that_nothing_waits_for_gets_what_is_new_only(tmp_path: Path) -> None:
    handler = Desk(tmp_path, durable=False)
    handler.store(3)
    handler.sink.open()
    handler.work()
    handler.store(2)
    handler.work()
    assert handler.got == [(4, False), (5, False)]
    handler.sink.disconnect()
    handler.work()
    handler.store(2)
    handler.sink.connect()
    handler.work()
    handler.store(1)
    handler.work()
    assert handler.got[2:] == [(8, False)]
    assert handler.delivery.idle(handler.outbox)
    handler.writer.close(5)
    handler.outbox.close()


def test_only_the_mark_itself_is_rewritten(handler: Desk) -> None:
    nasty = '","replayed":false,"x":"'
    handler.store(1, nasty)
    handler.sink.open()
    handler.work()
    body = json.loads(handler.sink.received[0].body)
    assert body["exam_id"] == nasty
    assert body["replayed"] is True


def test_a_new_outbox_is_started_from_scratch_and_late_acknowledgements_are_not_its(
    handler: Desk, tmp_path: Path
) -> None:
    handler.store(2)
    handler.sink.open()
    handler.work()
    assert handler.pending() == 2  # sent, and not yet asked whether they arrived
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    handler.delivery.reset()
    handler.delivery.work(other.outbox)
    other.store(1)
    handler.delivery.work(other.outbox)
    assert handler.got == [(1, True), (2, True), (1, False)]
    assert other.pending() == 1
    handler.delivery.work(other.outbox)
    assert other.pending() == 0
    other.writer.close(5)
    other.outbox.close()


def test_acknowledgements_share_commits_and_nothing_is_sent_twice_before_theirs(
    handler: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RECORD_EVERY_S", 1e6)
    handler.store(3)
    handler.sink.open()
    handler.work(2)  # the first may be recorded at once, and the clock runs from there
    handler.store(5)
    for _ in range(3):
        handler.delivery.work(handler.outbox)
    assert handler.pending() == 5
    assert not handler.delivery.idle(handler.outbox)
    handler.sink.disconnect()
    handler.sink.connect()
    for _ in range(3):
        handler.delivery.work(handler.outbox)
    assert [seq for seq, _ in handler.got] == list(range(1, 9))  # the new connection does not get them again
    monkeypatch.setattr(delivery, "RECORD_AT_MOST", 5)
    handler.delivery.work(handler.outbox)
    assert handler.pending() == 0
    assert handler.delivery.idle(handler.outbox)


def test_what_arrived_before_it_was_asked_for_again_is_sent_again(
    handler: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RECORD_EVERY_S", 1e6)
    handler.store(1)
    handler.sink.open()
    handler.work(2)
    handler.store(3)
    handler.delivery.work(handler.outbox)
    handler.delivery.work(handler.outbox)  # 2 to 4 have arrived; that is not committed yet
    handler.outbox.resend(3, 4)
    handler.work(2)
    assert sorted(handler.got) == [(1, True), (2, False), (3, False), (3, True), (4, False), (4, True)]
    assert handler.pending() == 0


def test_a_sink_that_takes_no_more_of_the_backlog_still_gets_live_messages(
    handler: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = handler.sink.send
    stock: list[Outgoing] = []

    def full_of_late_ones(message: Outgoing) -> bool:
        if message.late and len(stock) >= 10:
            return False
        stock.extend([message] * message.late)
        return send(message)

    monkeypatch.setattr(handler.sink, "send", full_of_late_ones)
    handler.store(50)
    handler.sink.open()
    handler.work()
    handler.store(50)
    handler.work(2)
    assert handler.got == [(seq, True) for seq in range(1, 11)] + [(seq, False) for seq in range(51, 101)]
    stock.clear()
    handler.work(2)
    assert handler.got[60:] == [(seq, True) for seq in range(11, 21)]


def test_an_acknowledgement_of_before_does_not_answer_for_what_is_asked_for_again(handler: Desk) -> None:
    handler.store(3)
    handler.sink.open()
    handler.delivery.work(handler.outbox)  # sent, and arrived; what arrived is not looked at yet
    assert handler.outbox.resend(3, 3, handler.sink.name).queued == 1
    handler.work(3)
    assert handler.got == [(1, True), (2, True), (3, True), (3, True)]
    assert handler.pending() == 0
    assert handler.delivery.idle(handler.outbox)


def test_a_courier_whose_sink_is_away_is_idle_when_nothing_waits(handler: Desk) -> None:
    assert handler.delivery.idle(handler.outbox)
    handler.store(1)
    assert not handler.delivery.idle(handler.outbox)


def test_a_damaged_mark_is_damage_of_the_outbox(handler: Desk) -> None:
    handler.sink.open()
    handler.outbox._db.execute("INSERT INTO meta VALUES ('resend', '1 u')")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        handler.delivery.work(handler.outbox)
