"""The queue of received messages has a limit; what is over it is dropped, and told."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from brokers import wait_until

from edge.config.settings import SinkSettings
from edge.fleet.consumer_connection import ConsumerConnection
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.received_queue import ConsumerMessage, QueueMark, ReceivedQueue
from edge.fleet.simulated_device import SimulatedDevice

if TYPE_CHECKING:
    from brokers import Mosquitto, Subscriber


def message(number: int, size: int = 10) -> ConsumerMessage:
    return ConsumerMessage(str(number), b"x" * size, False, float(number))


def test_it_keeps_the_oldest_in_order_and_counts_the_rest() -> None:
    queue = ReceivedQueue(count_limit=3)
    for number in range(5):
        queue.put(message(number))
    queue.put(QueueMark(7))
    taken = queue.take(0)
    assert [each.topic for each in taken if isinstance(each, ConsumerMessage)] == ["0", "1", "2"]
    assert taken[-1] == QueueMark(7), "answers of the broker are never dropped"
    assert queue.dropped == 2
    queue.put(message(9))
    assert queue.take(0) == [message(9)], "there is room again"
    assert queue.take(0) == []


def test_bytes_are_limited_too() -> None:
    queue = ReceivedQueue(bytes_limit=100)
    for number in range(10):
        queue.put(message(number, 30))
    assert len(queue.take(0)) == 3
    queue.put(message(1, 101))
    assert queue.dropped == 8


def test_who_waits_is_woken() -> None:
    queue = ReceivedQueue()
    threading.Timer(0.01, lambda: queue.put(message(1))).start()
    assert queue.take(30) == [message(1)]


def test_a_connection_puts_into_it_and_says_what_was_dropped() -> None:
    connection: Any = SimpleNamespace(_received=ReceivedQueue(count_limit=1))
    for _ in range(3):
        received = SimpleNamespace(topic="edge/v1/a/b/health", payload=b"{}", retain=False)
        ConsumerConnection._on_message(connection, None, None, received)  # type: ignore[arg-type]
    assert connection._received.dropped == 2


@pytest.mark.broker
@pytest.mark.slow
def test_a_watch_that_was_not_read_says_what_it_lost_and_fetches_the_states_again(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    watch = FleetWatch(SinkSettings(uri=broker.uri))
    try:
        assert watch.receive_until(lambda: watch.states.settled, 30)
        assert (watch.all_listed, watch.problems()) == (True, [])
        watch.connection._received._count_limit = 5
        devices = [SimulatedDevice("clinic-a", f"cart-{number}") for number in range(20)]
        for device in devices:
            for each in device.state():
                subscriber.publish(each.topic, each.body, retain=True)
        wait_until(lambda: watch.connection.dropped == 15)
        watch.connection._received._count_limit = 1000
        watch.process_messages(0)
        assert not watch.all_listed, "until it has looked again"
        assert watch.receive_until(lambda: watch.all_listed, 30)
        assert len(watch.overview.rows()) == 20
        assert "15 messages were dropped here" in watch.problems()[0]
    finally:
        watch.close()
