"""Layout of the device table at every width: whole names, whole numbers, columns by priority."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from fleet_rows import LONG_DEVICE, LONG_SITE, make_row

from edge.fleet.cell_text import age_text, display_width, encodable, number_text, pack_words, shorten_middle
from edge.fleet.device_table import finding_text, plain_table
from edge.fleet.fleet_overview import REQUESTS_OFF
from edge.fleet.last_messages import LastFinding
from edge.fleet.resend_requests import NO_ANSWER
from edge.fleet.table_layout import (
    COLUMNS,
    ESSENTIAL,
    NOTHING,
    PRIORITY,
    WHY,
    fit_items,
    fitted_table,
    lay_out,
    row_text,
    title_line,
    why_items,
)  # fmt: skip

if TYPE_CHECKING:
    from edge.fleet.fleet_overview import DeviceRow

WIDTHS = (24, 40, 60, 66, 79, 80, 81, 100, 101, 120, 133, 160, 200, 240, 400)
LONGEST = {"site": "s" * 32, "device": "d" * 32}


def changed(row: DeviceRow, **fields: object) -> DeviceRow:
    return msgspec.structs.replace(row, **fields)


def hostile_rows() -> list[DeviceRow]:
    """Rows with what a device may send at worst: long texts, huge numbers, wide characters, control characters."""
    row = make_row(1)
    return [
        make_row(3),
        changed(row, fps=1e308, p99_ms=123456.78, temperature_c=-1e300, outbox=1 << 60),
        changed(row, model="超" * 150, runtime="r\x1b[2J" * 40, reasons=["x" * 200, "e\u0301" * 90], state="degraded"),
        changed(row, missing={"e": [(1, 1 << 40)]}, expired={"e": [(1, 123456)]}, notes=["a note 123456789"] * 5),
        changed(row, **LONGEST, heard=1e9),
        changed(row, site="a", device="b", heard=None, fps=None),
    ]


def fleets() -> list[list[DeviceRow]]:
    short = [make_row(number) for number in range(1, 30)]
    long = [make_row(number, True) for number in range(1, 30)]
    return [short, long, short[:3] + long[:3], [changed(make_row(3), **LONGEST)], hostile_rows(), []]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("rows", fleets(), ids=["short", "long", "mixed", "longest", "hostile", "none"])
def test_nothing_is_wider_than_the_terminal_and_every_name_is_whole(width: int, rows: list[DeviceRow]) -> None:
    layout = lay_out(rows, rows, width)
    assert display_width(title_line(layout)) <= width
    assert list(layout.widths) == [title for title in (*COLUMNS, WHY) if title in layout.widths]
    left_out = [title for title in PRIORITY if title not in layout.widths]
    empty = {title for title in left_out if title != WHY and all(COLUMNS[title].text(row) in NOTHING for row in rows)}
    told = [title for title in PRIORITY if title in layout.widths or title not in empty]
    assert [title for title in told if title in layout.widths] == told[: len(layout.widths)], (
        "none is shown while a more important one that holds something is not"
    )
    assert set(ESSENTIAL) <= set(layout.widths) or width < 80
    for row in rows:
        text = row_text(row, layout)
        lines = [*text.above, f" {text.name}{text.state}{text.rest}".rstrip()]
        assert all(display_width(line) <= width or width < 34 for line in lines)
        assert all(line.isprintable() for line in lines)
        folded = "".join([*text.above, text.name]).strip()
        assert folded == f"{row.site}/{row.device}"
        assert text.state.strip() == (row.state if "state" in layout.widths else "")
        for title in layout.widths.keys() & {"heard", "fps", "missing", "outbox"}:
            assert COLUMNS[title].text(row) in text.rest.split("  ") or COLUMNS[title].text(row) in text.rest
    assert fitted_table(rows, width).startswith(title_line(layout).rstrip())


def test_at_80_columns_state_heard_fps_and_missing_are_there_at_200_all() -> None:
    rows = [make_row(number) for number in range(1, 30)]
    for width, more in ((80, ["outbox"]), (100, ["outbox"]), (120, ["expired", "outbox", "last-finding"])):
        shown = [title for title in lay_out(rows, rows, width).widths if title not in (*ESSENTIAL, WHY)]
        assert shown == more
    assert {"p99-ms", "temp-c", "expired", "model"} <= lay_out(rows, rows, 160).widths.keys()
    assert lay_out(rows, rows, 200).widths.keys() == set(PRIORITY)


def test_the_words_of_the_last_finding_are_whole() -> None:
    last = LastFinding(
        stream="cart", lifecycle="new", malignancy=0.45, suspicious=False, call_uncertain=True, age_s=5999.0
    )
    rows = [changed(make_row(1), last_finding=last)]
    layout = lay_out(rows, rows, 200)
    assert finding_text(last) in row_text(rows[0], layout).rest
    assert "(uncertain), " in finding_text(last)


def test_columns_that_hold_nothing_make_room_for_why() -> None:
    gone = changed(
        make_row(1), state="offline", said="offline", reasons=["stopped"], notes=["not heard yet"], fps=None,
        p99_ms=None, temperature_c=None, outbox=None, last_finding=None, heard=None,
    )  # fmt: skip
    for width in (80, 100, 120, 160):
        assert fitted_table([gone], width).splitlines()[1].endswith("  stopped, not heard yet"), width
    there = changed(gone, outbox=3)
    assert "outbox" in lay_out([there], [there], 80).widths, "what holds something stays"


def test_why_says_first_what_cannot_be_asked_for() -> None:
    row = changed(make_row(1), missing={"e": [(1, 2)]}, notes=[REQUESTS_OFF])
    silent = changed(row, notes=[NO_ANSWER])
    for width in (80, 100, 120, 160, 200):
        assert "requests off" in fitted_table([row], width), width
        assert "no answer" in fitted_table([silent], width), width


def test_the_site_of_long_names_is_written_once_for_neighbours() -> None:
    rows = [
        changed(make_row(number), site=f"{number // 10}{LONG_SITE[1:]}", device=LONG_DEVICE) for number in (8, 9, 10)
    ]
    lines = fitted_table(rows, 80).splitlines()
    assert [line.strip().partition(" ")[0] for line in lines[1:6]] == [
        f"0{LONG_SITE[1:]}/", LONG_DEVICE, LONG_DEVICE, f"1{LONG_SITE[1:]}/", LONG_DEVICE,
    ]  # fmt: skip


def test_numbers_are_whole_or_by_their_power_of_ten() -> None:
    assert number_text(27.44, 1) == "27.4"
    assert number_text(123456789) == "123456789"
    assert number_text(1 << 60) == "1.2e+18"
    assert number_text(1e308, 1) == "1.0e+308"
    assert number_text(None) == "-"
    assert max(len(number_text(sign * 10.0**power, 1)) for power in range(-300, 308) for sign in (1, -1)) <= 9
    ages = (0, 59.9, 60, 3599, 3600, 86399, 86400, 8.64e7, -1)
    assert [age_text(age) for age in ages] == ["0 s", "59 s", "1 m", "59 m", "1 h", "23 h", "1 d", "1000 d", "0 s"]
    for row in hostile_rows():
        for column in COLUMNS.values():
            assert not column.number or re.fullmatch(r"-|-?[\d.]+(e[+-]\d+)?( [smhd])?", column.text(row))


def test_reasons_are_whole_items_and_say_how_many_more() -> None:
    items = ["hot", "dropped_frames", "memory 123456 kB"]
    assert fit_items(items, 80) == "hot, dropped_frames, memory 123456 kB"
    assert fit_items(items, 24) == "hot, dropped_frames, +1"
    assert fit_items(items, 8) == "hot, +2"
    assert fit_items(items, 5) == "3 reasons"[:9]
    assert fit_items(items[2:], 12) == "memory …"
    assert fit_items(["x" * 20], 12) == "1 reason"
    assert fit_items([], 12) == ""
    assert fit_items([REQUESTS_OFF], 16) == "requests off"
    assert fit_items(["hot", REQUESTS_OFF], 20) == "hot, requests off"
    assert fit_items(["hot", REQUESTS_OFF], 16) == "hot, +1"
    assert fit_items([REQUESTS_OFF], 80) == REQUESTS_OFF
    row = changed(make_row(3), state="silent", said="degraded", reasons=["hot\x1b"], notes=["n"], conflicting=2)
    assert why_items(row) == ["said degraded", "hot?", "2 conflicting", "n"]


def test_text_is_as_wide_as_a_terminal_shows_it() -> None:
    assert display_width("超e\u0301a") == 4
    assert encodable("超é…a", "ascii") == "???~a"
    assert encodable("é…", "utf-8") == "é…"
    assert shorten_middle("breast-lesion-of-the-left 0.2.0", 16) == "breast-l…t 0.2.0"
    assert all(display_width(shorten_middle("超" * 20, width)) <= width for width in range(12))
    assert pack_words(["aa", "bb", "c" * 7], 5) == ["aa bb", "ccccc", "cc"]
    assert pack_words([], 5) == []


def test_a_plain_table_cuts_no_number_either() -> None:
    lines = plain_table(hostile_rows()).splitlines()
    assert "1.0e+308" in lines[2]
    assert not any(re.search(r"\d…", line) for line in lines)
