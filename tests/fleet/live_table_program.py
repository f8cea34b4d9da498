"""Program for tests: the live table of simulated rows, without a broker.

Command line: number of devices, ``short`` or ``long`` names, ``fail`` for a fault after a second. Device 3 is
the worst. What it prints at its end, ``told: …``, shows that it was unwound.
"""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
from fleet_rows import make_row

from edge.fleet.live_table import open_console, show_live
from edge.fleet.table_view import TableView

if TYPE_CHECKING:
    from edge.fleet.fleet_overview import DeviceRow


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
