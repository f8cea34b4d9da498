"""The in-flight window: order of messages, live before backlog, and two threads that use it at the same time."""

from __future__ import annotations

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.sinks.mqtt.inflight import BACKLOG_EVERY, LIVE_QUEUE_LIMIT, InflightWindow, QueuedMessage


class FakeConnection:
    """Takes what the window sends, and counts message ids up as paho does."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.in_flight: dict[int, bytes] = {}
        self.most = 0

    def publish(self, message: QueuedMessage) -> int:
        message_id = len(self.sent) + 1
        self.sent.append(message.body)
        self.in_flight[message_id] = message.body
        self.most = max(self.most, len(self.in_flight))
        return message_id


def queued(lane: str, number: int) -> QueuedMessage:
    return QueuedMessage("t", f"{lane} {number}".encode(), 1, False, late=lane == "late")


@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["urgent", "live", "late", "answer", "look"]), max_size=200),
)
def test_order_window_and_answers(size: int, steps: list[str]) -> None:
    connection = FakeConnection()
    window = InflightWindow(connection.publish)
    window.size = size
    expected: dict[int, bytes] = {}
    answered: list[bytes] = []
    found: list[int] = []
    count: Counter[str] = Counter()
    for step in [*steps, *["answer"] * len(steps), "look"]:
        if step == "answer":
            if connection.in_flight:
                message_id = next(iter(connection.in_flight))
                answered.append(connection.in_flight.pop(message_id))
                window.record_answer(message_id, 0)
        elif step == "look":
            found += [delivery_id for delivery_id, _ in window.take_answers()]
        else:
            message = queued(step, count[step])
            count[step] += 1
            expected[window.put(message, urgent=step == "urgent")] = message.body
    assert connection.most <= size
    assert sorted(connection.sent) == sorted(expected.values())
    assert [expected[delivery_id] for delivery_id in found] == answered
    for lane in ("urgent", "live", "late"):
        ours = [int(body.split()[1]) for body in connection.sent if body.startswith(lane.encode())]
        assert ours == list(range(len(ours)))


def test_live_goes_first_but_a_backlog_is_not_forgotten() -> None:
    connection = FakeConnection()
    window = InflightWindow(connection.publish)
    for number in range(20):
        window.put(queued("late", number))
    assert window.backlog_length == 19
    for number in range(40):
        window.put(queued("live", number))
    for _ in range(40):
        message_id = next(iter(connection.in_flight))
        del connection.in_flight[message_id]
        window.record_answer(message_id, 0)
    lanes = Counter(body.split()[0] for body in connection.sent[1:])
    assert lanes[b"late"] == 40 // BACKLOG_EVERY


def test_the_live_queue_is_full_of_live_messages_and_not_of_a_backlog() -> None:
    window = InflightWindow(FakeConnection().publish)
    for number in range(100):
        window.put(queued("late", number))
    for number in range(LIVE_QUEUE_LIMIT):
        window.put(queued("live", number))
    assert not window.live_queue_full
    window.put(queued("urgent", 0), urgent=True)
    assert window.live_queue_full


def test_two_threads_keep_the_order_and_lose_nothing() -> None:
    total, connection = 20_000, FakeConnection()
    lock, free = threading.Lock(), threading.Semaphore(0)

    def publish(message: QueuedMessage) -> int:
        with lock:
            message_id = FakeConnection.publish(connection, message)
        free.release()
        return message_id

    window = InflightWindow(publish)
    window.size = 7

    def answer() -> None:
        for _ in range(total):
            free.acquire()
            with lock:
                message_id = next(iter(connection.in_flight))
                del connection.in_flight[message_id]
            window.record_answer(message_id, 0)

    answering = threading.Thread(target=answer)
    answering.start()
    delivery_ids = [window.put(queued("live", number)) for number in range(total)]
    answering.join(60)
    assert not answering.is_alive()
    assert [int(body.split()[1]) for body in connection.sent] == list(range(total))
    assert connection.most <= 7
    assert sorted(delivery_id for delivery_id, _ in window.take_answers()) == delivery_ids
