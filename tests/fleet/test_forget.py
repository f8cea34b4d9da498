"""``edge-cli fleet forget`` deletes what a broker retains, after asking; ``edge-cli simulate`` leaves nothing."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import Subscriber, wait_until

from edge.cli.main import run
from edge.fleet.simulated_device import SimulatedDevice
from edge.schema import examples

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto

pytestmark = pytest.mark.broker
NAMES = [("clinic-a", "cart-1"), ("clinic-a", "cart-2"), ("clinic-b", "cart-1")]


def retained(broker: Mosquitto) -> set[str]:
    """Topics that the broker retains a message on."""
    one = Subscriber(broker.port)
    try:
        one.publish("edge/v1/marker", b"end")  # comes behind what is retained
        wait_until(lambda: one.on("marker"))
        return {heard.topic for heard in one.heard if heard.retain}
    finally:
        one.close()


@pytest.fixture
def fleet(broker: Mosquitto, subscriber: Subscriber) -> set[str]:
    """Topics that are retained: the states of `NAMES`, what cannot be read, a finding, and a bridge's note."""
    for site, device in NAMES:
        for message in SimulatedDevice(site, device).state():
            subscriber.publish(message.topic, message.body, retain=True)
    finding = msgspec.json.encode(examples.finding())
    subscriber.publish("edge/v1/clinic-a/cart-1/findings/cart", finding, retain=True)
    subscriber.publish("edge/v1/clinic-b/cart-9/state", b"\xff", retain=True)
    subscriber.publish("edge/v1/clinic-b/bridge", b"0", retain=True)
    before = retained(broker)
    assert len(before) == 6
    return before


@pytest.mark.parametrize(
    ("pattern", "deleted"),
    [
        ("clinic-a/cart-1", {"clinic-a/cart-1/state", "clinic-a/cart-1/findings/cart"}),
        ("cart-1", {"clinic-a/cart-1/state", "clinic-a/cart-1/findings/cart", "clinic-b/cart-1/state"}),
        ("clinic-b/cart-*", {"clinic-b/cart-1/state", "clinic-b/cart-9/state"}),
        ("clinic-b/bridge", {"clinic-b/bridge"}),
        ("*/cart-?", {*(f"{site}/{device}/state" for site, device in NAMES), "clinic-a/cart-1/findings/cart",
                      "clinic-b/cart-9/state"}),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_what_matches_is_deleted_and_nothing_else(
    broker: Mosquitto, fleet: set[str], pattern: str, deleted: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fleet", "forget", "--broker", broker.uri, pattern, "--yes"]) == 0
    assert fleet - retained(broker) == {f"edge/v1/{each}" for each in deleted}
    assert "forgotten" in capsys.readouterr().out


@pytest.mark.slow
def test_it_shows_what_it_would_do_and_asks(
    broker: Mosquitto, fleet: set[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for answer, code in (("", 2), ("n\n", 1), ("\n", 1), ("y\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        assert retained(broker) == fleet
        assert run(["fleet", "forget", "--broker", broker.uri, "clinic-a/*"]) == code
        shown = capsys.readouterr().out
        assert "clinic-a/cart-1  last said online  2 retained messages" in shown
        assert "clinic-a/cart-2  last said online  1 retained message\n" in shown
        assert "clinic-b" not in shown
    assert len(fleet - retained(broker)) == 3


@pytest.mark.slow
def test_of_many_a_summary_and_the_first_are_shown(
    broker: Mosquitto, subscriber: Subscriber, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        device = SimulatedDevice("clinic-a", f"cart-{number:02d}")
        body = device.state("offline" if number < 10 else "online")[0].body
        subscriber.publish(f"edge/v1/clinic-a/cart-{number:02d}/state", body, retain=True)
    assert run(["fleet", "forget", "--broker", broker.uri, "*", "--yes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "30 devices, 30 retained messages: 20 last said online, 10 last said offline"
    assert lines[1] == "clinic-a/cart-00  last said offline  1 retained message"
    assert lines[21:] == ["and 10 more; a narrower pattern shows them", "30 forgotten"]
    assert retained(broker) == set()


@pytest.mark.slow
def test_what_matches_nothing_or_is_no_pattern_is_said(
    broker: Mosquitto, fleet: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for pattern, code, words in (
        ("clinic-c/*", 1, "nothing is retained of a device clinic-c/*"),
        ("a/b/c", 2, "is no pattern of devices"),
        ("/cart-1", 2, "is no pattern of devices"),
        ("clinic-a/", 2, "is no pattern of devices"),
    ):
        assert run(["fleet", "forget", "--broker", broker.uri, pattern, "--yes"]) == code
        assert words in capsys.readouterr().err
    assert retained(broker) == fleet


@pytest.mark.slow
def test_what_a_broker_does_not_let_us_delete_is_said(
    mosquitto: Callable[..., Mosquitto], capsys: pytest.CaptureFixture[str]
) -> None:
    acl = "topic read edge/v1/#\ntopic write edge/v1/+/+/findings/#\n"
    broker = mosquitto(acl="topic readwrite #\n")
    one = Subscriber(broker.port)
    for message in SimulatedDevice("clinic-a", "cart-1").state():
        one.publish(message.topic, message.body, retain=True)
    one.close()
    (broker._config.parent / "acl").write_text(acl)
    os.kill(broker.pid, signal.SIGHUP)  # it reads its access list anew

    def denied() -> bool:
        return run(["fleet", "forget", "--broker", broker.uri, "cart-1", "--yes"]) == 6

    assert denied()
    assert "something is still retained (clinic-a/cart-1, …)" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, None])
def test_a_simulation_leaves_nothing_at_the_broker(broker: Mosquitto, how: signal.Signals | None) -> None:
    command = [sys.executable, "-m", "edge.cli.main", "simulate", "--broker", broker.uri, "--devices", "60"]
    seconds = "1" if how is None else "60"
    with subprocess.Popen([*command, "--seconds", seconds, "--faults"], stdout=subprocess.DEVNULL) as simulation:
        wait_until(lambda: simulation.poll() is not None or len(retained(broker)) == 60, 30)
        if how is not None:
            simulation.send_signal(how)
        assert simulation.wait(30) == 0
    assert retained(broker) == set()
