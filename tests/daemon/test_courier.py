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
from edge.daemon import courier
from edge.daemon.courier import Courier
from edge.sinks.memory import MemorySink
from edge.sinks.outbox import Outbox
from edge.sinks.outbox_writer import OutboxWriter

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
        self.outbox = Outbox(path)
        self.sink = MemorySink(
            SinkSettings(uri="memory://desk", durable=durable), SinkIdentity(Topics("s", "d"), "run", b"{}")
        )
        self.courier = Courier(self.sink, [self.sink.name] if durable else [])

    def store(self, count: int, text: str = "exam") -> None:
        for _ in range(count):
            self.writer.put("coverage/a", make_message(exam_id=text))
        assert self.writer.flush(5)

    def work(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.courier.work(self.outbox)
        self.courier.record(self.outbox)  # it would do so by itself, a little later

    @property
    def got(self) -> list[tuple[int, bool]]:
        """(seq, replayed) of what arrived, as it says itself."""
        bodies = [json.loads(message.body) for message in self.sink.received]
        return [(body["seq"], body["replayed"]) for body in bodies]

    def pending(self) -> int:
        return self.outbox.depth().pending


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    one = Desk(tmp_path)
    yield one
    one.writer.close(5)
    one.outbox.close()


def test_what_was_stored_before_the_connection_is_replay_and_what_after_is_live(desk: Desk) -> None:
    desk.store(2)
    desk.sink.open()
    desk.work()
    desk.store(2)
    desk.work(2)
    assert desk.got == [(1, True), (2, True), (3, False), (4, False)]
    assert desk.pending() == 0
    assert desk.courier.idle(desk.outbox)


def test_without_a_connection_nothing_happens_and_nothing_is_lost(desk: Desk) -> None:
    desk.store(3)
    desk.work(3)
    assert desk.got == []
    assert not desk.courier.idle(desk.outbox)
    assert desk.pending() == 3


def test_live_goes_first_and_replay_has_its_share(desk: Desk) -> None:
    desk.store(300)
    desk.sink.room = 0
    desk.sink.open()
    desk.work()
    desk.store(300)
    desk.sink.room = 100
    desk.work()
    lanes = [replayed for _, replayed in desk.got]
    assert len(lanes) == 100
    assert 15 <= sum(lanes) <= 25  # one in five
    live = [seq for seq, replayed in desk.got if not replayed]
    replay = [seq for seq, replayed in desk.got if replayed]
    assert live == list(range(301, 301 + len(live)))
    assert replay == list(range(1, 1 + len(replay)))
    desk.sink.room = None
    desk.work(10)
    assert sorted(seq for seq, _ in desk.got) == list(range(1, 601))


def test_after_a_loss_what_was_under_way_comes_again_marked_and_in_order(desk: Desk) -> None:
    desk.sink.silent = True
    desk.sink.open()
    desk.work()
    desk.store(5)
    desk.work()
    assert desk.got == [(seq, False) for seq in range(1, 6)]
    desk.sink.disconnect()
    desk.work()
    desk.store(1)
    desk.sink.silent = False
    desk.sink.connect()
    desk.work(2)
    desk.store(1)
    desk.work(2)
    assert desk.got[5:] == [*((seq, True) for seq in range(1, 7)), (7, False)]
    assert desk.pending() == 0


def test_what_is_refused_is_offered_again_and_the_rest_goes_on(desk: Desk) -> None:
    desk.sink.open()
    desk.work()
    desk.sink.refusing = True
    desk.store(2)
    desk.work()
    desk.sink.refusing = False
    desk.store(1)
    desk.work(3)
    assert desk.got[:2] == [(1, False), (2, False)]
    assert sorted(desk.got[2:]) == [(1, True), (2, True), (3, False)]
    assert desk.pending() == 0


def test_a_message_under_way_is_not_offered_twice(desk: Desk) -> None:
    desk.store(150)
    desk.sink.silent = True
    desk.sink.open()
    desk.work(5)
    assert [seq for seq, _ in desk.got] == list(range(1, 151))


def test_a_sink_that_nothing_waits_for_gets_what_is_new_only(tmp_path: Path) -> None:
    desk = Desk(tmp_path, durable=False)
    desk.store(3)
    desk.sink.open()
    desk.work()
    desk.store(2)
    desk.work()
    assert desk.got == [(4, False), (5, False)]
    desk.sink.disconnect()
    desk.work()
    desk.store(2)
    desk.sink.connect()
    desk.work()
    desk.store(1)
    desk.work()
    assert desk.got[2:] == [(8, False)]
    assert desk.courier.idle(desk.outbox)
    desk.writer.close(5)
    desk.outbox.close()


def test_only_the_mark_itself_is_rewritten(desk: Desk) -> None:
    nasty = '","replayed":false,"x":"'
    desk.store(1, nasty)
    desk.sink.open()
    desk.work()
    body = json.loads(desk.sink.received[0].body)
    assert body["exam_id"] == nasty
    assert body["replayed"] is True


def test_a_new_outbox_is_started_from_scratch_and_late_acknowledgements_are_not_its(desk: Desk, tmp_path: Path) -> None:
    desk.store(2)
    desk.sink.open()
    desk.work()
    assert desk.pending() == 2  # sent, and not yet asked whether they arrived
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    desk.courier.forget()
    desk.courier.work(other.outbox)
    other.store(1)
    desk.courier.work(other.outbox)
    assert desk.got == [(1, True), (2, True), (1, False)]
    assert other.pending() == 1
    desk.courier.work(other.outbox)
    assert other.pending() == 0
    other.writer.close(5)
    other.outbox.close()


def test_acknowledgements_share_commits_and_nothing_is_sent_twice_before_theirs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier, "RECORD_EVERY_S", 1e6)
    desk.store(3)
    desk.sink.open()
    desk.work(2)  # the first may be recorded at once, and the clock runs from there
    desk.store(5)
    for _ in range(3):
        desk.courier.work(desk.outbox)
    assert desk.pending() == 5
    assert not desk.courier.idle(desk.outbox)
    desk.sink.disconnect()
    desk.sink.connect()
    for _ in range(3):
        desk.courier.work(desk.outbox)
    assert [seq for seq, _ in desk.got] == list(range(1, 9))  # the new connection does not get them again
    monkeypatch.setattr(courier, "RECORD_AT_MOST", 5)
    desk.courier.work(desk.outbox)
    assert desk.pending() == 0
    assert desk.courier.idle(desk.outbox)


