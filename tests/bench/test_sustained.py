"""Sustained runs, minute by minute beside the sensors; what has no sensor is not measured, never zero."""

from __future__ import annotations

import numpy as np
import pytest
from timed_frames import samples_of

from edge.bench.sustained import SensorLog, by_minute
from edge.bench.text_report import report_lines
from edge.device.sensors import Readings

BEGAN_S = 1000.0


def test_each_minute_has_its_own_frames_and_failures() -> None:
    words = ["finding"] * 150 + ["no_result: runtime_hung"] * 6 + ["finding"] * 144
    minutes = by_minute(samples_of([5.0] * 120 + [9.0] * 180, words, step_s=0.5), "result", BEGAN_S, [])
    assert [one.minute for one in minutes] == [1, 2, 3]
    assert [one.frames for one in minutes] == [120, 114, 60]
    assert [one.failed for one in minutes] == [0, 6, 0]
    assert [one.p50.value for one in minutes] == [5.0, 9.0, 9.0]
    assert minutes[1].fps == pytest.approx(1.9)
    assert minutes[2].seconds == pytest.approx(29.5)


def test_sensors_are_told_at_their_worst() -> None:
    readings = [
        (BEGAN_S + 5, Readings(temperature_c=50.0, clock_mhz=1800.0, governor="ondemand", throttled=False)),
        (BEGAN_S + 65, Readings(temperature_c=70.0, clock_mhz=1500.0, governor="ondemand", throttled=False)),
        (BEGAN_S + 95, Readings(temperature_c=82.0, clock_mhz=600.0, governor="ondemand", throttled=True, power_w=6.0)),
    ]
    first, second = by_minute(samples_of([5.0] * 240, step_s=0.5), "result", BEGAN_S, readings)
    assert (first.temperature_c, first.clock_mhz, first.throttled, first.power_w) == (50.0, 1800.0, False, None)
    assert (second.temperature_c, second.clock_mhz, second.throttled, second.power_w) == (82.0, 600.0, True, 6.0)
    assert second.under_voltage is None


def test_without_sensors_the_table_says_so(report) -> None:
    import msgspec

    samples = samples_of([5.0] * 240, step_s=0.5)
    minutes = by_minute(samples, "result", BEGAN_S, [(BEGAN_S + 5, Readings())])
    shown = "\n".join(
        report_lines(msgspec.structs.replace(report(np.full(240, 5.0)), kind="sustained", minutes=minutes))
    )
    for what in ("governor", "throttled", "under-voltage", "temperature", "clock", "power"):
        assert f"{what}: not measured" in shown
    assert " 0.0 " not in shown[shown.index("minute  frames/s") :]


def test_nothing_measured_is_no_minute() -> None:
    assert by_minute(samples_of([]), "result", BEGAN_S, []) == []


def test_the_log_looks_at_once_and_ends() -> None:
    with SensorLog() as log:
        pass
    assert len(log.readings) == 1
