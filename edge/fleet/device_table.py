"""Table of devices as text: its columns, filtering, sorting, and the summary line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from edge.contracts.errors import UsageError
from edge.fleet.cell_text import ELLIPSIS, age_text, number_text, printable
from edge.fleet.fleet_overview import SEVERITY, DeviceRow, RangesByEpoch, count_messages
from edge.fleet.row_rank import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.fleet.last_messages import LastFinding

NOTHING = "-"
RANGES_SHOWN = 3
GAP = "  "
ANOMALIES = ("unreadable", "conflicting", "implausible", "foreign")
"""Fields of a row that count what should not have come."""
CELL_LENGTH = 120
"""Characters of one cell: a device that sends long texts or numbers does not push the others off the screen."""


WORST = "worst"
"""Sorted by how much a device needs somebody: by state, then by what is missing of it. No column of its own."""


class Column(NamedTuple):
    """One column of the table. ``key``: what it is sorted by, None last; numbers are sorted the largest first."""

    text: Callable[[DeviceRow], str]
    key: Callable[[DeviceRow], Any]


def _ranges(ranges: RangesByEpoch) -> str:
    """``12: 3-5, 9, …``: how many, and which; of the newest epoch that has any."""
    if not ranges:
        return NOTHING
    newest = list(ranges.values())[-1]
    shown = [str(first) if first == last else f"{first}-{last}" for first, last in newest[:RANGES_SHOWN]]
    more = [] if len(ranges) == 1 and len(newest) <= RANGES_SHOWN else [ELLIPSIS]
    return f"{count_messages(ranges)}: {', '.join(shown + more)}"


def finding_text(last: LastFinding | None) -> str:
    """``suspicious 0.90, 7 s ago``, ``suspicious 0.52 (uncertain), 7 s ago``: the last finding of a device."""
    if last is None:
        return NOTHING
    if last.label:
        score = "ended" if last.lifecycle == "end" else "" if last.score is None else f"{last.score:.2f}"
        return f"{last.label} {score}".strip() + f", {age_text(last.age_s)} ago"
    verdict = "ended" if last.lifecycle == "end" else "suspicious" if last.suspicious else "not suspicious"
    malignancy = "" if last.malignancy is None else f" {last.malignancy:.2f}"
    uncertain = " (uncertain)" if last.call_uncertain else ""
    return f"{verdict}{malignancy}{uncertain}, {age_text(last.age_s)} ago"


def anomaly_counts(row: DeviceRow) -> dict[str, int]:
    """Numbers of messages that should not have come, by name; only those that did."""
    return {name: number for name in ANOMALIES if (number := getattr(row, name))}


def _state(row: DeviceRow) -> str:
    said = [] if row.said in (row.state, "unknown") else [f"said {row.said}"]
    more = ", ".join([*said, *row.reasons])
    return f"{row.state}: {more}" if more else row.state


COLUMNS = {
    "site": Column(lambda row: row.site, lambda row: (row.site, row.device)),
    "device": Column(lambda row: row.device, lambda row: (row.device, row.site)),
    "state": Column(_state, lambda row: (rank(row), row.reasons)),
    "heard": Column(lambda row: age_text(row.heard), lambda row: row.heard),
    "model": Column(lambda row: row.model or NOTHING, lambda row: row.model),
    "runtime": Column(lambda row: row.runtime or NOTHING, lambda row: row.runtime),
    "fps": Column(lambda row: number_text(row.fps, 1), lambda row: row.fps),
    "p99-ms": Column(lambda row: number_text(row.p99_ms, 1), lambda row: row.p99_ms),
    "temp-c": Column(lambda row: number_text(row.temperature_c, 1), lambda row: row.temperature_c),
    "outbox": Column(lambda row: number_text(row.outbox), lambda row: row.outbox),
    "last-finding": Column(
        lambda row: finding_text(row.last_finding),
        lambda row: None if row.last_finding is None else -row.last_finding.age_s,
    ),
    "missing": Column(lambda row: _ranges(row.missing), lambda row: count_messages(row.missing)),
    "repaired": Column(lambda row: _ranges(row.repaired), lambda row: count_messages(row.repaired)),
    "expired": Column(lambda row: _ranges(row.expired), lambda row: count_messages(row.expired)),
    "anomalies": Column(
        lambda row: ", ".join(f"{number} {name}" for name, number in anomaly_counts(row).items()) or NOTHING,
        lambda row: sum(anomaly_counts(row).values()),
    ),
    "notes": Column(lambda row: ", ".join(row.notes) or NOTHING, lambda row: len(row.notes)),
}
"""All columns by title, in the order of the table."""


def check_column(name: str) -> str:
    """Return ``name``; raise `UsageError` if there is nothing of that name to sort by."""
    if name != WORST and name not in COLUMNS:
        raise UsageError(f"there is no column {name!r}", hint=f"there are: {', '.join((WORST, *COLUMNS))}")
    return name


def cell_texts(row: DeviceRow) -> list[str]:
    """Texts of one row, column by column. Devices may send anything: control characters never reach a terminal."""
    return [_one_cell(column.text(row)) for column in COLUMNS.values()]


def _one_cell(text: str) -> str:
    if len(text) > CELL_LENGTH:
        whole_words = text[: CELL_LENGTH - 2].rpartition(" ")[0]  # a number that is cut would read as another one
        text = f"{whole_words or text[: CELL_LENGTH - 2]} {ELLIPSIS}"
    return printable(text)


def filter_and_sort(
    rows: Iterable[DeviceRow], text: str = "", column: str = "site", reverse: bool = False
) -> list[DeviceRow]:
    """Rows that show ``text`` anywhere (in either case), sorted by ``column``; equal ones keep their order.

    ``column``: `WORST`, or one of `COLUMNS`. ``reverse``: the other way round; what is not known stays last.
    """
    wanted = text.lower()
    chosen = [row for row in rows if not wanted or _shows(row, wanted)]
    if check_column(column) == WORST:
        return sorted(chosen, key=_urgency, reverse=reverse)
    key = COLUMNS[column].key
    keyed = [(key(row), row) for row in chosen]
    known = [each for each in keyed if each[0] is not None]
    largest_first = bool(known) and isinstance(known[0][0], (int, float))
    known.sort(key=lambda each: each[0], reverse=largest_first != reverse)
    return [row for _, row in known] + [row for value, row in keyed if value is None]


def _shows(row: DeviceRow, wanted: str) -> bool:
    return wanted in f"{row.site}/{row.device}" or any(wanted in cell.lower() for cell in cell_texts(row))


def _urgency(row: DeviceRow) -> tuple[int, int, int, int, str, str]:
    """Sort key of `WORST`: state, then numbers of what is lost or should not have come, then the name."""
    lost, given_up = count_messages(row.missing), count_messages(row.expired)
    strange = row.unreadable + row.conflicting + row.implausible + row.foreign
    return rank(row), -lost, -given_up, -strange, row.site, row.device


def summary_line(rows: Sequence[DeviceRow], unassigned: int = 0, at_least: bool = False) -> str:
    """One line for all rows: how many devices are in which state, messages missing and repaired, and what is wrong.

    ``unassigned``: unreadable messages whose topic names no device. ``at_least``: there may be more devices than these.
    """
    states = [row.state for row in rows]
    parts = [f"{states.count(each)} {each}" for each in SEVERITY if each in states]
    devices = f"{'at least ' if at_least else ''}{len(rows)} device{'' if len(rows) == 1 else 's'}"
    head = f"{devices}: {', '.join(parts)}" if parts else devices
    missing, repaired, expired = (
        sum(count_messages(ranges) for ranges in one)
        for one in ([row.missing for row in rows], [row.repaired for row in rows], [row.expired for row in rows])
    )
    counted = [f"{missing} missing", f"{repaired} repaired", *([f"{expired} expired"] if expired else [])]
    return "; ".join([head, ", ".join(counted), *anomaly_texts(rows, unassigned)])


def anomaly_texts(rows: Sequence[DeviceRow], unassigned: int = 0) -> list[str]:
    """``1 unreadable message``: how many of each kind of anomaly came from all devices; nothing where none did."""
    totals = {name: sum(getattr(row, name) for row in rows) for name in ANOMALIES}
    totals["unreadable"] += unassigned
    return [f"{number} {name} message{'' if number == 1 else 's'}" for name, number in totals.items() if number]


def plain_table(rows: Sequence[DeviceRow], unassigned: int = 0, at_least: bool = False) -> str:
    """The table as plain text, with the summary line below it; ``unassigned`` and ``at_least`` as there."""
    lines = [list(COLUMNS), *(cell_texts(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    text = [GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, "", summary_line(rows, unassigned, at_least)])
