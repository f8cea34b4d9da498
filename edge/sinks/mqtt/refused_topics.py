"""Topics that an MQTT broker refuses: each is paused with back-off, and its messages held until it is tried again.

A broker's access list may forbid one topic and allow the next, so each is paused by itself, and its messages are held
here instead of standing in the way of the others. Pure: no I/O.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Pause of a topic after its first refusal, and the limit up to which it doubles, in seconds."""
HELD_LIMIT = 10_000
"""Most messages of one topic that are held; they stay in the outbox, only their numbers are here."""


@dataclass(slots=True)
class _Topic:
    word: str
    pause_s: float = 0.0
    until: float = 0.0
    waiting: list[int] = field(default_factory=list)


class RefusedTopics:
    """Paused topics of one broker, how long each is paused, and the messages held for it."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        """``now`` None: the monotonic clock."""
        self._now = now or time.monotonic
        self._topics: dict[str, _Topic] = {}
        self._too_large: list[int] = []

    def mark_refused(self, suffix: str, word: str) -> bool:
        """Pause a topic that refused a message. False if it was paused already (others were still in flight)."""
        topic = self._topics.setdefault(suffix, _Topic(word))
        if topic.until > self._now():
            return False
        topic.word = word
        topic.pause_s = min(2 * topic.pause_s or FIRST_PAUSE_S, LONGEST_PAUSE_S)
        topic.until = self._now() + topic.pause_s
        return True

    def mark_accepted(self, suffix: str) -> None:
        """Note that a message on ``suffix`` arrived: its topic is no longer refused."""
        topic = self._topics.get(suffix)
        if topic is not None and topic.until <= self._now() and not topic.waiting:
            del self._topics[suffix]

    def is_paused(self, suffix: str) -> bool:
        """Whether the topic is paused: nothing should be sent on it now."""
        topic = self._topics.get(suffix)
        return topic is not None and topic.until > self._now()

    def hold(self, suffix: str, seq: int) -> bool:
        """Hold message ``seq`` until its topic is tried again; False if there is no room."""
        waiting = self._topics[suffix].waiting
        if len(waiting) >= HELD_LIMIT:
            return False
        waiting.append(seq)
        return True

    def hold_until_reconnect(self, seq: int) -> None:
        """Hold message ``seq`` until the next connection: this one takes none so large."""
        self._too_large.append(seq)

    def take_retryable(self) -> list[int]:
        """Take the held messages whose topic's pause is over: they may be tried again."""
        seqs: list[int] = []
        for topic in self._topics.values():
            if topic.waiting and topic.until <= self._now():
                seqs += topic.waiting
                topic.waiting = []
        return seqs

    def take_all(self) -> list[int]:
        """Take all held messages and end all pauses: the connection is gone, the next may be treated otherwise."""
        seqs = [seq for topic in self._topics.values() for seq in topic.waiting] + self._too_large
        self._topics.clear()
        self._too_large = []
        return seqs

    def problems(self) -> list[str]:
        """Problem words for `Sink.problems`, sorted."""
        words = [topic.word for topic in self._topics.values()]
        return sorted({*words, *(["message_too_large"] if self._too_large else [])})
