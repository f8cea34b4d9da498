"""All retained states are found, or the list says that it is not whole; also on brokers that drop what is too much."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import wait_until

from edge.cli.main import run
from edge.config.settings import SinkSettings
from edge.fleet import ledger, state_fetch
from edge.fleet.consumer_connection import ConsumerConnection
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.simulated_device import SimulatedDevice
from edge.fleet.simulation import Simulation
from edge.fleet.state_fetch import StateFetch, all_states

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from brokers import Mosquitto

ROOT = "edge/v1"


class FakeBroker:
    """A broker that gives a new subscription at most ``limit`` of what it retains, at QoS 1 at most 1,020."""

    def __init__(self, devices: int, site_size: int, limit: int = 10**9) -> None:
        self.retained = {
            each.topics.full("state"): each.state()[0].body
            for each in (SimulatedDevice(f"site-{n // site_size}", f"cart-{n}") for n in range(devices))
        }
        self.limit = limit
        self.session, self.dropped, self.name = 1, 0, "fake"
        self.subscriptions: set[str] = set()
        self.subscribed = 0
        self.overview = FleetOverview(ROOT)
        self.fetch = StateFetch(self, self.overview, ROOT, [f"{ROOT}/+/+/health"])  # type: ignore[arg-type]

    def connect(self) -> None:
        self.subscriptions.clear()
        self.subscribe([all_states(ROOT)], 0)

    def subscribe(self, filters: Sequence[str], qos: int) -> int:
        self.subscriptions.update(filters)
        room = min(self.limit, 1020 if qos else 10**9)
        for each in filters:
            for topic, body in list(self.retained.items()):
                if room and all(a in ("+", b) for a, b in zip(each.split("/"), topic.split("/"), strict=False)):
                    room -= each.endswith("/state")
                    if each.endswith("/state"):
                        site, device, _ = self.overview.ledger.split_topic(topic)
                        self.fetch.note(site, device)
                        self.overview.feed(topic, body, retained=True)
        self.subscribed += 1
        return self.subscribed

    def granted(self, subscription: int) -> bool | None:
        return True

    def unsubscribe(self, filters: Sequence[str]) -> None:
        self.subscriptions.difference_update(filters)

    def settle(self) -> None:
        if not self.subscriptions:
            self.connect()
        self.fetch.step()
        wait_until(lambda: (self.fetch.step(), self.fetch.settled)[1], 60)

    def tell_health(self, number: int, site_size: int) -> None:
        device = SimulatedDevice(f"site-{number // site_size}", f"cart-{number}")
        for message in device.health():
            self.overview.feed(message.topic, message.body)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that only brokers of the outside world need are short."""
    monkeypatch.setattr(state_fetch, "UNHEARD_S", 0.0)


