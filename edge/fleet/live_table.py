"""Live table of devices on a terminal. The only module that needs rich (the extra ``fleet``)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from edge.fleet.device_table import COLUMNS, cell_texts, filter_and_sort, summary_line
from edge.process.install import install_command

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edge.fleet.fleet_watch import FleetWatch

EVERY_S = 0.5
"""Seconds between two drawings."""
FRAME_LINES = 6
"""Lines that are no rows: title, head, rules, a line left for the cursor."""
COLOURS = {"online": "green", "degraded": "yellow", "offline": "red", "unknown": "dim"}


def open_console() -> Console:
    """Rich's console for this terminal. Raises `UsageError` if rich is not installed, or stdout is no terminal."""
    try:
        from rich.console import Console
    except ImportError:
        raise UsageError(
            "the live table needs rich, which is not installed",
            hint=f"{install_command('fleet')}, or use --once or --json",
        ) from None
    found = Console()
    if not found.is_terminal:
        raise UsageError("the live table needs a terminal", hint="use --once or --json")
    return found


def show_live(watch: FleetWatch, console: Console, text: str, column: str, ask: bool) -> None:
    """Draw the table on ``console`` until interrupted.

    ``text`` and ``column``: see `filter_and_sort`; ``ask``: see `FleetWatch.request_missing`.
    """
    from rich.live import Live

    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            deadline = time.monotonic() + EVERY_S
            while (left := deadline - time.monotonic()) > 0:
                watch.process_messages(left)
            if ask:
                watch.request_missing_if_due()
            live.update(draw_table(watch, text, column, max(1, console.height - FRAME_LINES)), refresh=True)


def draw_table(watch: FleetWatch, text: str, column: str, lines: int) -> Table:
    """The table, cut to ``lines`` rows: drawing hundreds that nobody sees would take longer than `EVERY_S`."""
    from rich.table import Table
    from rich.text import Text

    rows = watch.overview.rows()
    chosen = filter_and_sort(rows, text, column)
    hidden = len(chosen) - lines
    table = Table(
        title=summary_line(rows, watch.overview.unassigned())
        + ("" if watch.connection.connected else "; connection to the broker lost"),
        caption=f"{hidden} more: --filter, --sort" if hidden > 0 else None,
        expand=True,
    )
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in chosen[:lines]:
        # Text, not str: brackets in what a device says are no markup.
        table.add_row(
            *(Text(cell, style=COLOURS[row.state] if i == 2 else "") for i, cell in enumerate(cell_texts(row)))
        )
    return table
