"""A simulated device keeps to the message contract, and its delivery record is true."""

from __future__ import annotations

import msgspec
import pytest

from edge.contracts.coverage import Coverage
from edge.contracts.finding import Finding
from edge.contracts.request import Request, Response
from edge.demo.subscriber import decode
from edge.fleet.ledger import Arrival, Ledger
from edge.fleet.simulated_device import SimulatedDevice, SimulatedMessage


@pytest.fixture
def device() -> SimulatedDevice:
    return SimulatedDevice("clinic-a", "cart-1", seed=3, keep=5, pending=3)


def seqs(messages: list[SimulatedMessage]) -> list[int]:
    found = [decode(each.body) for each in messages if each.topic.split("/")[4] in ("findings", "coverage")]
    assert all(isinstance(each, (Finding, Coverage)) for each in found)
    return [each.seq for each in found if isinstance(each, (Finding, Coverage))]


def ask(device: SimulatedDevice, first: int, last: int, epoch: str = "") -> list[SimulatedMessage]:
    request = Request(id="7", args={"epoch": epoch or device.epoch, "from": first, "to": last})
    return device.answer("findings/resend", msgspec.json.encode(request))


def test_everything_it_says_is_of_the_contract(device: SimulatedDevice) -> None:
    messages = device.state() + device.health()
    for _ in range(50):
        messages += device.produce()
    messages += device.repeat() + device.toggle_degraded() + device.disconnect() + device.reconnect(restarted=True)
    messages += device.state("offline")
    schemas = {decode(each.body).schema for each in messages}
    assert schemas == {"state/1", "health/1", "finding/1", "coverage/1"}
    assert {each.topic.rpartition("/")[2] for each in messages if each.retain} == {"state"}
    assert seqs(messages)[:50] == list(range(1, 51))


def test_what_waits_is_replayed_and_what_is_too_much_is_given_up(device: SimulatedDevice) -> None:
    device.produce()
    device.disconnect()
    assert [device.produce() for _ in range(5)] == [[]] * 5
    assert device.health() == device.repeat() == device.disconnect() == ask(device, 1, 9) == []
    back = device.reconnect()
    assert seqs(back) == [4, 5, 6]
    assert list(device.delivery.expired) == [(2, 3)]
    assert all(decode(each.body).replayed for each in back[1:])  # type: ignore[union-attr]
    assert device.reconnect() == []


def test_a_lost_message_can_be_asked_for_while_it_is_kept(device: SimulatedDevice) -> None:
    for seq in range(1, 9):
        device.produce(lose=seq in (2, 7))
    assert list(device.delivery.lost) == [(2, 2), (7, 7)]
    messages = ask(device, 1, 7)
    assert seqs(messages) == [4, 5, 6, 7], "five are kept"
    answer = msgspec.json.decode(messages[0].body, type=Response)
    assert (answer.ok, answer.id, answer.result) == (True, "7", {"sent": 4})
    assert device.delivery.repeated == 3


def test_what_it_cannot_answer(device: SimulatedDevice) -> None:
    (messages,) = ask(device, 1, 2, epoch="another")
    assert msgspec.json.decode(messages.body, type=Response).error == "unknown_epoch"
    assert device.answer("findings/resend", b"{}") == device.answer("ping", b"{}") == []


def test_a_late_will_of_the_run_before_is_stale_to_a_ledger(device: SimulatedDevice) -> None:
    ledger = Ledger()
    messages = device.state() + device.disconnect() + device.reconnect(restarted=True)
    verdicts = [ledger.feed(each.topic, each.body) for each in messages]
    assert verdicts == [Arrival.NOTED, Arrival.NOTED, Arrival.NOTED, Arrival.STALE, Arrival.NOTED]


def test_equal_seeds_make_equal_choices() -> None:
    left, right = (SimulatedDevice("a", "b", seed=5) for _ in range(2))
    suffixes = [[each.topic for _ in range(40) for each in one.produce()] for one in (left, right)]
    assert suffixes[0] == suffixes[1]
    assert len(set(suffixes[0])) == 2
