"""How the machine under us is: reads the sensors now and then, and knows what of it is a reason to be degraded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.device import sensors
from edge.device.sensors import Readings

if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_EVERY_S = 2.0
"""Heat changes slowly, and reading some sensors asks the firmware."""
COOLER_C = 3.0
"""What was hot is so until it is so much cooler: a state that flickers tells nobody anything."""
THROTTLED = 0x4
"""The firmware's bit for a clock that is held down, for machines without that firmware."""


class MachineHealth:
    """Sensors of one machine, for `state` and `health`."""

    def __init__(self, hot_c: float | None, look: Callable[[], Readings] = sensors.read) -> None:
        """``hot_c``: see `ThermalSettings`."""
        self._hot_c, self._look = hot_c, look
        self._readings, self._looked_at = Readings(), -LOOK_EVERY_S
        self._hot = False

    @property
    def readings(self) -> Readings:
        """Not older than `LOOK_EVERY_S`."""
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._readings, self._looked_at = self._look(), now
        return self._readings

    def reasons(self) -> list[str]:
        """Why the machine is not well: ``hot``, ``throttled``, ``under_voltage``; nothing where no limit is set."""
        if self._hot_c is None:
            return []
        readings = self.readings
        celsius = readings.temperature_c
        if celsius is None or celsius < self._hot_c - COOLER_C:  # a sensor that has gone silent tells of no heat
            self._hot = False
        elif celsius >= self._hot_c:
            self._hot = True
        return (
            ["hot"] * self._hot
            + ["throttled"] * bool(readings.throttled)
            + ["under_voltage"] * bool(readings.under_voltage)
        )

    def flags(self) -> int | None:
        """As `Health.throttled` has them. None: nothing here tells."""
        readings = self.readings
        if readings.flags is not None:
            return readings.flags
        if readings.throttled is None and readings.under_voltage is None:
            return None
        return THROTTLED * bool(readings.throttled) | sensors.UNDER_VOLTAGE * bool(readings.under_voltage)
