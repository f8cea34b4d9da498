"""Fault scenarios: which faults go together, and what may be missing before anything is asked for again."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faults import clock
from faults.disk import Damage, DiskFull, DiskFullWithBacklog, ReadOnly, StartOnFullDisk
from faults.faults import (
    AclRefuses,
    BrokerAway,
    BrokerFrozen,
    ClockSet,
    ConsumerAway,
    DriverStuck,
    Fault,
    KillBroker,
    KillChild,
    KillDaemon,
    KillSeveral,
    LinkCut,
    LinkStalled,
    Poisoned,
    Twin,
)
from faults.input_faults import HostileInput, ModelSwapped
from faults.loaded_daemon import FRAME, PUBLISHER, RUNTIME
from faults.stuck_driver import why_not

if TYPE_CHECKING:
    from collections.abc import Sequence

KILLS: tuple[Fault, ...] = (KillDaemon(), KillDaemon(), KillChild(FRAME), KillChild(PUBLISHER), KillChild(RUNTIME))
KILLS += (KillSeveral(),) * 5
"""Injected most of the time."""
TMPFS_MB = 512
SHORT_QUEUE = "max_queued_messages 40\nmax_inflight_messages 20\n"


@dataclass(frozen=True)
class FaultScenario:
    """Faults of one run: ``others`` come between kills; ``lossless``: nothing may be missing even at first."""

    others: Sequence[Fault]
    lossless: bool
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of `FaultHarness`."""


@functools.cache
def can_stick() -> bool:
    """Whether a process can be made unkillable here."""
    with tempfile.TemporaryDirectory() as folder:
        return why_not(Path(folder)) is None


def fault_scenarios(root: bool) -> dict[str, FaultScenario]:
    """All fault scenarios by name. ``root``: whether file systems may be mounted."""
    link: list[Fault] = [LinkCut(100), LinkCut(2500), LinkStalled(1.0), LinkStalled(0.7, then_cut=True)]
    link += [LinkStalled(0.5, then_cut=True, answers_only=True), BrokerFrozen(1.0), AclRefuses(1.0), Poisoned()]
    away: list[Fault] = [KillBroker(0.2), KillBroker(1.0), KillBroker(2.5), BrokerAway(0.7)]
    disk: list[Fault] = (
        [DiskFull(1.0), DiskFullWithBacklog(3.0, 1.0), StartOnFullDisk(1.0), ReadOnly(1.0)] if root else []
    )
    driver: list[Fault] = [DriverStuck(0.5), DriverStuck(2.0)] * 2 if root and can_stick() else []
    has_clock = clock.compiler() is not None
    damage: list[Fault] = [Damage("truncated"), Damage("bits flipped"), Damage("older copy")]
    damage += [ClockSet()] * 2 if has_clock else []
    return {
        "keeping": FaultScenario(
            [*link, *disk, Twin(0.7)], lossless=True, options={"tmpfs_mb": TMPFS_MB if root else 0}
        ),
        "damaged": FaultScenario([*damage, LinkCut(900)], lossless=True, options={"with_clock": has_clock}),
        "stuck": FaultScenario([*driver, LinkCut(900)], lossless=True, options={"with_driver": bool(driver)}),
        "swapped": FaultScenario([ModelSwapped(), LinkCut(900)], lossless=True, options={"with_model": True}),
        "hostile": FaultScenario([HostileInput(), LinkCut(900)], lossless=True, options={"with_files": True}),
        "persistent": FaultScenario(away, lossless=False),
        "forgetful": FaultScenario(away, lossless=False, options={"persistence": False}),
        "overflowing": FaultScenario(
            [ConsumerAway(2.0), LinkCut(900)], lossless=False, options={"broker_lines": SHORT_QUEUE}
        ),
    }
