"""One message that cannot be read costs itself: the watch goes on, and says how many there were."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from brokers import wait_until
from device_messages import DeviceMessages
from hostile_bytes import HOSTILE, NOT_UTF8
from paho.mqtt.client import MQTTMessage

from edge.cli.main import run
from edge.config.settings import SinkSettings
from edge.fleet.consumer_connection import BODY_LIMIT, ConsumerConnection
from edge.fleet.device_table import COLUMNS, cell_texts, plain_table, summary_line
from edge.fleet.fleet_overview import FleetOverview
from edge.fleet.fleet_watch import FleetWatch
from edge.fleet.ledger import Arrival, RejectedCounts
from edge.fleet.received_queue import ReceivedQueue
from edge.fleet.simulated_device import SimulatedDevice
from edge.schema import examples

if TYPE_CHECKING:
    from brokers import Mosquitto, Subscriber

POISON = {
    "edge/v1/sim-1/cart-0001/state": NOT_UTF8,
    "edge/v1/sim-1/cart-0001/findings/cart": b"[" * 100_000,
    "edge/v1/sim-1/cart-9/health": b'{"device":"\xed\xa0\x80"}',
    "edge/v1/Clinic A/cart/state": b"{}",
}
"""Retained at the broker: of a device that lives, of one that nothing else is heard of, and of no device at all."""


def overview_messages(overview: FleetOverview) -> DeviceMessages:
    return DeviceMessages(overview)  # type: ignore[arg-type]  # feeds it as it would a ledger


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("suffix", ["health", "findings/cart", "coverage/cart"])
def test_it_is_counted_for_the_device_of_its_topic(suffix: str, body: bytes) -> None:
    overview = FleetOverview()
    device = overview_messages(overview)
    device.state(3)
    assert overview.feed(f"edge/v1/clinic-a/cart-7/{suffix}", body) is Arrival.UNREADABLE
    assert overview.feed(f"edge/v1/clinic-a/other/{suffix}", body, retained=True) is Arrival.UNREADABLE
    device.health(3)
    assert overview.all_healths_known(), "nobody waits for a device of which nothing can be read"
    shown, unknown = overview.rows()
    assert (shown.state, shown.unreadable) == ("online", 1)
    assert (unknown.device, unknown.state, unknown.unreadable) == ("other", "unknown", 1)
    assert dict(zip(COLUMNS, cell_texts(shown), strict=True))["anomalies"] == "1 unreadable"
    assert summary_line([shown]).endswith("; 1 unreadable message")
    assert plain_table(overview.rows(), 1).endswith("; 3 unreadable messages")


def test_what_only_the_table_cannot_read_is_counted_too_and_nobody_waits_for_it() -> None:
    overview = FleetOverview()
    device = overview_messages(overview)
    device.state(3)
    head = {"device": "cart-7", "schema": "health/1"}
    overview.feed("edge/v1/clinic-a/cart-7/health", msgspec.json.encode(head | {"fps": "fast"}))
    (row,) = overview.rows()
    assert (row.unreadable, row.fps) == (1, None)
    assert overview.all_healths_known()


def test_all_anomalies_are_shown_and_a_long_cell_is_cut() -> None:
    overview = FleetOverview()
    device = overview_messages(overview)
    device.finding(1)
    device.finding(1, malignancy=0.125)
    device.finding(2, device="cart-8")
    device.state(3, expired=[(1, 1 << 60)], reasons=["x" * 200] * 50)
    device.health(3, fps=1e308)
    (row,) = overview.rows()
    assert dict(zip(COLUMNS, cell_texts(row), strict=True))["anomalies"] == "1 conflicting, 1 implausible, 1 foreign"
    assert max(len(cell) for cell in cell_texts(row)) <= 120
    assert summary_line([row]).endswith("; 1 conflicting message; 1 implausible message; 1 foreign message")
    line = json.loads(msgspec.json.encode(row))
    assert [line[name] for name in ("unreadable", "conflicting", "implausible", "foreign")] == [0, 1, 1, 1]


def test_what_a_device_gave_up_is_shown() -> None:
    overview = FleetOverview(whole=True)
    overview_messages(overview).state(10, expired=[(1, 4)])
    assert "1 device: 1 online; 5 missing, 0 repaired, 4 expired" in plain_table(overview.rows())


def test_a_topic_that_is_not_utf8_or_a_body_that_is_too_long_does_not_end_the_receiving_thread() -> None:
    connection: Any = SimpleNamespace(_received=ReceivedQueue())
    overview = FleetOverview()
    for topic, body in (
        (b"edge/v1/s/cart-\xff/state", msgspec.json.encode(examples.state())),
        (b"edge/v1/s/cart-7/findings/\xed\xa0\x80", b"{}"),
        (b"edge/v1/s/cart-7/health", b" " * (BODY_LIMIT + 1)),
    ):
        message = MQTTMessage(topic=topic)
        message.payload = body
        ConsumerConnection._on_message(connection, None, None, message)  # type: ignore[arg-type]
        (received,) = connection._received.take(0)
        assert overview.feed(received.topic, received.body) is Arrival.UNREADABLE
    assert overview.unassigned() == 1
    assert [(row.device, row.unreadable) for row in overview.rows()] == [("cart-7", 2)]


@pytest.fixture
def poisoned(broker: Mosquitto, subscriber: Subscriber) -> SimulatedDevice:
    """A broker that keeps `POISON`, and a device of it; its state came first, so the poison is in its place."""
    device = SimulatedDevice("sim-1", "cart-0001")
    for message in device.state():
        subscriber.publish(message.topic, message.body, retain=True)
    for topic, body in POISON.items():
        subscriber.publish(topic, body, retain=True)
    return device


@pytest.mark.broker
@pytest.mark.slow
def test_a_poisoned_retained_message_does_not_end_a_watch(
    broker: Mosquitto, subscriber: Subscriber, poisoned: SimulatedDevice
) -> None:
    watch = FleetWatch(SinkSettings(uri=broker.uri))
    try:
        overview = watch.overview
        assert watch.receive_until(lambda: sum(row.unreadable for row in overview.rows()) == 3, 10)
        assert watch.receive_until(lambda: overview.unassigned() == 1, 10)
        for message in (*poisoned.state(), *poisoned.health(), *poisoned.produce(), *poisoned.produce()):
            subscriber.publish(message.topic, message.body, retain=message.retain)
        assert watch.receive_until(lambda: overview.rows()[0].received == 2, 10)
        assert watch.receive_until_complete(10)
        assert watch.connection.connected
        assert overview.ledger.rejected()["sim-1", "cart-9"] == RejectedCounts(unreadable=1)
    finally:
        watch.close()


@pytest.mark.broker
@pytest.mark.slow
@pytest.mark.parametrize("how", ["--once", "--json"])
def test_the_commands_say_how_many_could_not_be_read(
    broker: Mosquitto,
    subscriber: Subscriber,
    poisoned: SimulatedDevice,
    how: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    subscriber.publish(
        "edge/v1/sim-1/cart-0002/state", poisoned.state()[0].body.replace(b"cart-0001", b"cart-0002"), True
    )
    assert run(["fleet", "watch", "--broker", broker.uri, how, "--timeout", "4"]) == 1, "none was heard"
    said = capsys.readouterr()
    if how == "--once":
        assert "3 devices: 3 unknown; 0 missing, 0 repaired; 4 unreadable messages" in said.out
        return
    rows = {row["device"]: row for row in map(json.loads, said.out.splitlines())}
    assert {name: (row["state"], row["unreadable"]) for name, row in rows.items()} == {
        "cart-0001": ("unknown", 2), "cart-0002": ("unknown", 0), "cart-9": ("unknown", 1),
    }  # fmt: skip
    assert "4 unreadable messages" in said.err


@pytest.mark.broker
@pytest.mark.slow
def test_the_live_table_goes_on(broker: Mosquitto, subscriber: Subscriber, poisoned: SimulatedDevice) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-m", "edge.cli.main", "fleet", "watch", "--broker", broker.uri]
    environment = {**os.environ, "COLUMNS": "200", "LINES": "30", "TERM": "xterm"}
    with subprocess.Popen(command, stdin=side, stdout=side, env=environment) as live:
        os.close(side)
        shown = bytearray()
        wait_until(lambda: shown.extend(os.read(main, 65536)) or b"4 unreadable messages" in shown, 30)
        for body in (NOT_UTF8, HOSTILE["nested lists"]):
            subscriber.publish("edge/v1/sim-1/cart-0001/state", body, True)
        for message in (*poisoned.state(), *poisoned.health()):
            subscriber.publish(message.topic, message.body)
        wait_until(lambda: shown.extend(os.read(main, 65536)) or b"6 unreadable messages" in shown, 30)
        wait_until(lambda: shown.extend(os.read(main, 65536)) or b"1 online" in shown, 30)
        live.send_signal(signal.SIGINT)
        wait_until(lambda: drained(main) or live.poll() is not None, 10)
        assert live.wait(10) == 0
    os.close(main)


def drained(terminal: int) -> bool:
    """Whether the other end has closed; reads what it still says, so that it is not held up."""
    try:
        return not os.read(terminal, 65536)
    except OSError:
        return True
