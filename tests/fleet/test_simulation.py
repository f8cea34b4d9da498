"""Five hundred simulated devices over a real broker: the ledger finds exactly what was lost, and has it resent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from edge.config.settings import SinkSettings
from edge.fleet.fleet_overview import count_messages
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.simulation import FaultRates, Simulation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from brokers import Mosquitto

    from edge.fleet.ledger import DeviceLedger
    from edge.fleet.simulated_device import SimulatedDevice

pytestmark = pytest.mark.broker

DEVICES = 500
FAULTS = FaultRates(lost=0.05, repeated=0.05, offline=0.1, back=0.3, restarted=0.5, degraded=0.05)


@pytest.fixture
def settings(mosquitto: Callable[..., Mosquitto]) -> SinkSettings:
    # A broker that throws away what its subscriber is slow to take would lose more than the simulation knows of.
    return SinkSettings(uri=mosquitto(lines="max_queued_messages 0").uri)


@pytest.fixture
def watch(settings: SinkSettings) -> Iterator[FleetWatch]:
    one = FleetWatch(settings, whole=True)
    assert one.receive_until(lambda: one.states.settled, 20), "from here on it receives everything"
    yield one
    one.close()


@pytest.fixture
def simulation(settings: SinkSettings) -> Iterator[Simulation]:
    one = Simulation(settings, DEVICES, rate=1.5, faults=FAULTS, pending=2, seed=7)
    yield one
    one.close()


def pairs(watch: FleetWatch, simulation: Simulation) -> list[tuple[SimulatedDevice, DeviceLedger]]:
    ledgers = watch.overview.ledger.devices()
    return [(each, ledgers[each.topics.site, each.topics.device]) for each in simulation.devices]


def caught_up(watch: FleetWatch, simulation: Simulation) -> bool:
    """Whether as many messages are here as were sent, and each device's last state: it alone tells of a last loss."""
    totals = simulation.totals()
    sent = totals.made - totals.lost - totals.expired + totals.repeated
    rows = watch.overview.rows()
    if sum(row.received + row.duplicates for row in rows) < sent or len(rows) < DEVICES:
        return False
    return all(ledger.next_seq(device.epoch) > device.delivery.made for device, ledger in pairs(watch, simulation))


def test_the_ledger_says_what_the_simulation_did(watch: FleetWatch, simulation: Simulation) -> None:
    playing = threading.Thread(target=lambda: (simulation.run(3.0), simulation.reconnect_all()))
    playing.start()
    watch.receive_until(lambda: not playing.is_alive(), 60)
    playing.join(60)
    totals = simulation.totals()
    assert min(totals.lost, totals.expired, totals.repeated) > 0, totals
    assert watch.receive_until(lambda: caught_up(watch, simulation), 20), totals
    watch.process_messages(0.5)

    for device, ledger in pairs(watch, simulation):
        delivery, epoch = device.delivery, device.epoch
        assert ledger.epochs() == [epoch]
        assert ledger.next_seq(epoch) == delivery.made + 1
        assert ledger.missing().get(epoch, []) == list(delivery.lost)
        assert ledger.expired().get(epoch, []) == list(delivery.expired)
        assert ledger.received(epoch) == delivery.made - delivery.lost.count() - delivery.expired.count()
        assert ledger.duplicates == delivery.repeated
        assert ledger.violations == 0
    # All findings have arrived; the last state of a device may still be on its way.
    assert watch.receive_until(lambda: not [row for row in watch.overview.rows() if row.state == "offline"], 20)
    rows = watch.overview.rows()
    assert {row.device for row in rows if row.state == "degraded"} == {
        device.topics.device for device in simulation.devices if device.degraded
    }

    duplicates = sum(row.duplicates for row in rows)
    assert watch.request_missing() == totals.lost
    for _ in range(200):
        simulation.answer_requests(0.05)
        watch.process_messages(0.05)
        if simulation.totals().resent >= totals.lost and not any(row.missing for row in watch.overview.rows()):
            break
    rows = watch.overview.rows()
    assert sum(count_messages(row.missing) for row in rows) == 0
    for device, ledger in pairs(watch, simulation):
        repaired = [n for first, last in ledger.repaired().get(device.epoch, []) for n in range(first, last + 1)]
        assert {n for first, last in device.delivery.lost for n in range(first, last + 1)} <= set(repaired)
        assert ledger.violations == 0
    assert sum(row.duplicates for row in rows) == duplicates, "what was missing comes once"
    assert simulation.totals().resent == totals.lost


def test_a_few_healthy_devices_miss_nothing_and_a_late_watcher_sees_them_all(settings: SinkSettings) -> None:
    simulation = Simulation(settings, 3, rate=20.0)
    simulation.run(0.5)
    late = FleetWatch(settings)
    try:
        assert not late.receive_until_complete(1.2), "retained states alone are not enough: no health has been told yet"
        assert [row.missing for row in late.overview.rows()] == [{}, {}, {}]
        playing = threading.Thread(target=lambda: (simulation.run(1.0), simulation.reconnect_all()))
        playing.start()
        assert late.receive_until_complete(30)
        assert late.receive_until(lambda: all(row.received for row in late.overview.rows()), 30)
        playing.join(30)
        rows = late.overview.rows()
        assert [(row.device, row.state, row.model, row.missing) for row in rows] == [
            (f"cart-000{n}", "online", rows[0].model, {}) for n in (1, 2, 3)
        ]
        assert all(row.fps is not None and row.last_finding is not None and row.received > 0 for row in rows)
        simulation.publish_offline()
        assert late.receive_until(lambda: {row.state for row in late.overview.rows()} == {"offline"}, 10)
    finally:
        simulation.close()
        late.close()
