"""The live table. The only module that needs rich (the extra ``fleet``)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from edge.fleet.table import COLUMNS, cells, choose, summary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from edge.fleet.watch import Watch

EVERY_S = 0.5
FRAME_LINES = 6
"""Lines that are no rows: title, head, rules, a line left for the cursor."""
COLOURS = {"online": "green", "degraded": "yellow", "offline": "red", "unknown": "dim"}


def console() -> Console:
    """This terminal. Raises `UsageError` if rich is not installed, or stdout is no terminal."""
    try:
        from rich.console import Console
    except ImportError:
        raise UsageError(
            "the live table needs rich, which is not installed",
            hint="pip install 'sonoedge[fleet]', or use --once or --json",
        ) from None
    found = Console()
    if not found.is_terminal:
        raise UsageError("the live table needs a terminal", hint="use --once or --json")
    return found


def show(watch: Watch, console: Console, text: str, column: str, ask: bool) -> None:
    """Draw on ``console`` until interrupted. ``text`` and ``column``: see `choose`; ``ask``: see `Watch.ask`."""
    from rich.live import Live

    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            deadline = time.monotonic() + EVERY_S
            while (left := deadline - time.monotonic()) > 0:
                watch.turn(left)
            if ask:
                watch.ask_if_due()
            live.update(draw(watch, text, column, max(1, console.height - FRAME_LINES)), refresh=True)


def draw(watch: Watch, text: str, column: str, lines: int) -> Table:
    """The table, cut to ``lines`` rows: drawing hundreds that nobody sees would take longer than a turn."""
    from rich.table import Table
    from rich.text import Text

    rows = watch.overview.rows()
    chosen = choose(rows, text, column)
    hidden = len(chosen) - lines
    table = Table(
        title=summary(rows) + ("" if watch.link.connected else "; connection to the broker lost"),
        caption=f"{hidden} more: --filter, --sort" if hidden > 0 else None,
        expand=True,
    )
    for name in COLUMNS:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for row in chosen[:lines]:
        # Text, not str: brackets in what a device says are no markup.
        table.add_row(*(Text(cell, style=COLOURS[row.state] if i == 2 else "") for i, cell in enumerate(cells(row))))
    return table
