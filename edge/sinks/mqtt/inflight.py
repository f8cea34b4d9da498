"""In-flight window: limits unacknowledged MQTT messages and keeps the window full, from either of two threads.

If the publisher's thread alone could fill it, each round trip to the broker would wait for that thread to wake up, and
two threads that are both awake hand Python's lock to and fro with every byte. So messages of a backlog are queued here:
the connection's thread sends the next one as soon as an answer has come, and the publisher sleeps until few are left.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


BACKLOG_EVERY = 5
"""While live messages wait, every so many messages one of the backlog is sent all the same."""
LIVE_QUEUE_LIMIT = 20
"""Waiting live messages, above which none of QoS 0 is added: on a slow link the newest is old by then."""


class QueuedMessage(NamedTuple):
    """One message that waits to be published."""

    topic: str
    body: bytes
    qos: int
    retain: bool
    late: bool = False
    """Whether it is of a backlog: live messages go first."""


class InflightWindow:
    """Queue and in-flight window of the messages of one MQTT connection.

    `put` and `take_answers` belong to one thread, `record_answer` to the connection's.
    """

    def __init__(self, publish: Callable[[QueuedMessage], int | None]) -> None:
        """``publish`` sends and gives the message id, or None if the connection is gone: then nothing matters here."""
        self.size = 1
        """Most messages in flight at once; those of QoS 0 count until they are written."""
        self._publish = publish
        self._delivery_ids = itertools.count(1)
        self._urgent: deque[tuple[int, QueuedMessage]] = deque()
        self._live: deque[tuple[int, QueuedMessage]] = deque()
        self._late: deque[tuple[int, QueuedMessage]] = deque()
        self._send_lock = threading.Lock()
        self._sent = 0
        """Number of messages sent; changed by who holds the lock."""
        self._answered = 0
        """Number of messages answered; changed by the connection's thread."""
        self._sent_ids: deque[tuple[int, int]] = deque()
        """(message id, delivery id) of each that was sent."""
        self._answers: deque[tuple[int, int]] = deque()
        """(message id, reason code) of each that was answered."""
        self._delivery_by_message_id: dict[int, int] = {}

    def put(self, message: QueuedMessage, urgent: bool = False) -> int:
        """Send ``message`` as soon as there is room; its delivery id. ``urgent``: before all that wait."""
        delivery_id = next(self._delivery_ids)
        (self._urgent if urgent else self._late if message.late else self._live).append((delivery_id, message))
        self._send_queued()
        return delivery_id

    @property
    def backlog_length(self) -> int:
        """Number of messages of a backlog that wait here."""
        return len(self._late)

    @property
    def live_queue_full(self) -> bool:
        """Whether more live messages wait than will soon be sent."""
        return len(self._urgent) + len(self._live) > LIVE_QUEUE_LIMIT

    def record_answer(self, message_id: int, code: int) -> None:
        """Note that the broker answered, or that a message of QoS 0 is written; send the next."""
        self._answered += 1
        self._answers.append((message_id, code))
        self._send_queued()

    def take_answers(self) -> list[tuple[int, int]]:
        """(delivery id, reason code) of each message that was answered since the last call."""
        found = []
        while self._answers:
            message_id, code = self._answers.popleft()
            while self._sent_ids:  # after the answer was read: what is answered was noted here before, or is by us
                self._delivery_by_message_id.update([self._sent_ids.popleft()])
            delivery_id = self._delivery_by_message_id.pop(message_id, None)
            if delivery_id is not None:
                found.append((delivery_id, code))
        return found

    def _has_work(self) -> bool:
        return bool(self._urgent or self._live or self._late) and self._sent - self._answered < self.size

    def _next(self) -> tuple[int, QueuedMessage]:
        if self._late and self._sent % BACKLOG_EVERY == 0 and not self._urgent:
            return self._late.popleft()
        return (self._urgent or self._live or self._late).popleft()

    def _send_queued(self) -> None:
        """Send while there is room. Never waits for the other thread: who held the lock checks again afterwards."""
        while self._has_work() and self._send_lock.acquire(blocking=False):
            try:
                while self._has_work():
                    delivery_id, message = self._next()
                    self._sent += 1
                    message_id = self._publish(message)
                    if message_id is not None:
                        self._sent_ids.append((message_id, delivery_id))
            finally:
                self._send_lock.release()
