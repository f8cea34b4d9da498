"""``edge-cli fleet watch`` and ``edge-cli simulate`` as they are called on the command line."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from brokers import Subscriber, free_port, wait_until

from edge.cli.main import run
from edge.fleet.simulated_device import SimulatedDevice

if TYPE_CHECKING:
    from collections.abc import Callable

    from brokers import Mosquitto


def test_wrong_calls_say_what_is_wrong(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    for args, code, words in (
        (["--broker", nobody, "--once", "--sort", "speed"], 2, "there is no column 'speed'"),
        (["--broker", nobody], 2, "needs a terminal"),
        (["--broker", "jsonl:///f", "--once"], 2, "jsonl:// is no broker"),
        (["--broker", "somewhere", "--once"], 2, "is not a URI"),
        (["--broker", nobody, "--once"], 6, "does not answer"),
        (["--broker", nobody, "--json", "--password-file", "/nonexistent"], 6, "password file"),
    ):
        assert run(["fleet", "watch", *args]) == code
        assert words in capsys.readouterr().err
    assert run(["simulate", "--broker", nobody]) == 6
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert run(["fleet", "watch", "--broker", nobody]) == 2
    assert "[fleet]" in capsys.readouterr().err


@pytest.mark.broker
def test_a_broker_that_refuses_us_is_named(
    mosquitto: Callable[..., Mosquitto], capsys: pytest.CaptureFixture[str]
) -> None:
    broker = mosquitto(users={"somebody": "else"})
    assert run(["fleet", "watch", "--broker", broker.uri, "--once"]) == 6
    assert "refuses: Not authorized" in capsys.readouterr().err


@pytest.mark.broker
def test_simulate_and_watch_on_one_broker(broker: Mosquitto, capfd: pytest.CaptureFixture[str]) -> None:
    """Once as JSON, once live on a terminal of ours; the simulation's own totals at its end."""
    command = [sys.executable, "-m", "edge.cli.main"]
    play = [*command, "simulate", "--broker", broker.uri, "--devices", "4", "--rate", "5", "--seconds", "60"]
    with subprocess.Popen(play, stdout=subprocess.PIPE) as simulation:
        assert (
            run(["fleet", "watch", "--broker", broker.uri, "--json", "--filter", "cart-0002", "--timeout", "20"]) == 0
        )
        (line,) = capfd.readouterr().out.splitlines()
        row = json.loads(line)
        assert (row["site"], row["device"], row["state"]) == ("sim-1", "cart-0002", "online")
        assert row["missing"] == {}

        main, side = pty.openpty()
        watch = [*command, "fleet", "watch", "--broker", broker.uri, "--sort", "missing"]
        environment = {**os.environ, "COLUMNS": "200", "LINES": "30", "TERM": "xterm"}
        with subprocess.Popen(watch, stdin=side, stdout=side, env=environment) as live:
            os.close(side)
            shown = bytearray()
            wait_until(lambda: shown.extend(os.read(main, 65536)) or b"cart-0004" in shown, 30)
            live.send_signal(signal.SIGINT)
            wait_until(lambda: drained(main) or live.poll() is not None, 10)
            assert live.wait(10) == 0
        os.close(main)

        simulation.send_signal(signal.SIGINT)
        out, _ = simulation.communicate(timeout=30)
        totals = json.loads(out)
        assert (totals["devices"], totals["lost"], totals["repeated"]) == (4, 0, 0)
        assert totals["made"] > 0
    assert run(["fleet", "watch", "--broker", broker.uri, "--once", "--timeout", "2"]) == 1, "it cleans up"
    assert "no device was heard within 2 s" in capfd.readouterr().err


@pytest.mark.broker
@pytest.mark.slow
def test_a_device_that_died_with_its_broker_is_silent_once_the_broker_is_back(
    mosquitto: Callable[..., Mosquitto], capfd: pytest.CaptureFixture[str]
) -> None:
    broker = mosquitto(persistence=True)
    publisher = Subscriber(broker.port)
    device = SimulatedDevice("clinic-a", "cart-1")
    told = msgspec.json.decode(device.state()[0].body) | {"health_every_s": 0.5}
    publisher.publish("edge/v1/clinic-a/cart-1/state", msgspec.json.encode(told), retain=True)
    publisher.publish("edge/v1/clinic-a/cart-1/health", device.health()[0].body)
    publisher.publish(
        "edge/v1/clinic-b/cart-2/state", SimulatedDevice("clinic-b", "cart-2").state()[0].body, retain=True
    )
    publisher.publish("edge/v1/clinic-b/bridge", b"0", retain=True)
    publisher.close()
    broker.stop()  # it writes its disk
    broker.start()
    assert run(["fleet", "watch", "--broker", broker.uri, "--json", "--timeout", "60"]) == 1
    rows = {row["device"]: row for row in map(json.loads, capfd.readouterr().out.splitlines())}
    assert {name: (row["state"], row["said"], row["heard"], row["fps"]) for name, row in rows.items()} == {
        "cart-1": ("silent", "online", None, None), "cart-2": ("cut off", "online", None, None),
    }  # fmt: skip
    assert run(["fleet", "watch", "--broker", broker.uri, "--once", "--timeout", "60"]) == 1
    said = capfd.readouterr()
    assert "2 devices: 1 cut off, 1 silent;" in said.out
    assert "not every device shown is there: 1 cut off, 1 silent of 2" in said.err


@pytest.mark.broker
@pytest.mark.parametrize("how", ["--once", "--json"])
def test_what_nobody_heard_is_no_health(
    broker: Mosquitto, subscriber: Subscriber, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what the broker retained; then one that is filtered away; then one that says that it was stopped."""
    for number in (1, 2):
        device = SimulatedDevice("clinic-a", f"cart-{number}")
        body = device.state("online" if number == 1 else "offline")[0].body
        subscriber.publish(f"edge/v1/clinic-a/cart-{number}/state", body, retain=True)
    for more, words in (
        ([], "not every device shown is there: 1 unknown of 2"),
        (["--filter", "nosuch"], "no device is shown: --filter leaves none of 2"),
        (["--filter", "cart-2"], "none of the devices shown (1) was heard"),
    ):
        assert run(["fleet", "watch", "--broker", broker.uri, how, "--timeout", "2.5", *more]) == 1
        assert words in capsys.readouterr().err


def drained(terminal: int) -> bool:
    """Whether the other end has closed; reads what it still says, so that it is not held up."""
    try:
        return not os.read(terminal, 65536)
    except OSError:
        return True
