"""Health of the machine: reads temperature, clock and voltage sensors; says when they are a reason to be degraded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.device import sensors
from edge.device.sensors import Readings

if TYPE_CHECKING:
    from collections.abc import Callable

READ_EVERY_S = 2.0
"""Heat changes slowly, and reading some sensors asks the firmware."""
HYSTERESIS_C = 3.0
"""Degrees Celsius. What was hot is so until it is so much cooler: a state that flickers tells nobody anything."""
THROTTLED_FLAG = 0x4
"""The firmware's bit for a clock that is held down, for machines without that firmware."""


class MachineHealth:
    """Sensor readings of this machine, for the reasons in `state` and the numbers in `health`."""

    def __init__(self, hot_c: float | None, read_sensors: Callable[[], Readings] = sensors.read) -> None:
        """``hot_c``: see `ThermalSettings`. ``read_sensors`` takes all readings at once."""
        self._hot_c, self._read_sensors = hot_c, read_sensors
        self._readings, self._read_at = Readings(), -READ_EVERY_S
        self._hot = False

    @property
    def readings(self) -> Readings:
        """The latest sensor readings, not older than `READ_EVERY_S`."""
        now = time.monotonic()
        if now - self._read_at >= READ_EVERY_S:
            self._readings, self._read_at = self._read_sensors(), now
        return self._readings

    def reasons(self) -> list[str]:
        """Why the machine is not well: ``hot``, ``throttled``, ``under_voltage``; nothing where no limit is set."""
        if self._hot_c is None:
            return []
        readings = self.readings
        celsius = readings.temperature_c
        if celsius is None or celsius < self._hot_c - HYSTERESIS_C:  # a sensor that has gone silent is no sign of heat
            self._hot = False
        elif celsius >= self._hot_c:
            self._hot = True
        return (
            ["hot"] * self._hot
            + ["throttled"] * bool(readings.throttled)
            + ["under_voltage"] * bool(readings.under_voltage)
        )

    def flags(self) -> int | None:
        """Throttling flags as `Health.throttled` has them; None: no sensor here tells."""
        readings = self.readings
        if readings.flags is not None:
            return readings.flags
        if readings.throttled is None and readings.under_voltage is None:
            return None
        return THROTTLED_FLAG * bool(readings.throttled) | sensors.UNDER_VOLTAGE * bool(readings.under_voltage)
