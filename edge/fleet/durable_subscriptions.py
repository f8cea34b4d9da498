"""Subscriptions to further kinds of durable messages, which devices name in ``state``.

All devices send findings and coverage; a newer one may send more that counts. What a consumer is not subscribed to
looks like a hole, however often it is asked for. Each device's topics are subscribed to below its own prefix alone.

A device may name ever others: a subscription is kept as long as the connection, and their number is limited.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.fleet.ledger_messages import UnreadableError, decode_state, durable_topics_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.fleet.consumer_connection import ConsumerConnection
    from edge.fleet.fleet_overview import DeviceKey
    from edge.fleet.ledger import Ledger

SUBSCRIPTIONS_LIMIT = 20_000
"""Most subscriptions of all devices together; of a device at most `topics.DURABLE_TOPICS_LIMIT`."""
FILTERS_AT_ONCE = 100
"""Most subscriptions in one message to the broker."""
ANSWER_S = 3.0
"""So long without the broker's answer, and it was dropped: the question is asked again."""


class DurableSubscriptions:
    """Subscriptions to the durable topics that devices name; made anew with each connection. For one thread."""

    def __init__(self, connection: ConsumerConnection, ledger: Ledger, root: str) -> None:
        """``ledger`` knows the topics of each device."""
        self._connection, self._ledger, self._root = connection, ledger, root
        self._active = False
        self._filters: dict[DeviceKey, set[str]] = {}
        """Filters that were sent to the broker on this connection, by device."""
        self._number = 0
        """How many these are."""
        self._unanswered: dict[int, tuple[float, list[str]]] = {}
        """Subscription -> when it was sent, and its filters."""
        self._awaited: set[str] = set()
        self._refused: set[str] = set()
        self._over_limit: set[DeviceKey] = set()

    def reset(self) -> None:
        """Forget all: the connection was lost, and the broker's subscriptions with it."""
        self._active, self._number = False, 0
        for one in (self._filters, self._unanswered, self._awaited, self._refused, self._over_limit):
            one.clear()

    def start(self) -> None:
        """Subscribe to the topics of all known devices; from here on `update` follows what they say."""
        self.reset()
        self._active = True
        self._subscribe([each for key in self._ledger.devices() for each in self._take_new(key)])

    def update(self, key: DeviceKey) -> None:
        """Follow what the last ``state`` of a device names."""
        if self._active and key in self._ledger.devices():
            self._subscribe(self._take_new(key))

    def names_new(self, key: DeviceKey, body: bytes) -> bool:
        """Whether a ``state`` names topics that are not subscribed to yet: what it has counted on them did not come."""
        try:
            named = durable_topics_of(decode_state(body))
        except UnreadableError:
            return False
        return not self._wanted(key, named) <= self._filters.get(key, set())

    def pending(self, key: DeviceKey) -> bool:
        """Whether the broker has not yet granted all subscriptions of a device."""
        return bool(self._awaited) and not self._awaited.isdisjoint(self._filters.get(key, ()))

    def step(self) -> None:
        """Take the broker's answers, and ask again where one was dropped."""
        for number, (sent_at, filters) in list(self._unanswered.items()):
            granted = self._connection.granted(number)
            late = time.monotonic() - sent_at > ANSWER_S
            if granted is None and not late:
                continue
            del self._unanswered[number]
            wanted = [each for each in filters if each in self._awaited]
            if granted is None:
                self._subscribe(wanted)
            elif granted or len(wanted) <= 1:
                self._awaited.difference_update(wanted)
                self._refused.update([] if granted else wanted)
            else:  # some of them: one by one it is told which
                for each in wanted:
                    self._subscribe([each])

    def problems(self) -> list[str]:
        """What of the devices' durable messages does not come, for people."""
        said = []
        if self._refused:
            said.append(f"the broker refuses {len(self._refused)} topics of durable messages: they show as missing")
        if self._over_limit:
            number = len(self._over_limit)
            said.append(f"{number} devices name more topics than are subscribed to: messages of theirs show as missing")
        return said

    def _take_new(self, key: DeviceKey) -> list[str]:
        """Filters for topics of a device that are new, as far as the limits allow."""
        known = self._filters.get(key, set())
        new = sorted(self._wanted(key, self._ledger.devices()[key].durable_topics) - known)
        if not new:
            return []
        if len(known) + len(new) > topics.DURABLE_TOPICS_LIMIT or self._number + len(new) > SUBSCRIPTIONS_LIMIT:
            self._over_limit.add(key)
            return []
        self._filters[key] = known.union(new)
        self._number += len(new)
        return new

    def _wanted(self, key: DeviceKey, durable_topics: Iterable[str]) -> set[str]:
        site, device = key
        return {
            f"{self._root}/{site}/{device}/{each}/#" for each in durable_topics if each not in topics.DURABLE_TOPICS
        }

    def _subscribe(self, filters: Iterable[str]) -> None:
        filters = list(filters)
        for start in range(0, len(filters), FILTERS_AT_ONCE):
            some = filters[start : start + FILTERS_AT_ONCE]
            self._awaited.update(some)
            self._unanswered[self._connection.subscribe(some, 1)] = (time.monotonic(), some)
