"""Long benchmark run, minute by minute, beside the sensors: is it as fast at the end as at the beginning?"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.bench.quantile_intervals import Quantile, nearest_rank, quantile
from edge.device import sensors

if TYPE_CHECKING:
    from types import TracebackType

    from edge.bench.samples import Samples
    from edge.device.sensors import Readings

MINUTE_S = 60.0
SENSOR_PERIOD_S = 5.0
"""Sensors are read so often: a few milliseconds each time, in a thread of its own."""


class MinuteSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Frames, times (in milliseconds) and sensors of one minute; the last one may be shorter.

    None: not measured.
    """

    minute: int
    """From 1."""
    seconds: float
    frames: int
    """Computed to their end."""
    failed: int
    """Refused before the runtime, or without a result."""
    fps: float
    p50: Quantile | None
    p99: Quantile | None
    max: float | None
    temperature_c: float | None
    """Highest seen."""
    clock_mhz: float | None
    """Lowest seen."""
    governor: str | None
    throttled: bool | None
    """At any reading of the sensors in this minute."""
    under_voltage: bool | None
    """At any reading of the sensors in this minute."""
    power_w: float | None
    """Mean."""


class SensorLog:
    """Context manager that reads all sensors every `SENSOR_PERIOD_S`, in a thread of its own."""

    def __init__(self) -> None:
        self.readings: list[tuple[float, Readings]] = []
        """(monotonic time in seconds, what was read)."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sensors", daemon=True)

    def __enter__(self) -> SensorLog:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            self.readings.append((time.monotonic(), sensors.read()))
            if self._stop.wait(SENSOR_PERIOD_S):
                return


def by_minute(
    samples: Samples, span: str, began_s: float, readings: list[tuple[float, Readings]]
) -> list[MinuteSummary]:
    """Summaries of the frames after the warm-up, minute by minute.

    Args:
        samples: of the run.
        span: which times are summarised: ``result`` or ``path``.
        began_s: monotonic time of the first frame's capture, in seconds.
        readings: of the sensors, as `SensorLog.readings` has them.
    """
    steady = samples.rows()
    if not steady.any():
        return []
    captured = np.array(samples.captured_s, np.float64)[steady]
    times = np.array(samples.times[span], np.float64)[steady]
    failed = ~np.array(samples.computed, bool)[steady]
    start = float(captured[0])
    number = ((captured - start) // MINUTE_S).astype(int)
    minutes = []
    for k in range(int(number[-1]) + 1):
        here = number == k
        seconds = MINUTE_S if k < number[-1] else max(1e-3, float(captured[-1]) - start - k * MINUTE_S)
        measured = times[here & ~failed & ~np.isnan(times)]
        first = began_s + start + k * MINUTE_S
        of_minute = [reading for at, reading in readings if first <= at < first + MINUTE_S]
        minutes.append(
            _minute(k + 1, seconds, measured, int((here & ~failed).sum()), int((here & failed).sum()), of_minute)
        )
    return minutes


def _minute(
    number: int,
    seconds: float,
    measured: np.ndarray[tuple[int], np.dtype[np.float64]],
    frames: int,
    failed: int,
    readings: list[Readings],
) -> MinuteSummary:
    def seen(name: str) -> list[float]:
        return [value for reading in readings if (value := getattr(reading, name)) is not None]

    temperatures, clocks, powers = seen("temperature_c"), seen("clock_mhz"), seen("power_w")
    throttled, weak = seen("throttled"), seen("under_voltage")
    governors = sorted({reading.governor for reading in readings if reading.governor is not None})
    ordered = np.sort(measured)
    return MinuteSummary(
        minute=number,
        seconds=round(seconds, 3),
        frames=frames,
        failed=failed,
        fps=round(frames / seconds, 2),
        p50=quantile(measured, 0.5, ordered=ordered) if measured.size else None,
        p99=quantile(measured, 0.99, ordered=ordered) if measured.size else None,
        max=nearest_rank(ordered, 1.0) if measured.size else None,
        temperature_c=max(temperatures) if temperatures else None,
        clock_mhz=min(clocks) if clocks else None,
        governor=",".join(governors) or None,
        throttled=any(throttled) if throttled else None,
        under_voltage=any(weak) if weak else None,
        power_w=round(sum(powers) / len(powers), 2) if powers else None,
    )
