"""Live table of devices on a terminal. The only module that needs rich (the extra ``fleet``)."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from edge.fleet.cell_text import display_width, encodable
from edge.fleet.key_parser import REDRAW
from edge.fleet.table_view import Surroundings, TableView
from edge.fleet.terminal_session import TerminalSession
from edge.process.install import install_command

if TYPE_CHECKING:
    from rich.console import Console

    from edge.fleet.fleet_overview import DeviceRow
    from edge.fleet.fleet_watch import FleetWatch
    from edge.fleet.table_view import Span

EVERY_S = 1.0
"""Seconds between two drawings; a key is answered at once."""
RECEIVE_EVERY_S = 0.1
"""Seconds between two looks at what has come, so that little waits."""
STYLES = {
    "silent": "bold red", "cut off": "bold magenta", "offline": "red", "degraded": "yellow", "unknown": "dim",
    "online": "green", "title": "bold", "selected": "reverse", "alarm": "bold reverse",
}  # fmt: skip
"""All that they say is said by words or signs too: not everybody, nor every terminal, has colours."""


def open_console() -> Console | None:
    """Rich's console for this terminal; None, said on stderr, for one that cannot be drawn on (``TERM=dumb``).

    Raises `UsageError` if rich is not installed, or stdout is no terminal.
    """
    try:
        from rich.console import Console
    except ImportError:
        raise UsageError(
            "the live table needs rich, which is not installed",
            hint=f"{install_command('fleet')}, or use --once or --json",
        ) from None
    if not sys.stdout.isatty():
        raise UsageError("the live table needs a terminal", hint="use --once or --json")
    if os.environ.get("TERM", "").lower() in ("", "dumb", "unknown"):
        print("TERM names no terminal that can be drawn on: the table once, as with --once", file=sys.stderr)
        return None
    return Console(highlight=False, emoji=False, markup=False)


def show_live(watch: FleetWatch, console: Console, view: TableView, ask: bool) -> None:
    """Draw the table on the terminal of ``console`` until a key or a signal ends it.

    ``ask``: see `FleetWatch.request_missing`. Raises KeyboardInterrupt at Ctrl-C, SystemExit at SIGTERM and SIGHUP.
    """
    try:
        with TerminalSession() as session:
            _LiveTable(watch, session, ScreenPainter(console, session), view, ask).run()
    except EOFError:  # the terminal has gone, and with it whoever watched
        return


class _LiveTable:
    """The loop of a live table: messages in, keys in, drawings out."""

    def __init__(
        self, watch: FleetWatch, session: TerminalSession, painter: ScreenPainter, view: TableView, ask: bool
    ) -> None:
        self._watch, self._session, self._painter, self._view, self._ask = watch, session, painter, view, ask
        self._rows: list[DeviceRow] = []
        self._size = (0, 0)

    def run(self) -> None:
        """Run until a key asks to leave."""
        due = time.monotonic()
        while True:
            pressed = self._session.wait(min(RECEIVE_EVERY_S, due - time.monotonic()))
            self._watch.process_messages(0.0)
            if not all(self._view.press(key) for key in pressed):
                return
            now = time.monotonic()
            if now >= due:
                if self._ask:
                    self._watch.request_missing_if_due()
                self._rows = self._watch.overview.rows()
                due = now + EVERY_S
            elif not pressed and not self._session.redraw_pending:
                continue
            self._draw(anew=self._session.take_redraw() or REDRAW in pressed)

    def _draw(self, anew: bool) -> None:
        before, self._size = self._size, self._session.size()
        width, height = self._size
        clock = time.strftime("%H:%M:%S")
        watch = self._watch
        connected = watch.connection.connected
        alarms = [*([] if connected else ["connection to the broker lost"]), *watch.problems()]
        around = Surroundings(watch.overview.unassigned(), not watch.all_listed, alarms, clock, self._session.has_keys)
        self._painter.draw(self._view.draw(self._rows, width, height, around), width, anew=anew or self._size != before)


class ScreenPainter:
    """Writes the lines of a screen to a terminal, only those that have changed: little for a slow ssh."""

    def __init__(self, console: Console, session: TerminalSession) -> None:
        """``console`` knows the colours and the encoding of the terminal of ``session``."""
        self._console, self._session = console, session
        self._before: list[list[Span]] = []

    def draw(self, lines: list[list[Span]], width: int, *, anew: bool = False) -> None:
        """Show ``lines``; ``anew``: whatever stood there."""
        text = self.changes(lines, width, anew=anew)
        if text:
            encoding = self._console.encoding
            self._session.write(encodable(text, encoding).encode(encoding, "replace"))

    def changes(self, lines: list[list[Span]], width: int, *, anew: bool = False) -> str:
        """Text and control sequences that turn the screen drawn before into ``lines``."""
        from rich.text import Text

        before = [] if anew else self._before
        self._before = lines
        parts = ["\x1b[0m\x1b[2J"] if anew else []
        for place, line in enumerate(lines):
            if place < len(before) and before[place] == line:
                continue
            text = Text.assemble(*((part, STYLES.get(style, "")) for part, style in line))
            with self._console.capture() as capture:
                self._console.print(text, end="", no_wrap=True, overflow="ignore", crop=False, width=width)
            full = sum(display_width(part) for part, _ in line) >= width
            # Erasing behind a full line would take its last character with it.
            parts.append(f"\x1b[{place + 1};1H{capture.get()}" + ("" if full else "\x1b[K"))
        return "".join(parts)
