"""Clock of the simulation: stands for the modules ``time`` and ``uuid``, and moves only when something is charged."""

from __future__ import annotations

import random
import time
import uuid
from datetime import datetime, timezone

WALL_AT_START = 1_767_225_600.0
"""Wall clock at the beginning of a schedule: 2026-01-01."""
START = 1000.0
"""Monotonic clock at the beginning of a schedule."""


class SimulatedTime:
    """Stands for the module ``time`` in the product's modules; ``now`` is set by whoever runs the schedule."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin another schedule."""
        self.now = START
        self.booted_at = START - 50.0
        self.boots = 1

    def reboot(self, off_s: float) -> None:
        """The machine was off for so long: another boot, whose uptime begins anew."""
        self.now += off_s
        self.booted_at = self.now
        self.boots += 1

    def boot_id(self) -> str:
        """Id of this boot, as the kernel gives one."""
        return f"boot-{self.boots}"

    def monotonic(self) -> float:
        """Stand for ``time.monotonic``."""
        return self.now

    def monotonic_ns(self) -> int:
        """Stand for ``time.monotonic_ns``."""
        return int(self.now * 1e9)

    def time(self) -> float:
        """Stand for ``time.time``."""
        return WALL_AT_START + self.now

    def clock_gettime(self, clock: int) -> float:
        """Stand for ``time.clock_gettime``, of the clock that nobody can set."""
        return self.now - self.booted_at

    def sleep(self, seconds: float) -> None:
        """Stand for ``time.sleep``: it takes no time of ours."""
        self.now += seconds


class SimulatedSystemClock:
    """The device's clock, as envelopes use it; always right."""

    def __init__(self, simulated: SimulatedTime) -> None:
        self._time = simulated

    def monotonic_ns(self) -> int:
        """Implement `Clock.monotonic_ns`."""
        return self._time.monotonic_ns()

    def utc(self) -> str:
        """Implement `Clock.utc`."""
        moment = datetime.fromtimestamp(self._time.time(), timezone.utc)
        return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")

    def synced(self) -> bool:
        """Implement `Clock.synced`: a time service is always there."""
        return True


class SeededUuids:
    """Stands for the module ``uuid``: the same identifiers at each run of one schedule."""

    def __init__(self) -> None:
        self.random = random.Random(0)

    def uuid4(self) -> uuid.UUID:
        """Stand for ``uuid.uuid4``."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)
