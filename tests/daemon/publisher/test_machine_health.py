"""Machine health: heat, throttling and a weak supply are reasons to be degraded; each ends when it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from brokers import wait_until
from machine_file_trees import pi_4, pi_5, write_files
from publisher_harness import REPORT

from edge.config.settings import ThermalSettings
from edge.daemon.publisher import machine_health
from edge.daemon.publisher.machine_health import MachineHealth
from edge.device import sensors
from edge.device.sensors import Readings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from publisher_harness import PublisherThread


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.setattr(machine_health, "READ_EVERY_S", 0.0)
    return {}


def test_hot_from_the_limit_on_until_it_is_clearly_cooler(figures: dict[str, object]) -> None:
    of = MachineHealth(80.0, lambda: Readings(**figures))  # type: ignore[arg-type]
    told = []
    for celsius in (60.0, 79.9, 80.0, 85.0, 79.0, 77.0, 76.9, 79.9, None, 81.0, None):
        figures["temperature_c"] = celsius
        told.append(of.reasons() == ["hot"])
    assert told == [False, False, True, True, True, True, False, False, False, True, False]


def test_without_a_limit_the_sensors_are_no_reason_but_their_figures_stand() -> None:
    of = MachineHealth(None, lambda: Readings(temperature_c=120.0, throttled=True, under_voltage=True))
    assert of.reasons() == []
    assert (of.readings.temperature_c, of.flags()) == (120.0, 5)


@pytest.mark.parametrize(
    ("readings", "reasons", "flags"),
    [
        (Readings(), [], None),
        (Readings(throttled=False), [], 0),
        (Readings(throttled=True), ["throttled"], 4),
        (Readings(throttled=True, under_voltage=True), ["throttled", "under_voltage"], 5),
        (Readings(throttled=False, under_voltage=False, flags=0x50000), [], 0x50000),
        (Readings(throttled=True, under_voltage=True, flags=0x50005), ["throttled", "under_voltage"], 0x50005),
    ],
)
def test_what_the_board_says(readings: Readings, reasons: list[str], flags: int | None) -> None:
    of = MachineHealth(80.0, lambda: readings)
    assert of.reasons() == reasons
    assert of.flags() == flags


def test_the_sensors_are_not_read_more_often_than_they_change() -> None:
    looks = []
    of = MachineHealth(80.0, lambda: looks.append(1) or Readings(temperature_c=50.0))  # type: ignore[func-returns-value]
    for _ in range(10):
        of.reasons()
        assert of.readings.temperature_c == 50.0
    assert len(looks) == 1


def test_the_publisher_tells_it_in_state_and_health(
    make_publisher: Callable[..., PublisherThread], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = pi_5(tmp_path / "pi")
    monkeypatch.setattr(machine_health, "READ_EVERY_S", 0.1)
    monkeypatch.setattr(MachineHealth.__init__, "__defaults__", (lambda: sensors.read(root),))
    one = make_publisher(thermal=ThermalSettings(hot_c=80.0))
    one.frame_link.report(REPORT)
    one.start()
    wait_until(lambda: one.states() and one.states()[-1].reasons == ["hot", "throttled", "under_voltage"])
    assert one.states()[-1].status == "degraded"
    told = wait_until(lambda: one.bodies("health"))[-1]
    assert (told["temperature_c"], told["throttled"], told["clock_mhz"], told["power_w"]) == (
        82.7,
        0x50005,
        1500.0,
        None,
    )
    pi_4(root, flags="50000")  # 61.8 degrees, a better supply
    write_files(root, {
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "50000",
        "sys/class/hwmon/hwmon2/in0_lcrit_alarm": "0",
    })  # fmt: skip
    wait_until(lambda: one.states()[-1].status == "online")
    wait_until(lambda: one.bodies("health")[-1]["temperature_c"] == 61.8)
