"""Ranks of devices by how much they need somebody, and whether a list of them is one of healthy devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.fleet.fleet_overview import SEVERITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.fleet.fleet_overview import DeviceRow

STOPPED = ["stopped"]
"""Reasons of a device that was stopped on purpose, and had nothing else to say."""


def stopped_on_purpose(row: DeviceRow) -> bool:
    """Whether a device said that it was stopped, and names no other reason."""
    return row.state == "offline" and row.reasons == STOPPED


def rank(row: DeviceRow) -> int:
    """Place of a row's state, 0 the worst; last are devices stopped on purpose of which nothing is missing."""
    return len(SEVERITY) if stopped_on_purpose(row) and not row.missing else SEVERITY.index(row.state)


def unhealthy_counts(rows: Sequence[DeviceRow]) -> dict[str, int]:
    """Numbers of devices that are neither heard and at work nor stopped on purpose, by state, the worst first."""
    states = [row.state for row in rows if row.state not in ("online", "degraded") and not stopped_on_purpose(row)]
    return {state: states.count(state) for state in SEVERITY if state in states}


def any_heard(rows: Sequence[DeviceRow]) -> bool:
    """Whether at least one device has sent a message of its own."""
    return any(row.heard is not None for row in rows)
