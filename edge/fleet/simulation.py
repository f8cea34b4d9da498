"""Simulation of a fleet: many simulated devices publish over few MQTT connections, on one clock."""

from __future__ import annotations

import heapq
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edge.contracts.errors import SinkError
from edge.contracts.topics import STATE
from edge.fleet.consumer_connection import ConsumerConnection
from edge.fleet.simulated_device import HEALTH_EVERY_S, RESEND, SimulatedDevice

if TYPE_CHECKING:
    import threading

    from edge.config.settings import SinkSettings
    from edge.fleet.simulated_device import SimulatedMessage

DEVICES_A_SITE = 50
DEVICES_A_CONNECTION = 200
FAULT_EVERY_S = 1.0
FLUSH_S = 30.0
CLEAR_S = 10.0


class FaultRates(NamedTuple):
    """Rates of simulated faults. Lost and repeated: share of the messages; the others: chance in a second."""

    lost: float = 0.02
    repeated: float = 0.02
    offline: float = 0.02
    back: float = 0.5
    restarted: float = 0.5
    """Of those that come back, how many as a new run."""
    degraded: float = 0.02
    """And of the degraded, twenty times as many become well again."""


NO_FAULTS = FaultRates(0.0, 0.0, 0.0, 1.0, 0.0, 0.0)


class SimulationTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of a simulation: what a consumer that received everything must arrive at."""

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
    """Index of the device."""
    what: str
    """``message``, ``health`` or ``fault``."""
    every_s: float


class Simulation:
    """N simulated devices. `run` lets them publish; `reconnect_all` brings all back online, with their last state."""

    def __init__(
        self,
        settings: SinkSettings,
        devices: int,
        *,
        rate: float = 0.2,
        faults: FaultRates = NO_FAULTS,
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
        self._random = random.Random(seed)  # noqa: S311 - chooses faults, guards nothing
        self._requests = ConsumerConnection(settings, [f"{root}/+/+/request/{RESEND}"], name="simulate-requests")
        self._connections = [
            ConsumerConnection(settings, name=f"simulate-{n}") for n in range(1 + (devices - 1) // DEVICES_A_CONNECTION)
        ]

    def run(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Simulate for ``seconds``, or until ``stop`` is set. Requests are answered meanwhile."""
        began = time.monotonic()
        due: list[_Due] = []
        for number, device in enumerate(self.devices):
            self._publish(number, device.state())
            self._publish(number, device.health())
            share = number / len(self.devices)  # so that not all publish at the same moment
            for what, every_s in (("message", 1 / self._rate), ("health", HEALTH_EVERY_S), ("fault", FAULT_EVERY_S)):
                heapq.heappush(due, _Due(began + share * every_s, number, what, every_s))
        while (now := time.monotonic()) < began + seconds and not (stop and stop.is_set()):
            self.answer_requests(min(max(0.0, due[0].at - now), 0.1))
            while due[0].at <= time.monotonic():
                event = due[0]
                self._publish(event.number, self._messages_for(event))
                event.at += event.every_s
                heapq.heapreplace(due, event)

    def reconnect_all(self) -> SimulationTotals:
        """Reconnect all devices: each sends what had waited, then its state and health, which tell its next seq.

        Raises `SinkError` if the broker does not take it: the totals would not be true.
        """
        for number, device in enumerate(self.devices):
            self._publish(number, device.reconnect())
            self._publish(number, device.state())
            self._publish(number, device.health())
        self.flush()
        return self.totals()

    def publish_offline(self) -> None:
        """Publish the state ``offline`` of all devices."""
        for number, device in enumerate(self.devices):
            self._publish(number, device.state("offline"))
        self.flush()

    def clear_retained(self) -> None:
        """Delete the retained states of all devices at the broker. Raises `SinkError` if it does not take it."""
        for number, device in enumerate(self.devices):
            self._connections[number // DEVICES_A_CONNECTION].publish(device.topics.full(STATE), b"", retain=True)
        try:
            self.flush(CLEAR_S)
        except SinkError as error:
            raise SinkError(
                f"states of simulated devices stay retained: {error.message}", hint="edge-cli fleet forget 'sim-*/*'"
            ) from None

    def answer_requests(self, timeout_s: float = 0.0) -> None:
        """Answer the requests that have come, waiting at most ``timeout_s`` for the first."""
        for message in self._requests.receive(timeout_s):
            number = self._by_topic.get(message.topic)
            if number is not None:
                self._publish(number, self.devices[number].answer(RESEND, message.body))

    def totals(self) -> SimulationTotals:
        """Sum of the delivery records of all devices."""
        deliveries = [device.delivery for device in self.devices]
        return SimulationTotals(
            devices=len(deliveries),
            made=sum(delivery.made for delivery in deliveries),
            lost=sum(delivery.lost.count() for delivery in deliveries),
            expired=sum(delivery.expired.count() for delivery in deliveries),
            repeated=sum(delivery.repeated for delivery in deliveries),
            requests=sum(delivery.requests for delivery in deliveries),
            resent=sum(delivery.resent for delivery in deliveries),
        )

    def flush(self, timeout_s: float = FLUSH_S) -> None:
        """Wait until the broker has everything. Raises `SinkError` if it has not in time."""
        deadline = time.monotonic() + timeout_s
        for connection in self._connections:
            if not connection.drain(max(0.0, deadline - time.monotonic())):
                raise SinkError(
                    f"{connection.name} did not take all of it within {timeout_s:g} s",
                    hint="is it gone, or is --rate too high?",
                )

    def close(self) -> None:
        """Disconnect all connections from the broker."""
        for connection in (self._requests, *self._connections):
            connection.close()

    def _messages_for(self, event: _Due) -> list[SimulatedMessage]:
        device, faults, rng = self.devices[event.number], self._faults, self._random
        if event.what == "health":
            return device.health()
        if event.what == "message":
            messages = device.produce(lose=rng.random() < faults.lost)
            return messages + (device.repeat() if rng.random() < faults.repeated else [])
        messages = []
        if rng.random() < faults.degraded * (20 if device.degraded else 1):
            messages += device.toggle_degraded()
        if device.offline:
            if rng.random() < faults.back:
                messages += device.reconnect(restarted=rng.random() < faults.restarted)
        elif rng.random() < faults.offline:
            messages += device.disconnect()
        return messages

    def _publish(self, number: int, messages: list[SimulatedMessage]) -> None:
        connection = self._connections[number // DEVICES_A_CONNECTION]
        for message in messages:
            connection.publish(message.topic, message.body, qos=message.qos, retain=message.retain)