@pytest.fixture
def no_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake broker answers at once."""
    monkeypatch.setattr(state_fetch, "QUIET_S", 0.0)


@pytest.mark.parametrize(("devices", "site_size"), [(0, 1), (1, 1), (2000, 50), (1500, 1500), (700, 1)])
def test_a_broker_that_gives_all_is_believed(no_quiet: None, devices: int, site_size: int) -> None:
    broker = FakeBroker(devices, site_size)
    broker.settle()
    assert broker.fetch.certain
    assert len(broker.overview.ledger.devices()) == devices
    assert broker.subscriptions == {all_states(ROOT), f"{ROOT}/+/+/health", f"{ROOT}/+/bridge"}


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "site_size", "limit"), [(2000, 30, 1000), (1200, 1200, 1000)])
def test_what_a_broker_drops_makes_the_list_uncertain(no_quiet: None, devices: int, site_size: int, limit: int) -> None:
    broker = FakeBroker(devices, site_size, limit)
    broker.settle()
    known = len(broker.overview.ledger.devices())
    assert limit <= known < devices
    assert not broker.fetch.certain or site_size == devices, "one site larger than any queue: health tells, see below"
    for number in range(devices):  # those that are there are heard
        broker.tell_health(number, site_size)
    broker.fetch.settled = False
    broker.settle()
    assert not broker.overview.without_state(0.0), "each was asked for by its own topic"
    assert len(broker.overview.ledger.devices()) == devices
    assert not broker.fetch.certain, "all that are there, but who knows of the others?"


def test_a_device_known_by_its_health_alone_is_asked_for_once(no_quiet: None) -> None:
    broker = FakeBroker(3, 3)
    state = broker.retained.pop(f"{ROOT}/site-0/cart-1/state")
    broker.settle()
    broker.tell_health(1, 3)
    broker.settle()
    assert broker.overview.without_state(0.0) == [("site-0", "cart-1")]
    assert broker.fetch.certain, "the broker has none"
    broker.retained[f"{ROOT}/site-0/cart-1/state"] = state
    broker.session += 1
    broker.connect()
    broker.settle()
    assert broker.overview.without_state(0.0) == []


@pytest.mark.parametrize(("lost", "certain"), [(1, True), (10**6, False)])
def test_an_answer_that_the_broker_drops_is_asked_for_again_and_makes_the_list_uncertain(
    no_quiet: None, monkeypatch: pytest.MonkeyPatch, lost: int, certain: bool
) -> None:
    """Each first answer is lost, until ``lost`` are."""
    monkeypatch.setattr(state_fetch, "ANSWER_S", 0.01)
    broker = FakeBroker(30, 10)
    dropped: set[int] = set()

    def granted(number: int) -> bool | None:
        if number - 1 not in dropped and len(dropped | {number}) <= lost:
            dropped.add(number)
            return None
        return True

    monkeypatch.setattr(broker, "granted", granted)
    broker.settle()
    assert broker.fetch.certain == certain
    assert len(broker.overview.ledger.devices()) == 30


def test_after_a_new_connection_or_dropped_messages_all_are_fetched_again(no_quiet: None) -> None:
    broker = FakeBroker(100, 10)
    broker.settle()
    for seen in (1, 2):
        broker.retained |= FakeBroker(100 + 10 * seen, 10).retained
        if seen == 1:
            broker.session += 1
            broker.connect()
        else:
            broker.dropped += 7
        broker.settle()
        assert len(broker.overview.ledger.devices()) == 100 + 10 * seen
        assert broker.fetch.certain


@pytest.fixture
def two_thousand(broker: Mosquitto) -> Iterator[Simulation]:
    """Simulated devices on a mosquitto with its defaults, whose states it retains."""
    simulation = Simulation(SinkSettings(uri=broker.uri), 2000, rate=0.1)
    for number, device in enumerate(simulation.devices):
        simulation._publish(number, device.state())
    simulation.flush()
    yield simulation
    simulation.close()


@pytest.mark.broker
@pytest.mark.slow
def test_two_thousand_devices_on_a_broker_with_its_defaults(
    broker: Mosquitto, two_thousand: Simulation, capfd: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    playing = threading.Thread(target=two_thousand.run, args=(300.0, stop))
    playing.start()
    try:
        assert run(["fleet", "watch", "--broker", broker.uri, "--once", "--timeout", "120"]) == 0
        assert "\n2000 devices: 2000 online; 0 missing" in capfd.readouterr().out
    finally:
        stop.set()
        playing.join(60)


@pytest.mark.broker
@pytest.mark.slow
def test_states_alone_are_all_found_and_called_unknown_and_what_is_cut_short_at_least(
    broker: Mosquitto, two_thousand: Simulation, capfd: pytest.CaptureFixture[str]
) -> None:
    watch = FleetWatch(SinkSettings(uri=broker.uri))
    try:
        assert watch.receive_until(lambda: watch.states.settled, 60)
        assert watch.all_listed
        assert len(watch.overview.rows()) == 2000
        assert {row.state for row in watch.overview.rows()} <= {"unknown", "silent"}
    finally:
        watch.close()
    assert run(["fleet", "watch", "--broker", broker.uri, "--once", "--timeout", "0.1"]) == 1
    said = capfd.readouterr()
    assert "at least " in said.out.splitlines()[-1] or "no device was heard" in said.err


@pytest.mark.broker
@pytest.mark.slow
def test_of_states_too_large_for_a_broker_a_part_is_never_called_the_whole(broker: Mosquitto) -> None:
    """Mosquitto drops at QoS 0, too, when its packets are not taken fast enough, and its own answers with them."""
    publisher = ConsumerConnection(SinkSettings(uri=broker.uri))
    state = msgspec.json.decode(SimulatedDevice("site-1", "cart-x").state()[0].body) | {"version": "x" * 20_000}
    body = msgspec.json.encode(state)
    for number in range(1500):
        name = f"cart-{number}"
        topic = f"{ROOT}/site-{number // 50}/{name}/state"
        publisher.publish(topic, body.replace(b'"cart-x"', f'"{name}"'.encode()), retain=True)
    assert publisher.drain(60)
    publisher.close()
    watch = FleetWatch(SinkSettings(uri=broker.uri))
    try:
        assert watch.receive_until(lambda: watch.states.settled, 120)
        assert not watch.all_listed or len(watch.overview.rows()) == 1500
    finally:
        watch.close()


@pytest.mark.broker
@pytest.mark.slow
def test_json_of_a_part_exits_with_an_error_too(
    broker: Mosquitto, two_thousand: Simulation, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["fleet", "watch", "--broker", broker.uri, "--json", "--timeout", "0.1"])
    said = capfd.readouterr()
    assert code == 1
    assert all(json.loads(line)["state"] == "unknown" for line in said.out.splitlines())
    assert "at least" in said.err or "no device was heard" in said.err


def test_more_devices_than_are_watched_are_no_whole_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "DEVICES_LIMIT", 3)
    overview = FleetOverview(ROOT)
    for number in range(4):
        device = SimulatedDevice("site-1", f"cart-{number}")
        assert overview.ledger.full is False
        overview.feed(device.topics.full("state"), device.state()[0].body, retained=True)
    assert overview.ledger.full
    assert len(overview.ledger.devices()) == 3
