"""Watches a fleet over MQTT: feeds the broker's messages to an overview, and requests what is missing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts import topics
from edge.contracts.names import is_name
from edge.fleet.consumer_connection import ConsumerConnection
from edge.fleet.durable_subscriptions import DurableSubscriptions
from edge.fleet.fleet_overview import BRIDGE, FleetOverview
from edge.fleet.ledger import DEVICES_LIMIT, REPLAY_RESTART_TOPICS
from edge.fleet.resend_requests import ResendRequests
from edge.fleet.state_fetch import StateFetch, all_states

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import SinkSettings
    from edge.fleet.received_queue import ConsumerMessage

SUBJECTS = ("health", "findings/+", "coverage/+", *REPLAY_RESTART_TOPICS)
"""Beside ``state``, of all devices; further durable topics of a device: `DurableSubscriptions`. Not ``results``: the
most frequent, and nothing is counted by them."""
STEP_S = 0.1
"""Longest wait for messages in one go while something else is to be done as well."""
QUIET_S = 1.0
"""So long without another device, and all have come."""
REQUEST_EVERY_S = 1.0
"""Between two looks for what is missing; how often a device is asked, see `ResendRequests`."""
EMPTY_S = 15.0
"""So long without any device, and there is none."""


class FleetWatch:
    """Subscribes to ``root`` on a broker and keeps a `FleetOverview`. For one thread."""

    def __init__(self, settings: SinkSettings, root: str = "edge/v1", *, whole: bool = False) -> None:
        """``whole``: see `Ledger`. Raises `SinkError` if the broker does not accept the subscription."""
        self.overview = FleetOverview(root, whole=whole)
        self.connection = ConsumerConnection(settings, [all_states(root)], qos=0)
        others = [*(f"{root}/+/+/{each}" for each in SUBJECTS), f"{root}/+/{BRIDGE}"]
        self.durable = DurableSubscriptions(self.connection, self.overview.ledger, root)
        self.states = StateFetch(self.connection, self.overview, root, others, self.durable.start)
        self.requests = ResendRequests(self.connection.publish, self.overview, root)
        self._asked_at = time.monotonic()
        self._session = 0
        self._retained: dict[str, int] = {}
        """Topic of a state -> hash of its last payload: the broker brings the same one again and again."""

    @property
    def all_listed(self) -> bool:
        """Whether every device that the broker knows of is in the overview, as far as can be told."""
        return self.states.certain and not self.overview.ledger.full

    def problems(self) -> list[str]:
        """What makes the numbers shown less than the whole, for people."""
        dropped = self.connection.dropped
        lost = [f"{dropped} messages were dropped here: they came faster than they were read"] if dropped else []
        return lost + self.durable.problems()

    def process_messages(self, timeout_s: float) -> int:
        """Process the messages that have come, waiting at most ``timeout_s`` for the first; returns how many.

        Raises `SinkError` if the broker refuses a subscription.
        """
        received = self.connection.receive(timeout_s if self.states.settled else min(timeout_s, STEP_S))
        if self.connection.session != self._session:
            self._session = self.connection.session
            self.durable.reset()
        for message in received:
            self._process(message)
        self.states.step()
        self.durable.step()
        return len(received)

    def receive_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Process messages until ``condition`` holds; returns whether it does within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.process_messages(min(left, STEP_S))
        return True

    def receive_until_complete(self, timeout_s: float) -> bool:
        """Process messages until of every device is known how it is; False after ``timeout_s``.

        That is: its health has come, or it is offline, silent, or cut off.
        """
        known, changed_at = -1, time.monotonic()

        def complete() -> bool:
            nonlocal known, changed_at
            devices, now = len(self.overview.ledger.devices()), time.monotonic()
            if devices != known or not self.states.settled:
                known, changed_at = devices, now
                return False
            return now - changed_at >= (QUIET_S if devices else EMPTY_S) and self.overview.all_healths_known()

        return self.receive_until(complete, timeout_s) and bool(self.overview.ledger.devices())

    def request_missing(self) -> int:
        """Send the requests for missing messages that are due; returns how many messages were asked for.

        A device answers only where its configuration allows requests. What it cannot send again stays missing.
        """
        self._asked_at = time.monotonic()
        return self.requests.send_due() if self.connection.connected else 0

    def request_missing_if_due(self) -> None:
        """Call `request_missing` if the last call is `REQUEST_EVERY_S` ago."""
        if time.monotonic() - self._asked_at >= REQUEST_EVERY_S:
            self.request_missing()

    def request_until_done(self, timeout_s: float) -> bool:
        """Request what is missing until there is nothing more to be had; False after ``timeout_s``."""

        def done() -> bool:
            self.request_missing_if_due()
            return self.requests.idle

        return self.receive_until(done, timeout_s)

    def close(self) -> None:
        """Disconnect from the broker."""
        self.connection.close()

    def _process(self, message: ConsumerMessage) -> None:
        site, device, suffix = self.overview.ledger.split_topic(message.topic)
        if suffix == topics.STATE:
            if message.retained and is_name(site) and is_name(device):
                self.states.note(site, device)
            content = hash(message.body)
            if message.retained and self._retained.get(message.topic) == content:
                return
            if message.topic in self._retained or len(self._retained) < 2 * DEVICES_LIMIT:
                self._retained[message.topic] = content
        awaited = suffix == topics.STATE and self.durable.names_new((site, device), message.body)
        self.overview.feed(
            message.topic,
            message.body,
            retained=message.retained,
            at=message.at,
            listening=self.states.others_subscribed and not (awaited or self.durable.pending((site, device))),
        )
        if suffix == topics.STATE:
            self.durable.update((site, device))
        self.requests.note((site, device), suffix, message.body)
