"""Watches a fleet over MQTT: feeds the broker's messages to an overview, and requests what is missing."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.request import Request
from edge.fleet.consumer_connection import ConsumerConnection
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.ledger import REPLAY_RESTART_TOPICS, RESEND_REQUEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import SinkSettings

SUBJECTS = ("state", "health", "findings/+", "coverage/+", *REPLAY_RESTART_TOPICS)
"""Not ``results``: the most frequent, and nothing is counted by them."""
QUIET_S = 1.0
"""Retained states come at once; so long without another one, and all have come."""
REQUEST_EVERY_S = 5.0
REQUEST_AT_ONCE = 1000
"""Most messages that one request asks for."""
REQUESTS_A_DEVICE = 100
"""Most requests to one device at once; the rest is asked for when it is still missing the next time."""


class FleetWatch:
    """Subscribes to ``root`` on a broker and keeps a `FleetOverview`. For one thread."""

    def __init__(self, settings: SinkSettings, root: str = "edge/v1", *, whole: bool = False) -> None:
        """``whole``: see `Ledger`. Raises `SinkError` if the broker does not accept the subscription."""
        self.overview = FleetOverview(root, whole=whole)
        self._root = root
        self.connection = ConsumerConnection(settings, [f"{root}/+/+/{each}" for each in SUBJECTS])
        self._asked_at = time.monotonic()

    def process_messages(self, timeout_s: float) -> int:
        """Process the messages that have come, waiting at most ``timeout_s`` for the first; returns how many."""
        received = self.connection.receive(timeout_s)
        for message in received:
            self.overview.feed(message.topic, message.body, retained=message.retained)
        return len(received)

    def receive_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Process messages until ``condition`` holds; returns whether it does within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.process_messages(min(left, 0.1))
        return True

    def receive_until_complete(self, timeout_s: float) -> bool:
        """Process messages until every device that is not offline has sent its health; False after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        quiet_since = time.monotonic()
        known = 0
        while time.monotonic() < deadline:
            self.process_messages(0.1)
            devices = len(self.overview.ledger.devices())
            if devices != known:
                known, quiet_since = devices, time.monotonic()
            if known and self.overview.all_healths_known() and time.monotonic() - quiet_since >= QUIET_S:
                return True
        return False

    def request_missing(self) -> int:
        """Request from every device the missing messages that it still keeps; returns how many were asked for.

        A device answers only where its configuration allows requests. What it cannot send again stays missing.
        """
        asked = 0
        for (site, device), ledger in self.overview.ledger.devices().items():
            for epoch, ranges in ledger.requestable().items():
                for first, last in ranges[:REQUESTS_A_DEVICE]:
                    upto = min(last, first + REQUEST_AT_ONCE - 1)
                    request = Request(id=uuid.uuid4().hex, args={"epoch": epoch, "from": first, "to": upto})
                    self.connection.publish(
                        f"{self._root}/{site}/{device}/{RESEND_REQUEST}", msgspec.json.encode(request)
                    )
                    asked += upto - first + 1
        self._asked_at = time.monotonic()
        return asked

    def request_missing_if_due(self) -> None:
        """Call `request_missing` if the last call is `REQUEST_EVERY_S` ago."""
        if time.monotonic() - self._asked_at >= REQUEST_EVERY_S:
            self.request_missing()

    def close(self) -> None:
        """Disconnect from the broker."""
        self.connection.close()
