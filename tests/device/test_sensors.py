"""Sensors of machines that we have not here, from trees that look like theirs; and of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machine_file_trees import CPU, HWMON, THERMAL, jetson_orin_nano, pi_4, pi_5, write_files, x86_cart

from edge.device.sensors import Readings, read

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cool_raspberry_pi_4(tmp_path: Path) -> None:
    assert read(pi_4(tmp_path)) == Readings(
        temperature_c=61.8, clock_mhz=1800.0, governor="ondemand", throttled=False, under_voltage=False, flags=0
    )


def test_a_hot_raspberry_pi_5_on_a_weak_supply(tmp_path: Path) -> None:
    assert read(pi_5(tmp_path)) == Readings(
        temperature_c=82.7, clock_mhz=1500.0, governor="ondemand", throttled=True, under_voltage=True, flags=0x50005
    )


def test_what_was_once_is_not_now(tmp_path: Path) -> None:
    readings = read(pi_4(tmp_path, flags="50000"))
    assert (readings.throttled, readings.under_voltage, readings.flags) == (False, False, 0x50000)


@pytest.mark.parametrize("flags", ["2", "4", "8"])
def test_capped_throttled_and_limited_by_heat_all_hold_the_clock_down(tmp_path: Path, flags: str) -> None:
    assert read(pi_4(tmp_path, flags=flags)).throttled is True


def test_a_jetson_counts_its_power_once_and_has_zones_that_are_off(tmp_path: Path) -> None:
    assert read(jetson_orin_nano(tmp_path)) == Readings(
        temperature_c=49.1,
        clock_mhz=1510.4,
        governor="schedutil",
        throttled=False,
        power_w=6.21,
        power_source="VDD_IN",
    )


def test_an_x86_cart_on_battery_whose_fan_does_not_suffice(tmp_path: Path) -> None:
    assert read(x86_cart(tmp_path)) == Readings(
        temperature_c=72.0,
        clock_mhz=3400.0,
        governor="powersave",
        throttled=True,
        power_w=14.82,
        power_source="battery",
        throttle_events=17,
    )


def test_a_battery_that_is_charged_tells_no_power(tmp_path: Path) -> None:
    write_files(x86_cart(tmp_path), {"sys/class/power_supply/BAT0/status": "Charging"})
    assert read(tmp_path).power_w is None


def test_a_power_meter_of_a_supply_board(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{HWMON}/hwmon3/name": "ina226", f"{HWMON}/hwmon3/power1_input": "7350000"})
    assert (read(tmp_path).power_w, read(tmp_path).power_source) == (7.35, "ina226")


def test_the_power_of_one_part_is_not_the_machines(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{HWMON}/hwmon3/name": "amdgpu", f"{HWMON}/hwmon3/power1_average": "7350000"})
    assert read(tmp_path).power_w is None


def test_a_virtual_machine_has_nothing_and_says_nothing(tmp_path: Path) -> None:
    assert read(tmp_path) == Readings()
    (tmp_path / THERMAL).mkdir(parents=True)
    assert read(tmp_path) == Readings()


def test_the_case_is_better_than_no_temperature(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{THERMAL}/thermal_zone0/type": "acpitz", f"{THERMAL}/thermal_zone0/temp": "41000"})
    assert read(tmp_path).temperature_c == 41.0


@pytest.mark.parametrize("junk", ["", "oops", "9999999", "-274000", "0x", "ÿ"])
def test_what_is_broken_is_not_measured(tmp_path: Path, junk: str) -> None:
    pi_5(tmp_path)
    for name in (
        f"{THERMAL}/thermal_zone0/temp",
        f"{HWMON}/hwmon2/in0_lcrit_alarm",
        f"{CPU}/cpufreq/policy0/scaling_governor",
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
    ):
        (tmp_path / name).write_text("" if junk.lstrip("-").isdigit() else junk)
    (tmp_path / f"{THERMAL}/thermal_zone0/temp").write_text(junk)
    readings = read(tmp_path)
    assert readings.temperature_c is None
    assert (readings.flags, readings.throttled, readings.under_voltage) == (None, None, None)
    assert readings.clock_mhz == 1500.0  # the others still count


def test_a_sensor_that_answers_with_an_error(tmp_path: Path) -> None:
    jetson_orin_nano(tmp_path)
    for zone in (tmp_path / THERMAL).glob("thermal_zone*"):
        (zone / "temp").unlink()
        (zone / "temp").mkdir()  # reading it is an OSError, as of a zone whose part of the chip is off
    assert read(tmp_path).temperature_c is None
    assert read(tmp_path).power_w == 6.21


def test_this_machine_can_be_asked() -> None:
    readings = read()
    assert readings.temperature_c is None or -40 < readings.temperature_c < 150
    assert readings.clock_mhz is None or readings.clock_mhz > 0
