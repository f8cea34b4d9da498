"""One suite for every sink: what `Sink` promises, all of them keep."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until
from sample_messages import OFFLINE, STATE, outgoing

from edge.config.settings import SinkSettings
from edge.contracts.ports import Sink
from edge.plugins import make_sink
from edge.sinks.memory import MemorySink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from brokers import Mosquitto, Subscriber

    from edge.contracts.ports import SinkIdentity


class Arena:
    """A sink of one kind, and what arrived behind it: (topic, parsed body) in order."""

    def __init__(self, sink: Sink, arrived: Callable[[], list[tuple[str, Any]]]) -> None:
        self.sink = sink
        self.arrived = arrived
        self.acked: list[int] = []

    def open(self) -> Sink:
        self.sink.open()
        wait_until(lambda: self.sink.session)
        return self.sink

    def wait_acked(self, count: int) -> list[int]:
        def enough() -> bool:
            self.acked += self.sink.acked()
            return len(self.acked) >= count

        wait_until(enough)
        return self.acked


@pytest.fixture(params=["memory", "jsonl", pytest.param("mqtt", marks=pytest.mark.broker)])
def arena(request: pytest.FixtureRequest, tmp_path: Path, identity: SinkIdentity) -> Iterator[Arena]:
    if request.param == "memory":
        sink = make_sink(SinkSettings(uri="memory://suite"), identity)
        memory = MemorySink.named["suite"]
        one = Arena(sink, lambda: [(memory.topic(m), json.loads(m.body)) for m in memory.received])
    elif request.param == "jsonl":
        path = tmp_path / "out.jsonl"
        lines = lambda: [json.loads(line) for line in path.read_bytes().splitlines()]  # noqa: E731
        one = Arena(
            make_sink(SinkSettings(uri=f"jsonl://{path}"), identity),
            lambda: [(line["topic"], line["payload"]) for line in lines()],
        )
    else:
        broker: Mosquitto = request.getfixturevalue("broker")
        subscriber: Subscriber = request.getfixturevalue("subscriber")
        one = Arena(
            make_sink(SinkSettings(uri=broker.uri), identity), lambda: [(h.topic, h.json) for h in subscriber.heard]
        )
    yield one
    one.sink.close(2)


def test_it_is_a_sink_with_a_name_and_durable_unless_told_otherwise(arena: Arena) -> None:
    assert isinstance(arena.sink, Sink)
    assert arena.sink.name
    assert arena.sink.durable is True


def test_without_a_connection_nothing_is_taken(arena: Arena) -> None:
    assert arena.sink.session == 0
    assert not arena.sink.send(outgoing(1))
    assert list(arena.sink.acked()) == list(arena.sink.returned()) == []


def test_everything_taken_arrives_in_order_and_is_acknowledged_once(arena: Arena) -> None:
    sink = arena.open()
    sent = []
    for seq in range(1, 101):
        wait_until(lambda: (arena.wait_acked(0), sink.send(outgoing(seq)))[1])  # noqa: B023
        sent.append(seq)
    assert sorted(arena.wait_acked(100)) == sent
    wait_until(lambda: len(arena.arrived()) == 100)
    assert [topic for topic, _ in arena.arrived()] == ["edge/v1/site/cart/coverage/cart-1"] * 100
    assert [body["seq"] for _, body in arena.arrived()] == sent
    assert not sink.problems()
    assert not sink.returned()


def test_messages_without_seq_arrive_and_are_never_acknowledged(arena: Arena) -> None:
    sink = arena.open()
    assert sink.send(outgoing(None, "health", "flat"))
    assert sink.send(outgoing(7))
    assert arena.wait_acked(1) == [7]
    wait_until(lambda: len(arena.arrived()) == 2)
    assert arena.arrived()[0] == ("edge/v1/site/cart/health", {"seq": 0, "text": "flat"})


def test_the_offline_state_arrives_before_the_end(arena: Arena) -> None:
    sink = arena.open()
    assert sink.send(STATE)
    assert sink.send(OFFLINE)
    sink.close(5)
    wait_until(lambda: len(arena.arrived()) == 2)
    assert [body["status"] for _, body in arena.arrived()] == ["online", "offline"]
    assert not sink.send(outgoing(1))


def test_close_may_come_twice_and_without_open(arena: Arena) -> None:
    arena.sink.close(1)
    arena.sink.close(1)
