"""Program for tests: the live table of simulated rows, without a broker.

Command line: number of devices, ``short`` or ``long`` names, ``fail`` for a fault after a second. Device 3 is
the worst. What it prints at its end, ``told: …``, shows that it was unwound.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import msgspec

from edge.fleet.fleet_overview import SEVERITY, DeviceRow
from edge.fleet.last_messages import LastFinding
from edge.fleet.live_table import open_console, show_live
from edge.fleet.table_view import TableView

LONG_SITE, LONG_DEVICE = "department-of-radiology-building", "ultrasound-cart-of-ward-9-"


def make_row(number: int, long_names: bool) -> DeviceRow:
    """The row of one simulated device."""
    state = SEVERITY[1 + number % (len(SEVERITY) - 1)] if number % 10 == 0 else "online"
    state = "silent" if number == 3 else state
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


def main() -> None:
    """Show the table until a key or signal ends it."""
    devices, long_names, fail = int(sys.argv[1]), sys.argv[2] == "long", "fail" in sys.argv
    rows = [make_row(number, long_names) for number in range(1, devices + 1)]
    began = time.monotonic()

    def aged() -> list[DeviceRow]:
        if fail and time.monotonic() - began > 1:
            raise RuntimeError("simulated fault")
        age = time.monotonic() - began
        return [msgspec.structs.replace(row, heard=(row.heard or 0) + age) for row in rows]

    overview = SimpleNamespace(rows=aged, unassigned=lambda: 0)
    watch: Any = SimpleNamespace(
        overview=overview,
        connection=SimpleNamespace(connected=True),
        process_messages=lambda wait_s: 0,
        all_listed=True,
        problems=list,
    )
    console = open_console()
    assert console is not None
    try:
        show_live(watch, console, TableView(), ask=False)
        print("told: left")
    except KeyboardInterrupt:
        print("told: interrupted")
    finally:
        used = time.process_time()
        print(f"told: {used:.2f} s of processor time in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
