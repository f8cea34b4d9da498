"""``edge-cli fleet watch`` on a pseudo-terminal, with a real broker."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from terminal_screen import TerminalProgram

from edge.fleet.simulated_device import SimulatedDevice

if TYPE_CHECKING:
    from brokers import Mosquitto, Subscriber

pytest.importorskip("rich")


@pytest.mark.broker
@pytest.mark.slow
def test_a_terminal_gets_a_table_that_fits(broker: Mosquitto, subscriber: Subscriber) -> None:
    """Live with keys; once where the terminal cannot be drawn on; once as plain text of its width."""
    for number in (1, 2):
        device = SimulatedDevice("department-of-radiology-building", f"ultrasound-cart-of-ward-9-00000{number}")
        for message in (*device.state(), *device.health()):
            subscriber.publish(message.topic, message.body, retain=True)
    watch = [sys.executable, "-m", "edge.cli.main", "fleet", "watch", "--broker", broker.uri]
    live = TerminalProgram(watch, 80, 24)
    try:
        live.wait_for(lambda s: "rows 1-2 of 2; worst first" in s.text)
        assert " department-of-radiology-building/" in live.screen.lines
        live.press("\x1b[B\r")
        live.wait_for(lambda s: "department-of-radiology-building/ultrasound-cart-of-ward-9-000002" in s.lines)
        live.press("q")
        assert live.wait_for_end() == 0
        assert live.settings == live.settings_before
    finally:
        live.close()
    for more, environment in ((["--once"], {}), ([], {"TERM": "dumb"}), (["--once"], {"PYTHONIOENCODING": "ascii"})):
        program = TerminalProgram([*watch, *more, "--timeout", "2"], 80, 24, environment)
        try:
            program.wait_for_end()
            assert "\x1b" not in program.screen.raw
            lines = program.screen.raw.replace("\r", "").split("\n")
            assert " department-of-radiology-building/" in lines
            titles = next(line for line in lines if line.startswith(" device "))
            assert titles.split() == ["device", "state", "heard", "fps", "missing"]
            assert ("TERM names no terminal" in program.screen.raw) == bool(environment.get("TERM"))
        finally:
            program.close()
