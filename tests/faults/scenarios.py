"""Which faults go together: a yard's kind, and what may be missing in it before anything is asked for again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from faults import clock
from faults.disk import Damage, DiskFull, ReadOnly
from faults.faults import (
    AclRefuses,
    BrokerAway,
    BrokerFrozen,
    ClockSet,
    ConsumerAway,
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
from faults.loaded_daemon import FRAME, PUBLISHER, RUNTIME

if TYPE_CHECKING:
    from collections.abc import Sequence

KILLS: tuple[Fault, ...] = (KillDaemon(), KillDaemon(), KillChild(FRAME), KillChild(PUBLISHER), KillChild(RUNTIME))
KILLS += (KillSeveral(),) * 5
"""Struck most of the time."""
TMPFS_MB = 512
SHORT_QUEUE = "max_queued_messages 40\nmax_inflight_messages 20\n"


@dataclass(frozen=True)
class Round:
    """``others`` are struck between kills; ``keeps``: nothing may be missing even at first."""

    others: Sequence[Fault]
    keeps: bool
    options: dict[str, Any] = field(default_factory=dict)
    """Of `FaultHarness`."""


def rounds(root: bool) -> dict[str, Round]:
    """By name. ``root``: whether file systems may be mounted."""
    link: list[Fault] = [LinkCut(100), LinkCut(2500), LinkStalled(1.0), LinkStalled(0.7, then_cut=True)]
    link += [LinkStalled(0.5, then_cut=True, answers_only=True), BrokerFrozen(1.0), AclRefuses(1.0), Poisoned()]
    away: list[Fault] = [KillBroker(0.2), KillBroker(1.0), KillBroker(2.5), BrokerAway(0.7)]
    disk: list[Fault] = [DiskFull(1.0), ReadOnly(1.0)] if root else []
    has_clock = clock.compiler() is not None
    damage: list[Fault] = [Damage("truncated"), Damage("bits flipped"), Damage("older copy")]
    damage += [ClockSet()] * 2 if has_clock else []
    return {
        "keeping": Round([*link, *disk, Twin(0.7)], keeps=True, options={"tmpfs_mb": TMPFS_MB if root else 0}),
        "damaged": Round([*damage, LinkCut(900)], keeps=True, options={"with_clock": has_clock}),
        "persistent": Round(away, keeps=False),
        "forgetful": Round(away, keeps=False, options={"persistence": False}),
        "overflowing": Round([ConsumerAway(2.0), LinkCut(900)], keeps=False, options={"broker_lines": SHORT_QUEUE}),
    }
