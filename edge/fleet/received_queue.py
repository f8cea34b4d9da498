"""Queue of received MQTT messages with a limit: what is over it is dropped, and counted."""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

COUNT_LIMIT = 100_000
"""Messages that may wait: some minutes of a thousand devices."""
BYTES_LIMIT = 64 << 20
"""Bytes of topics and payloads that may wait."""
TAKEN_AT_ONCE = 10_000
"""Messages taken at once, so that the caller gets to show something, however much comes."""


class ConsumerMessage(NamedTuple):
    """One received MQTT message: topic, payload, whether the broker had retained it, and when it arrived."""

    topic: str
    """What is not UTF-8 in it reads U+FFFD, which no name contains."""
    body: bytes
    retained: bool
    at: float
    """Our monotonic clock, in seconds."""


class QueueMark(NamedTuple):
    """Mark between messages: a new connection, or the broker's answer to a subscription."""

    subscription: int | None
    """Id of the subscription; None: a new connection."""
    granted: bool = True


class ReceivedQueue:
    """Messages and marks in order of arrival. One thread puts, one takes. Marks are never dropped."""

    def __init__(self, count_limit: int = COUNT_LIMIT, bytes_limit: int = BYTES_LIMIT) -> None:
        """``count_limit``: messages; ``bytes_limit``: bytes of topics and payloads."""
        self._items: deque[ConsumerMessage | QueueMark] = deque()
        self._changed = threading.Condition()
        self._count_limit, self._bytes_limit = count_limit, bytes_limit
        self._count = self._bytes = 0
        self.dropped = 0
        """Messages that found no room. The newest are dropped: what waits is in order, and stays so."""

    def put(self, item: ConsumerMessage | QueueMark) -> None:
        """Append ``item``, or drop it if it is a message and there is no room."""
        with self._changed:
            if isinstance(item, ConsumerMessage):
                size = _size(item)
                if self._count >= self._count_limit or self._bytes + size > self._bytes_limit:
                    self.dropped += 1
                    return
                self._count += 1
                self._bytes += size
            self._items.append(item)
            self._changed.notify()

    def take(self, timeout_s: float) -> list[ConsumerMessage | QueueMark]:
        """Everything that waits, at most `TAKEN_AT_ONCE`; waits at most ``timeout_s`` for the first."""
        with self._changed:
            self._changed.wait_for(lambda: self._items, max(0.0, timeout_s))
            taken = [self._items.popleft() for _ in range(min(len(self._items), TAKEN_AT_ONCE))]
            messages = [item for item in taken if isinstance(item, ConsumerMessage)]
            self._count -= len(messages)
            self._bytes -= sum(map(_size, messages))
        return taken


def _size(message: ConsumerMessage) -> int:
    return len(message.topic) + len(message.body)
