"""Random faults of a simulated device: the ledger, which only receives, agrees with the device's delivery record."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.request import Request
from edge.fleet.ledger import RESEND_REQUEST, Arrival, DeviceLedger, Ledger
from edge.fleet.simulated_device import SimulatedDevice

if TYPE_CHECKING:
    from edge.fleet.simulated_device import SimulatedMessage

EVENTS = ("produce", "produce", "produce", "lose", "repeat", "health", "offline", "back", "restart", "degraded", "ask")


class DeviceAndLedger:
    """A simulated device whose messages are fed directly to a ledger."""

    def __init__(self, keep: int, pending: int, seed: int) -> None:
        self.device = SimulatedDevice("clinic-a", "cart-1", seed, keep=keep, pending=pending)
        self.ledger = Ledger()
        self.verdicts: list[Arrival] = []
        self.feed(self.device.state())

    @property
    def device_ledger(self) -> DeviceLedger:
        return self.ledger.devices()["clinic-a", "cart-1"]

    def feed(self, messages: list[SimulatedMessage]) -> None:
        self.verdicts += [self.ledger.feed(each.topic, each.body) for each in messages]

    def ask(self) -> None:
        for epoch, ranges in self.device_ledger.requestable().items():
            for first, last in ranges:
                request = Request(id=str(uuid.uuid4()), args={"epoch": epoch, "from": first, "to": last})
                body = msgspec.json.encode(request)
                self.ledger.feed(f"edge/v1/clinic-a/cart-1/{RESEND_REQUEST}", body)
                self.feed(self.device.answer("findings/resend", body))

    def apply(self, event: str) -> None:
        device = self.device
        actions = {
            "produce": device.produce,
            "lose": lambda: device.produce(lose=True),
            "repeat": device.repeat,
            "health": device.health,
            "offline": device.disconnect,
            "back": device.reconnect,
            "restart": lambda: device.reconnect(restarted=True),
            "degraded": device.toggle_degraded,
        }
        if event == "ask":
            self.ask()
        else:
            self.feed(actions[event]())


def numbers(ranges: list[tuple[int, int]]) -> set[int]:
    return {n for first, last in ranges for n in range(first, last + 1)}


@given(st.lists(st.sampled_from(EVENTS), max_size=60), st.integers(1, 12), st.integers(1, 4), st.integers(0, 99))
def test_the_ledger_agrees_with_the_delivery_record(events: list[str], keep: int, pending: int, seed: int) -> None:
    pair = DeviceAndLedger(keep, pending, seed)
    for event in events:
        pair.apply(event)
    pair.feed(pair.device.reconnect() + pair.device.state())
    device, ledger, delivery = pair.device, pair.device_ledger, pair.device.delivery

    lost = numbers(list(delivery.lost)) - numbers(ledger.repaired().get(device.epoch, []))
    assert numbers(ledger.missing().get(device.epoch, [])) == lost
    assert ledger.expired().get(device.epoch, []) == list(delivery.expired)
    assert ledger.received(device.epoch) == delivery.made - len(lost) - delivery.expired.count()
    assert ledger.duplicates == pair.verdicts.count(Arrival.DUPLICATE) == delivery.repeated
    assert ledger.violations == 0

    askable = numbers(ledger.requestable().get(device.epoch, []))
    pair.ask()
    assert ledger.requestable() == {}
    assert numbers(ledger.missing().get(device.epoch, [])) == lost - askable, "only what is not kept stays missing"
    assert askable <= numbers(ledger.repaired().get(device.epoch, []))
    assert ledger.violations == 0
