"""View of the live table: what the keys change (filter, order, selection, detail), and the lines of the screen.

Pure: rows and keys in, lines out. The selection holds on to a device, not to a line, so that Enter opens the device
that was looked at also when the order has changed meanwhile; without a selection the first rows are shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from edge.fleet import key_parser as keys
from edge.fleet.cell_text import cut, display_width, pack_words, pad, shorten_middle
from edge.fleet.device_detail import detail_lines
from edge.fleet.device_table import COLUMNS, WORST, filter_and_sort, summary_line
from edge.fleet.table_layout import MARKER, Layout, RowText, lay_out, row_text, title_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.fleet.fleet_overview import DeviceRow

MIN_WIDTH, MIN_HEIGHT = 24, 6
_FIRST_SORTS = (WORST, "site", "heard", "fps", "missing")
SORTS = (*_FIRST_SORTS, *(each for each in COLUMNS if each not in _FIRST_SORTS))
"""What the key ``s`` goes through."""
TABLE_KEYS = ("q quit", "/ filter", "s sort", "r reverse", "Enter detail", "arrows, PgUp, PgDn scroll")
DETAIL_KEYS = ("Esc back", "q quit", "arrows, PgUp, PgDn scroll")
NO_KEYS = ("Ctrl-C quit", "no other keys: standard input is no terminal")
FILTER_KEYS = ("Enter keep", "Esc drop the filter")
MOVES = {keys.UP: -1, "k": -1, keys.DOWN: 1, "j": 1}
PAGES = {keys.PAGE_UP: -1, "b": -1, keys.PAGE_DOWN: 1, " ": 1}
FILTER_LENGTH = 100

Span = tuple[str, str]
"""Text and style: a state, ``title``, ``selected``, ``alarm``, or "" for none."""


class Surroundings(NamedTuple):
    """What is shown beside the rows."""

    unassigned: int = 0
    """See `summary_line`."""
    at_least: bool = False
    """Whether there may be more devices than those in the rows."""
    alarms: Sequence[str] = ()
    """What makes the rows less than they seem to be: no connection to the broker, messages dropped."""
    clock: str = ""
    """Time of the drawing: who sees it go on knows that the table does."""
    has_keys: bool = True
    """Whether there is a keyboard."""


class TableView:
    """What is looked at, and how. `press` a key, then `draw`."""

    def __init__(self, text: str = "", column: str = WORST, reverse: bool = False) -> None:
        """``text``, ``column``, ``reverse``: see `filter_and_sort`."""
        self.text, self.column, self.reverse = text, column, reverse
        self.typing = False
        self._selected: tuple[str, str] | None = None
        self._detail: tuple[str, str] | None = None
        self._detail_top = 0
        self._top = 0
        self._page = 1
        """Rows, or lines of the detail, that the last drawing had place for."""
        self._rows: Sequence[DeviceRow] = ()
        self._shown: list[DeviceRow] = []

    def press(self, key: str) -> bool:
        """Do what ``key`` asks for; False: leave the table."""
        before = self.text, self.column, self.reverse
        stay = self._press(key)
        if before != (self.text, self.column, self.reverse):
            self._choose()  # now, and not at the next drawing: the next key may be here already
        return stay

    def _choose(self) -> None:
        self._shown = filter_and_sort(self._rows, self.text, self.column, self.reverse)

    def _press(self, key: str) -> bool:
        if self.typing:
            self._type(key)
        elif key == "q":
            return False
        elif self._detail is not None:
            self._press_in_detail(key)
        elif key == keys.ENTER and self._shown:
            row = self._shown[self._index()]
            self._detail, self._detail_top = (row.site, row.device), 0
        elif key == "/":
            self.typing = True
        elif key == keys.ESCAPE:
            self.text, self._selected = "", None
        elif key in ("s", "S"):
            at = SORTS.index(self.column) if self.column in SORTS else 0
            self.column, self._selected = SORTS[(at + (1 if key == "s" else -1)) % len(SORTS)], None
        elif key == "r":
            self.reverse, self._selected = not self.reverse, None
        else:
            self._move(key)
        return True

    def _type(self, key: str) -> None:
        if key == keys.ENTER:
            self.typing = False
        elif key == keys.ESCAPE:
            self.typing, self.text = False, ""
        elif key == keys.BACKSPACE:
            self.text = self.text[:-1]
        elif key == keys.CLEAR:
            self.text = ""
        elif len(key) == 1 and len(self.text) < FILTER_LENGTH:
            self.text += key
        self._selected = None

    def _press_in_detail(self, key: str) -> None:
        if key in (keys.ESCAPE, keys.ENTER, keys.BACKSPACE, keys.LEFT):
            self._detail = None
        elif key in MOVES:
            self._detail_top += MOVES[key]
        elif key in PAGES:
            self._detail_top += PAGES[key] * self._page
        elif key in (keys.HOME, "g"):
            self._detail_top = 0
        elif key in (keys.END, "G"):
            self._detail_top = 1 << 30

    def _move(self, key: str) -> None:
        """Move the selection; at the first row there is none, so that the view stays with the first, whoever it is."""
        at = self._index()
        if key in MOVES:
            at += MOVES[key]
        elif key in PAGES:
            at += PAGES[key] * self._page
        elif key in (keys.HOME, "g"):
            at = 0
        elif key in (keys.END, "G"):
            at = len(self._shown) - 1
        else:
            return
        at = max(0, min(at, len(self._shown) - 1))
        self._selected = (self._shown[at].site, self._shown[at].device) if at > 0 else None

    def _index(self) -> int:
        """Place of the selected device among those shown; of a device that has gone, the first."""
        if self._selected is not None:
            for place, row in enumerate(self._shown):
                if (row.site, row.device) == self._selected:
                    return place
        return 0

    def draw(self, rows: Sequence[DeviceRow], width: int, height: int, around: Surroundings) -> list[list[Span]]:
        """Lines of the whole screen; at most ``height``, none wider than ``width``."""
        if width < MIN_WIDTH or height < MIN_HEIGHT:
            return [[(cut(f"needs {MIN_WIDTH}x{MIN_HEIGHT}", width), "")]]
        self._rows = rows
        self._choose()
        lines = self._heading_lines(rows, width, height, around)
        if self._detail is not None:
            row = next((row for row in rows if (row.site, row.device) == self._detail), None)
            body, where = self._draw_detail(row, width, height - len(lines) - 2)
            hints: Sequence[str] = DETAIL_KEYS
        else:
            body, where = self._draw_rows(width, height - len(lines) - 2)
            hints = FILTER_KEYS if self.typing else TABLE_KEYS
        lines += [*body, *([[]] * (height - len(lines) - 2 - len(body)))]
        if display_width(where) + 2 + len(around.clock) <= width and not self.typing:
            where = pad(where, width - len(around.clock)) + around.clock
        return [*lines, [(where, "title")], [(_whole_items(hints if around.has_keys else NO_KEYS, width - 1), "")]]

    def _heading_lines(
        self, rows: Sequence[DeviceRow], width: int, height: int, around: Surroundings
    ) -> list[list[Span]]:
        alarms = [line for alarm in around.alarms for line in pack_words(alarm.split(" "), width)]
        lines: list[list[Span]] = [[(line, "alarm")] for line in alarms[: max(1, height // 5)]]
        parts = re.split("(?<=[;,:]) ", summary_line(rows, around.unassigned, around.at_least))
        packed = pack_words(parts, width)[: max(1, height // 4)]
        return [*lines, *([(line, "title")] for line in packed)]

    def _draw_rows(self, width: int, height: int) -> tuple[list[list[Span]], str]:
        """The table, title line included, and the line below it that says what is shown."""
        if not self._shown:
            self._top, self._page = 0, 1
            none = f"no device shows {self.text!r}" if self.text else "no device has been heard yet"
            return [[(cut(none, width), "")]], self._where(0, 0, width)
        space = max(1, height - 1)
        at = self._index()
        first = max(0, min(self._top, at, len(self._shown) - 1))
        first = max(first, at - space + 1)
        layout = lay_out(self._shown, self._shown[first : first + space], width)
        first = self._first_row(first, at, space, layout)
        body: list[list[Span]] = []
        last = first
        above: str | None = None
        for place in range(first, len(self._shown)):
            row = self._shown[place]
            text = row_text(row, layout, above)
            if len(body) + len(text.above) + 1 > space and body:
                break
            body += _row_lines(text, row.state, place == at, width)
            above = row.site if layout.folded(row) else None
            last = place
        self._top, self._page = first, max(1, last - first + 1)
        return [[(cut(title_line(layout), width), "title")], *body[:space]], self._where(first, last + 1, width)

    def _first_row(self, first: int, at: int, space: int, layout: Layout) -> int:
        """First row of a page that shows the row ``at`` and, as far as possible, begins with ``first``."""
        taken, place = 0, at
        while place >= first:
            text = row_text(self._shown[place], layout)
            taken += 1 + len(text.above)
            if taken > space:
                return min(at, place + 1)
            place -= 1
        return first

    def _where(self, first: int, last: int, width: int) -> str:
        if self.typing:
            prompt = "filter: "
            tail = self.text
            while display_width(prompt + tail) > width - 1:
                tail = tail[1:]
            return f"{prompt}{tail}_"
        part = f"rows {first + 1}-{last} of {len(self._shown)}" if self._shown else "no rows"
        order = "worst first" if self.column == WORST else f"sorted by {self.column}"
        items = [part, order + (", reversed" if self.reverse else "")]
        items += [f"filter: {shorten_middle(self.text, width // 3)}"] if self.text else []
        return _whole_items(items, width)

    def _draw_detail(self, row: DeviceRow | None, width: int, height: int) -> tuple[list[list[Span]], str]:
        lines = ["this device is not known any more"] if row is None else detail_lines(row, width)
        self._page = max(1, height)
        self._detail_top = max(0, min(self._detail_top, len(lines) - self._page))
        part = lines[self._detail_top : self._detail_top + self._page]
        where = f"lines {self._detail_top + 1}-{self._detail_top + len(part)} of {len(lines)}"
        return [[(line, "")] for line in part], cut(where, width)


def _row_lines(text: RowText, state: str, selected: bool, width: int) -> list[list[Span]]:
    sign = ">" if selected else " "
    style = "selected" if selected else ""
    lines: list[list[Span]] = [[(pad(cut(f"{' ' * MARKER}{each}", width), width), style)] for each in text.above]
    spans = [(f"{sign}{text.name}", style), (text.state, style or state), (text.rest, style)]
    used = sum(display_width(each) for each, _ in spans)
    return [*lines, [*spans, (" " * max(0, width - used), style)]]


def _whole_items(items: Sequence[str], width: int) -> str:
    """As many of ``items`` as fit whole, separated by semicolons."""
    text = ""
    for item in items:
        longer = f"{text}; {item}" if text else item
        if display_width(longer) > width:
            break
        text = longer
    return text
