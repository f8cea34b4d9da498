"""Many simulated devices over few connections, on one clock."""

from __future__ import annotations

import heapq
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edge.contracts.errors import SinkError
from edge.fleet.link import ConsumerLink
from edge.fleet.simulated_device import RESEND, SimulatedDevice

if TYPE_CHECKING:
    import threading

    from edge.config.settings import SinkSettings
    from edge.fleet.simulated_device import SimulatedMessage

DEVICES_A_SITE = 50
DEVICES_A_CONNECTION = 200
HEALTH_EVERY_S = 5.0
FAULT_EVERY_S = 1.0
FLUSH_S = 30.0


class Faults(NamedTuple):
    """How often things go wrong. Lost and repeated: share of the messages; the others: chance in a second."""

    lost: float = 0.02
    repeated: float = 0.02
    offline: float = 0.02
    back: float = 0.5
    restarted: float = 0.5
    """Of those that come back, how many as a new run."""
    degraded: float = 0.02
    """And of the degraded, twenty times as many become well again."""


NONE = Faults(0.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer that heard everything must arrive at."""

    devices: int
    made: int
    lost: int
    """Not sent when they should have been. Those asked for again count too: see ``resent``."""
    expired: int
    repeated: int
    requests: int
    resent: int


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    """Of the device."""
    what: str
    every_s: float


class Simulation:
    """N devices. `run` plays them; `finish` brings all of them back and lets them say where they stand."""

    def __init__(
        self,
        settings: SinkSettings,
        devices: int,
        *,
        rate: float = 0.2,
        faults: Faults = NONE,
        seed: int = 1,
        root: str = "edge/v1",
        keep: int = 1000,
        pending: int = 100,
    ) -> None:
        """``rate``: durable messages a second of each device. Raises `SinkError` if the broker does not take us."""
        self.devices = [
            SimulatedDevice(
                f"sim-{1 + i // DEVICES_A_SITE}", f"cart-{1 + i:04d}", seed + i, root=root, keep=keep, pending=pending
            )
            for i in range(devices)
        ]
        self._by_topic = {device.topics.full(f"request/{RESEND}"): i for i, device in enumerate(self.devices)}
        self._rate = rate
        self._faults = faults
        self._dice = random.Random(seed)  # noqa: S311 - chooses faults, guards nothing
        self._requests = ConsumerLink(settings, [f"{root}/+/+/request/{RESEND}"], name="simulate-requests")
        self._links = [
            ConsumerLink(settings, name=f"simulate-{n}") for n in range(1 + (devices - 1) // DEVICES_A_CONNECTION)
        ]

    def run(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Play for ``seconds``, or until ``stop`` is set. Requests are answered meanwhile."""
        began = time.monotonic()
        due: list[_Due] = []
        for number, device in enumerate(self.devices):
            self._publish(number, device.state())
            self._publish(number, device.health())
            share = number / len(self.devices)  # so that not all speak at the same moment
            for what, every_s in (("message", 1 / self._rate), ("health", HEALTH_EVERY_S), ("fault", FAULT_EVERY_S)):
                heapq.heappush(due, _Due(began + share * every_s, number, what, every_s))
        while (now := time.monotonic()) < began + seconds and not (stop and stop.is_set()):
            self.answer(min(max(0.0, due[0].at - now), 0.1))
            while due[0].at <= time.monotonic():
                event = due[0]
                self._publish(event.number, self._play(event))
                event.at += event.every_s
                heapq.heapreplace(due, event)

    def finish(self) -> Totals:
        """All come back, hand over what had waited, and tell how far they have counted.

        Raises `SinkError` if the broker does not take it: the totals would not be true.
        """
        for number, device in enumerate(self.devices):
            self._publish(number, device.come_back())
            self._publish(number, device.state())
            self._publish(number, device.health())
        self.flush()
        return self.totals()

    def leave(self) -> None:
        """All say goodbye."""
        for number, device in enumerate(self.devices):
            self._publish(number, device.state("offline"))
        self.flush()

    def answer(self, timeout_s: float = 0.0) -> None:
        """Answer the requests that have come, waiting at most ``timeout_s`` for the first."""
        for heard in self._requests.take(timeout_s):
            number = self._by_topic.get(heard.topic)
            if number is not None:
                self._publish(number, self.devices[number].answer(RESEND, heard.body))

    def totals(self) -> Totals:
        """The sum of all books."""
        books = [device.book for device in self.devices]
        return Totals(
            devices=len(books),
            made=sum(book.made for book in books),
            lost=sum(book.lost.count() for book in books),
            expired=sum(book.expired.count() for book in books),
            repeated=sum(book.repeated for book in books),
            requests=sum(book.requests for book in books),
            resent=sum(book.resent for book in books),
        )

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until the broker has everything. Raises `SinkError` if it has not in time."""
        deadline = time.monotonic() + timeout_s
        for link in self._links:
            if not link.drain(max(0.0, deadline - time.monotonic())):
                raise SinkError(
                    f"{link.name} did not take all of it within {timeout_s:g} s",
                    hint="is it gone, or is --rate too high?",
                )

    def close(self) -> None:
        """Leave the broker."""
        for link in (self._requests, *self._links):
            link.close()

    def _play(self, event: _Due) -> list[SimulatedMessage]:
        device, faults, dice = self.devices[event.number], self._faults, self._dice
        if event.what == "health":
            return device.health()
        if event.what == "message":
            said = device.produce(lose=dice.random() < faults.lost)
            return said + (device.repeat() if dice.random() < faults.repeated else [])
        said = []
        if dice.random() < faults.degraded * (20 if device.degraded else 1):
            said += device.change_health()
        if device.offline:
            if dice.random() < faults.back:
                said += device.come_back(restarted=dice.random() < faults.restarted)
        elif dice.random() < faults.offline:
            said += device.go_offline()
        return said

    def _publish(self, number: int, said: list[SimulatedMessage]) -> None:
        link = self._links[number // DEVICES_A_CONNECTION]
        for message in said:
            link.publish(message.topic, message.body, qos=message.qos, retain=message.retain)
