"""Watching a fleet: from a broker's messages to rows."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import msgspec

from edge.contracts.request import Request
from edge.fleet.ledger import REPLAY_MARKS, RESEND
from edge.fleet.link import ConsumerLink
from edge.fleet.overview import Overview

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config.settings import SinkSettings

SUBJECTS = ("state", "health", "findings/+", "coverage/+", *REPLAY_MARKS)
"""Not ``results``: the most frequent, and nothing is counted by them."""
QUIET_S = 1.0
"""Retained states come at once; so long without another one, and all have come."""
ASK_EVERY_S = 5.0
ASK_AT_ONCE = 1000
"""Messages asked for in one request, at most."""


class Watch:
    """Listens to ``root`` on a broker and keeps an `Overview`. One thread."""

    def __init__(self, settings: SinkSettings, root: str = "edge/v1", *, whole: bool = False) -> None:
        """``whole``: see `Ledger`. Raises `SinkError` if the broker cannot be listened to."""
        self.overview = Overview(root, whole=whole)
        self._root = root
        self.link = ConsumerLink(settings, [f"{root}/+/+/{each}" for each in SUBJECTS])
        self._asked_at = time.monotonic()

    def turn(self, timeout_s: float) -> int:
        """Take in what has come, waiting at most ``timeout_s`` for the first; how many messages."""
        taken = self.link.take(timeout_s)
        for heard in taken:
            self.overview.feed(heard.topic, heard.body, retained=heard.retained)
        return len(taken)

    def until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Take in what comes until ``condition`` holds; whether it does within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(min(left, 0.1))
        return True

    def gather(self, timeout_s: float) -> bool:
        """Until every device that is there has told its health; whether that was so within ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        quiet_since = time.monotonic()
        known = 0
        while time.monotonic() < deadline:
            self.turn(0.1)
            devices = len(self.overview.ledger.devices())
            if devices != known:
                known, quiet_since = devices, time.monotonic()
            if known and self.overview.settled() and time.monotonic() - quiet_since >= QUIET_S:
                return True
        return False

    def ask(self) -> int:
        """Ask every device for what is missing and still kept; how many messages that is.

        A device answers only where its configuration allows requests. What it cannot send again stays missing.
        """
        asked = 0
        for (site, device), ledger in self.overview.ledger.devices().items():
            for epoch, ranges in ledger.to_ask().items():
                for first, last in ranges:
                    upto = min(last, first + ASK_AT_ONCE - 1)
                    request = Request(id=uuid.uuid4().hex, args={"epoch": epoch, "from": first, "to": upto})
                    self.link.publish(f"{self._root}/{site}/{device}/{RESEND}", msgspec.json.encode(request))
                    asked += upto - first + 1
        self._asked_at = time.monotonic()
        return asked

    def ask_if_due(self) -> None:
        """`ask`, every few seconds."""
        if time.monotonic() - self._asked_at >= ASK_EVERY_S:
            self.ask()

    def close(self) -> None:
        """Leave the broker."""
        self.link.close()
