"""Topics that a broker refuses, and the messages that wait until they are tried again. Pure: no I/O.

A broker's access list may forbid one topic and allow the next, so each rests by itself, and its messages are set down
here instead of standing in the way of the others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
HELD_LIMIT = 10_000
"""Messages set down at once; they stay in the outbox, only their numbers are here."""


@dataclass(slots=True)
class _Topic:
    word: str
    pause_s: float = 0.0
    until: float = 0.0
    waiting: list[int] = field(default_factory=list)


class RefusedTopics:
    """Which topics rest, for how long, and who waits for it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._topics: dict[str, _Topic] = {}
        self._too_large: list[int] = []

    def mark_refused(self, suffix: str, word: str) -> bool:
        """A message on ``suffix`` was refused: it rests. False if it did already (others were still on their way)."""
        topic = self._topics.setdefault(suffix, _Topic(word))
        if topic.until > self._now():
            return False
        topic.word = word
        topic.pause_s = min(2 * topic.pause_s or FIRST_PAUSE_S, LONGEST_PAUSE_S)
        topic.until = self._now() + topic.pause_s
        return True

    def mark_accepted(self, suffix: str) -> None:
        """A message on ``suffix`` arrived: all is well with it."""
        topic = self._topics.get(suffix)
        if topic is not None and topic.until <= self._now() and not topic.waiting:
            del self._topics[suffix]

    def is_paused(self, suffix: str) -> bool:
        """Whether nothing should be sent on ``suffix`` now."""
        topic = self._topics.get(suffix)
        return topic is not None and topic.until > self._now()

    def hold(self, suffix: str, seq: int) -> bool:
        """Set message ``seq`` down until ``suffix`` is tried again; False if there is no room."""
        waiting = self._topics[suffix].waiting
        if len(waiting) >= HELD_LIMIT:
            return False
        waiting.append(seq)
        return True

    def hold_until_reconnect(self, seq: int) -> None:
        """Set message ``seq`` down until the next connection: this one takes none so large."""
        self._too_large.append(seq)

    def take_retryable(self) -> list[int]:
        """Messages whose topic has rested: they may be tried again."""
        seqs: list[int] = []
        for topic in self._topics.values():
            if topic.waiting and topic.until <= self._now():
                seqs += topic.waiting
                topic.waiting = []
        return seqs

    def take_all(self) -> list[int]:
        """The connection is gone, the next may be treated otherwise. Returns all that waited."""
        seqs = [seq for topic in self._topics.values() for seq in topic.waiting] + self._too_large
        self._topics.clear()
        self._too_large = []
        return seqs

    def problems(self) -> list[str]:
        """Words for `Sink.problems`."""
        words = [topic.word for topic in self._topics.values()]
        return sorted({*words, *(["message_too_large"] if self._too_large else [])})
