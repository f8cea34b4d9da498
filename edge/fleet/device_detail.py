"""Everything known of one device, as lines of text: what the table has no place for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.fleet.cell_text import age_text, number_text, pack_words, printable
from edge.fleet.device_table import ANOMALIES, finding_text
from edge.fleet.fleet_overview import count_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.fleet.fleet_overview import DeviceRow, RangesByEpoch

RANGES_SHOWN = 1000
"""Of each epoch; a device may name many more."""
LABEL_WIDTH = 14


def detail_lines(row: DeviceRow, width: int) -> list[str]:
    """All that is known of a device, at most ``width`` columns wide; names and numbers are whole."""
    lines = pack_words([f"{row.site}/", row.device], width) if len(row.site + row.device) + 1 > width else []
    lines = lines or [f"{row.site}/{row.device}"]
    for label, value in _fields(row):
        words = printable(value).split(" ")
        wrapped = pack_words(words, width - LABEL_WIDTH) or [""]
        lines += [f"{(label if place == 0 else ''):<{LABEL_WIDTH}}{line}" for place, line in enumerate(wrapped)]
    return lines


def _fields(row: DeviceRow) -> Iterator[tuple[str, str]]:
    yield "site", row.site
    yield "device", row.device
    yield "state", row.state
    yield "said", row.said
    yield "heard", "-" if row.heard is None else f"{age_text(row.heard)} ago"
    for label, items in (("reason", row.reasons), ("note", row.notes)):
        for item in items:
            yield label, item
    yield "requests", "-" if row.takes_requests is None else "taken" if row.takes_requests else "switched off"
    yield "model", row.model or "-"
    yield "runtime", row.runtime or "-"
    yield "fps", number_text(row.fps, 1)
    yield "p99-ms", number_text(row.p99_ms, 1)
    yield "temp-c", number_text(row.temperature_c, 1)
    yield "outbox", number_text(row.outbox)
    last = row.last_finding
    yield "last-finding", finding_text(last) + (f", stream {last.stream}" if last is not None and last.stream else "")
    yield "received", str(row.received)
    for label in ("missing", "repaired", "expired"):
        yield from _ranges(label, getattr(row, label))
    for label in ("duplicates", "uncompared", "violations", *ANOMALIES):
        yield label, str(getattr(row, label))


def _ranges(label: str, by_epoch: RangesByEpoch) -> Iterator[tuple[str, str]]:
    yield label, str(count_messages(by_epoch))
    for epoch, ranges in by_epoch.items():
        shown = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:RANGES_SHOWN]]
        more = [f"and {len(ranges) - RANGES_SHOWN} more ranges"] if len(ranges) > RANGES_SHOWN else []
        yield "", f"epoch {epoch}: {', '.join([*shown, *more])}"
