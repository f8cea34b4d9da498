from __future__ import annotations

import threading
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.sinks.mqtt.inflight import CROWDED, LATE_EVERY, InflightWindow, QueuedMessage


class Wire:
    """Takes what the window sends, and counts message ids up as paho does."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.under_way: dict[int, bytes] = {}
        self.most = 0

    def publish(self, message: QueuedMessage) -> int:
        message_id = len(self.sent) + 1
        self.sent.append(message.body)
        self.under_way[message_id] = message.body
        self.most = max(self.most, len(self.under_way))
        return message_id


def ready(lane: str, number: int) -> QueuedMessage:
    return QueuedMessage("t", f"{lane} {number}".encode(), 1, False, late=lane == "late")


@given(
    st.integers(1, 8),
    st.lists(st.sampled_from(["urgent", "live", "late", "answer", "look"]), max_size=200),
)
def test_order_window_and_answers(size: int, steps: list[str]) -> None:
    wire = Wire()
    window = InflightWindow(wire.publish)
    window.size = size
    expected: dict[int, bytes] = {}
    answered: list[bytes] = []
    found: list[int] = []
    count: Counter[str] = Counter()
    for step in [*steps, *["answer"] * len(steps), "look"]:
        if step == "answer":
            if wire.under_way:
                message_id = next(iter(wire.under_way))
                answered.append(wire.under_way.pop(message_id))
                window.answered(message_id, 0)
        elif step == "look":
            found += [ticket for ticket, _ in window.answers()]
        else:
            message = ready(step, count[step])
            count[step] += 1
            expected[window.put(message, urgent=step == "urgent")] = message.body
    assert wire.most <= size
    assert sorted(wire.sent) == sorted(expected.values())
    assert [expected[ticket] for ticket in found] == answered
    for lane in ("urgent", "live", "late"):
        ours = [int(body.split()[1]) for body in wire.sent if body.startswith(lane.encode())]
        assert ours == list(range(len(ours)))


def test_live_goes_first_but_a_backlog_is_not_forgotten() -> None:
    wire = Wire()
    window = InflightWindow(wire.publish)
    for number in range(20):
        window.put(ready("late", number))
    assert window.stock == 19
    for number in range(40):
        window.put(ready("live", number))
    for _ in range(40):
        message_id = next(iter(wire.under_way))
        del wire.under_way[message_id]
        window.answered(message_id, 0)
    lanes = Counter(body.split()[0] for body in wire.sent[1:])
    assert lanes[b"late"] == 40 // LATE_EVERY


def test_it_is_crowded_by_live_messages_and_not_by_a_backlog() -> None:
    window = InflightWindow(Wire().publish)
    for number in range(100):
        window.put(ready("late", number))
    for number in range(CROWDED):
        window.put(ready("live", number))
    assert not window.crowded
    window.put(ready("urgent", 0), urgent=True)
    assert window.crowded


def test_two_threads_keep_the_order_and_lose_nothing() -> None:
    total, wire = 20_000, Wire()
    lock, free = threading.Lock(), threading.Semaphore(0)

    def publish(message: QueuedMessage) -> int:
        with lock:
            message_id = Wire.publish(wire, message)
        free.release()
        return message_id

    window = InflightWindow(publish)
    window.size = 7

    def answer() -> None:
        for _ in range(total):
            free.acquire()
            with lock:
                message_id = next(iter(wire.under_way))
                del wire.under_way[message_id]
            window.answered(message_id, 0)

    connection = threading.Thread(target=answer)
    connection.start()
    tickets = [window.put(ready("live", number)) for number in range(total)]
    connection.join(60)
    assert not connection.is_alive()
    assert [int(body.split()[1]) for body in wire.sent] == list(range(total))
    assert wire.most <= 7
    assert sorted(ticket for ticket, _ in window.answers()) == tickets
