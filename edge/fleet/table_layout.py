"""Layout of the device table for a terminal's width: which columns are shown, how wide, and how names are folded.

What does not fit is left out as a whole column, the last of `PRIORITY` first; no number is ever cut. A device is always
named whole: where ``site/device`` leaves no place for the columns of `ESSENTIAL`, the site gets a line of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.fleet.cell_text import (
    ELLIPSIS,
    age_text,
    display_width,
    number_text,
    pack_words,
    pad,
    printable,
    shorten_middle,
)
from edge.fleet.device_table import anomaly_counts, finding_text, summary_line
from edge.fleet.fleet_overview import count_messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.fleet.fleet_overview import DeviceRow

GAP = 2
MARKER = 1
"""Columns at the left edge, for the sign of the selected row."""
TEXT_WIDTH = 32
"""Most columns of one text cell (model, runtime): a device that sends long ones does not push the others out."""
FINDING_WIDTH = 44
"""Most columns of the last finding, whose words are our own: ``not suspicious 0.45 (uncertain), 12 min ago``."""


class LayoutColumn(NamedTuple):
    """One column of a laid out table. Numbers are aligned to the right; texts may be shortened in their middle."""

    text: Callable[[DeviceRow], str]
    number: bool = False
    min_width: int = 0
    """So that a column does not change its width with every number."""
    max_width: int = TEXT_WIDTH
    """Of a text; numbers are never cut."""


def why_items(row: DeviceRow) -> list[str]:
    """What explains a row's state, item by item: what it said itself, its reasons, anomalies, the watcher's notes."""
    said = [] if row.said in (row.state, "unknown") else [f"said {row.said}"]
    anomalies = [f"{number} {name}" for name, number in anomaly_counts(row).items()]
    return [printable(each) for each in (*said, *row.reasons, *anomalies, *row.notes)]


def _count(value: int) -> str:
    return number_text(value)


COLUMNS = {
    "state": LayoutColumn(lambda row: row.state, min_width=8),
    "heard": LayoutColumn(lambda row: age_text(row.heard), number=True, min_width=5),
    "fps": LayoutColumn(lambda row: number_text(row.fps, 1), number=True, min_width=5),
    "missing": LayoutColumn(lambda row: _count(count_messages(row.missing)), number=True),
    "expired": LayoutColumn(lambda row: _count(count_messages(row.expired)), number=True),
    "repaired": LayoutColumn(lambda row: _count(count_messages(row.repaired)), number=True),
    "outbox": LayoutColumn(lambda row: number_text(row.outbox), number=True),
    "p99-ms": LayoutColumn(lambda row: number_text(row.p99_ms, 1), number=True),
    "temp-c": LayoutColumn(lambda row: number_text(row.temperature_c, 1), number=True),
    "last-finding": LayoutColumn(lambda row: finding_text(row.last_finding), min_width=24, max_width=FINDING_WIDTH),
    "model": LayoutColumn(lambda row: row.model or "-"),
    "runtime": LayoutColumn(lambda row: row.runtime or "-"),
}
"""Columns behind the name, in the order of the table; ``why`` comes last and takes what is left."""
WHY = "why"
WHY_WIDTH = 16
ESSENTIAL = ("state", "heard", "fps", "missing")
"""Shown before anything else, beside the name; where even they do not fit, the last goes first."""
PRIORITY = (
    *ESSENTIAL, WHY, "outbox", "last-finding", "expired", "p99-ms", "temp-c", "model", "runtime", "repaired",
)  # fmt: skip
"""All columns behind the name, the most important first. None is shown while one before it is left out, but for those
that hold nothing on the page where ``why`` needs their place."""
NOTHING = ("-", "0")
"""Texts of cells that hold nothing."""


class Layout(NamedTuple):
    """Columns of one page of the table: the width of the name, and title and width of the others."""

    name: int
    widths: dict[str, int]

    def folded(self, row: DeviceRow) -> bool:
        """Whether the site of ``row`` gets a line of its own."""
        return len(row.site) + 1 + len(row.device) > self.name


def lay_out(rows: Sequence[DeviceRow], page: Sequence[DeviceRow], width: int) -> Layout:
    """Layout for a terminal of ``width`` columns.

    ``rows``: all that can be scrolled to, whose names decide. ``page``: those that may be seen now.
    """
    needed = {title: _natural_width(title, page) for title in PRIORITY}
    longest_device = max((len(row.device) for row in rows), default=0)
    longest = max((len(row.site) + 1 + len(row.device) for row in rows), default=0)
    essential = list(ESSENTIAL)
    while essential and MARKER + longest_device + _taken(essential, needed) > width:
        essential.pop()
    left = width - MARKER - _taken(essential, needed)
    name = longest if longest <= left else max((w for w in _name_widths(rows) if w <= left), default=left)
    name = max(name, len("device"))
    shown = list(essential)
    for title in PRIORITY[len(ESSENTIAL) :] if essential == list(ESSENTIAL) else ():
        if MARKER + name + _taken([*shown, title], needed) > width:
            break
        shown.append(title)
    shown = _make_room_for_why(shown, page, width - MARKER - name, needed)
    widths = {title: needed[title] for title in (*COLUMNS, WHY) if title in shown}
    if WHY in widths:
        widths[WHY] += width - MARKER - name - _taken(shown, needed)
    return Layout(name, widths)


def _make_room_for_why(
    shown: Sequence[str], page: Sequence[DeviceRow], width: int, needed: dict[str, int]
) -> list[str]:
    """Leave out columns that hold nothing, the least important first, as long as ``why`` does not fit whole."""
    kept = list(shown)
    wanted = max((display_width(", ".join(why_items(row))) for row in page), default=0)
    for title in reversed(shown):
        if WHY not in kept or width - _taken(kept, needed) + needed[WHY] >= wanted:
            break
        if title not in (*ESSENTIAL, WHY) and all(COLUMNS[title].text(row) in NOTHING for row in page):
            kept.remove(title)
    return kept


def _name_widths(rows: Sequence[DeviceRow]) -> set[int]:
    """Widths that names can take: of whole ones, and of devices below the line of their site."""
    return {len(row.site) + 1 + len(row.device) for row in rows} | {len(row.device) for row in rows}


def _taken(titles: Sequence[str], needed: dict[str, int]) -> int:
    return sum(GAP + needed[title] for title in titles)


def _natural_width(title: str, page: Sequence[DeviceRow]) -> int:
    if title == WHY:
        return WHY_WIDTH
    column = COLUMNS[title]
    widest = max((display_width(column.text(row)) for row in page), default=0)
    return max(len(title), column.min_width, widest if column.number else min(widest, column.max_width))


def title_line(layout: Layout) -> str:
    """The line with the titles of the columns."""
    cells = [pad("device", layout.name)]
    for title, width in layout.widths.items():
        cells.append(pad(title, width, right=title != WHY and COLUMNS[title].number))
    return " " * MARKER + (" " * GAP).join(cells)


class RowText(NamedTuple):
    """One row as text: the lines above it (names that are too long), and its own, in three parts."""

    above: list[str]
    name: str
    state: str
    rest: str


def row_text(row: DeviceRow, layout: Layout, site_above: str | None = None) -> RowText:
    """The texts of one row. ``site_above``: site whose line stands directly above, and need not be repeated."""
    above: list[str] = []
    name = f"{row.site}/{row.device}"
    if layout.folded(row):
        above = [] if row.site == site_above else [f"{row.site}/"]
        name = row.device
    if len(name) > layout.name:
        above, name = [*above, name], ""
    cells = {title: _cell(title, row, width) for title, width in layout.widths.items()}
    state = cells.pop("state", "")
    return RowText(
        above,
        pad(name, layout.name) + (" " * GAP if state else ""),
        state,
        "".join(" " * GAP + cell for cell in cells.values()),
    )


def _cell(title: str, row: DeviceRow, width: int) -> str:
    if title == WHY:
        return pad(fit_items(why_items(row), width), width)
    column = COLUMNS[title]
    text = column.text(row)
    if column.number:
        return pad(text, width, right=True)
    return pad(shorten_middle(printable(text), width), width)


def fit_items(items: Sequence[str], width: int) -> str:
    """``hot, overload, +2``: as many whole items as fit, and how many more there are.

    Where they do not fit, of an item with a colon what stands before it: ``requests off``.
    """
    whole = ", ".join(items)
    if display_width(whole) <= width:
        return whole
    items = [item.partition(": ")[0] for item in items]
    for count in range(len(items), 0, -1):
        more = [f"+{len(items) - count}"] if count < len(items) else []
        text = ", ".join([*items[:count], *more])
        if display_width(text) <= width:
            return text
    if len(items) == 1:
        words = items[0].split(" ")
        for count in range(len(words) - 1, 0, -1):
            text = " ".join([*words[:count], ELLIPSIS])
            if display_width(text) <= width:
                return text
    return "" if not items else f"{len(items)} reason{'' if len(items) == 1 else 's'}"


def fitted_table(rows: Sequence[DeviceRow], width: int, unassigned: int = 0, at_least: bool = False) -> str:
    """The table as plain text for a terminal of ``width`` columns, with the summary below it; see `summary_line`."""
    layout = lay_out(rows, rows, width)
    lines = [title_line(layout)]
    above: str | None = None
    for row in rows:
        text = row_text(row, layout, above)
        lines += [*(f" {each}" for each in text.above), f" {text.name}{text.state}{text.rest}"]
        above = row.site if layout.folded(row) else None
    summary = summary_line(rows, unassigned, at_least)
    return "\n".join([*(line.rstrip() for line in lines), "", *pack_words(summary.split(" "), width)])
