"""Rows of simulated devices for tests of the fleet's tables; number 3 is the worst."""

from __future__ import annotations

from edge.fleet.fleet_overview import SEVERITY, DeviceRow
from edge.fleet.last_messages import LastFinding

LONG_SITE, LONG_DEVICE = "department-of-radiology-building", "ultrasound-cart-of-ward-9-"


def make_row(number: int, long_names: bool = False) -> DeviceRow:
    """The row of one simulated device."""
    state = SEVERITY[1 + number % (len(SEVERITY) - 1)] if number % 10 == 0 else "online"
    state = "cut off" if number == 3 else state
    gone = state in ("silent", "cut off", "offline")
    return DeviceRow(
        site=LONG_SITE if long_names else f"clinic-{number % 7}",
        device=f"{LONG_DEVICE}{number:06d}" if long_names else f"cart-{number:04d}",
        state=state,
        said="online" if state in ("silent", "cut off") else state,
        reasons=["hot", "dropped_frames", "runtime_fallback"] if state == "degraded" else [],
        heard=75.0 if gone else number % 10 / 2,
        notes=[],
        takes_requests=True,
        model="breast-lesion 0.2.0",
        runtime="litert+xnnpack",
        fps=None if gone else 27.4,
        p99_ms=None if gone else 11.25,
        temperature_c=None if gone else 61.5,
        outbox=None if gone else number % 3,
        last_finding=LastFinding(stream="cart", lifecycle="new", malignancy=0.12, suspicious=False, age_s=12.0),
        received=1000 + number,
        missing={"epoch-a": [(5, 16), (20, 20)]} if number == 3 else {},
        repaired={},
        expired={},
        **dict.fromkeys(
            ("duplicates", "uncompared", "violations", "conflicting", "implausible", "unreadable", "foreign"), 0
        ),
    )
