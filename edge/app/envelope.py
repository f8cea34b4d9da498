"""Envelope of every message: device, boot, run, time, and whether the clock is synchronised."""

from __future__ import annotations

import ctypes
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from edge.contracts.ports import Clock

SYNC_CHECK_S = 1.0
"""Seconds for which an answer about the clock's synchronisation holds."""
TIMESYNCD_MARK = Path("/run/systemd/timesync/synchronized")


class EnvelopeFields(TypedDict):
    """The fields of `Envelope`, as keyword arguments: ``Finding(**maker.fields(), …)``."""

    device: str
    boot_id: str
    run_id: str
    mono_ns: int
    at: str
    clock: Literal["synced", "unsynced"]


class SystemClock:
    """This machine's clock; implements `Clock`."""

    def __init__(self) -> None:
        self._synced = False
        self._checked: float | None = None

    def monotonic_ns(self) -> int:
        """Implement `Clock.monotonic_ns`: nanoseconds that never go back."""
        return time.monotonic_ns()

    def utc(self) -> str:
        """Implement `Clock.utc`: RFC 3339 with microseconds and ``Z``."""
        return datetime.now(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def synced(self) -> bool:
        """Implement `Clock.synced`: whether the date can be trusted. Asks the kernel at most once a second."""
        now = time.monotonic()
        if self._checked is None or now - self._checked > SYNC_CHECK_S:
            self._checked = now
            self._synced = kernel_clock_synced() or TIMESYNCD_MARK.exists()
        return self._synced


class EnvelopeMaker:
    """Makes the envelope fields of messages, for one device in one run of the daemon."""

    def __init__(self, device: str, run_id: str, clock: Clock | None = None) -> None:
        self._device = device
        self._run_id = run_id
        self._boot_id = boot_id()
        self._clock: Clock = clock or SystemClock()

    def fields(self) -> EnvelopeFields:
        """Envelope fields of a message that is made now."""
        clock = self._clock
        return EnvelopeFields(
            device=self._device,
            boot_id=self._boot_id,
            run_id=self._run_id,
            mono_ns=clock.monotonic_ns(),
            at=clock.utc(),
            clock="synced" if clock.synced() else "unsynced",
        )


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """The kernel's id of this boot; ``unknown`` where the system has none."""
    try:
        return path.read_text().strip()
    except OSError:
        return "unknown"


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read; the rest is room."""

    _fields_ = [("modes", ctypes.c_uint), ("values", ctypes.c_long * 64)]


def kernel_clock_synced() -> bool:
    """Whether a time service has told the kernel that the clock is right: adjtimex(2) not in state TIME_ERROR."""
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.byref(_Timex())))
    except (OSError, AttributeError):
        return False
    return 0 <= state < 5