def test_what_arrived_before_it_was_asked_for_again_is_sent_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "RECORD_EVERY_S", 1e6)
    desk.store(1)
    desk.sink.open()
    desk.work(2)
    desk.store(3)
    desk.courier.work(desk.outbox)
    desk.courier.work(desk.outbox)  # 2 to 4 have arrived; that is not committed yet
    desk.outbox.resend(3, 4)
    desk.work(2)
    assert sorted(desk.got) == [(1, True), (2, False), (3, False), (3, True), (4, False), (4, True)]
    assert desk.pending() == 0


def test_a_sink_that_takes_no_more_of_the_backlog_still_gets_live_messages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = desk.sink.send
    stock: list[Outgoing] = []

    def full_of_late_ones(message: Outgoing) -> bool:
        if message.late and len(stock) >= 10:
            return False
        stock.extend([message] * message.late)
        return send(message)

    monkeypatch.setattr(desk.sink, "send", full_of_late_ones)
    desk.store(50)
    desk.sink.open()
    desk.work()
    desk.store(50)
    desk.work(2)
    assert desk.got == [(seq, True) for seq in range(1, 11)] + [(seq, False) for seq in range(51, 101)]
    stock.clear()
    desk.work(2)
    assert desk.got[60:] == [(seq, True) for seq in range(11, 21)]


def test_an_acknowledgement_of_before_does_not_answer_for_what_is_asked_for_again(desk: Desk) -> None:
    desk.store(3)
    desk.sink.open()
    desk.courier.work(desk.outbox)  # sent, and arrived; what arrived is not looked at yet
    assert desk.outbox.resend(3, 3, desk.sink.name).queued == 1
    desk.work(3)
    assert desk.got == [(1, True), (2, True), (3, True), (3, True)]
    assert desk.pending() == 0
    assert desk.courier.idle(desk.outbox)


def test_a_courier_whose_sink_is_away_is_idle_when_nothing_waits(desk: Desk) -> None:
    assert desk.courier.idle(desk.outbox)
    desk.store(1)
    assert not desk.courier.idle(desk.outbox)


def test_a_damaged_mark_is_damage_of_the_outbox(desk: Desk) -> None:
    desk.sink.open()
    desk.outbox._db.execute("INSERT INTO meta VALUES ('resend', '1 u')")
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        desk.courier.work(desk.outbox)
