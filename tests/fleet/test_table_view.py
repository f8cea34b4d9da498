"""View of the live table: what each key does, and what the lines of the screen say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from fleet_rows import make_row

from edge.fleet.cell_text import display_width
from edge.fleet.key_parser import KeyParser
from edge.fleet.table_view import SORTS, Surroundings, TableView

if TYPE_CHECKING:
    from edge.fleet.fleet_overview import DeviceRow


class TableViewer:
    """A view with rows and a size, whose screen is asked for as text."""

    def __init__(self, rows: list[DeviceRow], width: int = 80, height: int = 24, **around: object) -> None:
        self.view, self.rows, self.width, self.height = TableView(), rows, width, height
        self.around = Surroundings(**around)  # type: ignore[arg-type]

    @property
    def lines(self) -> list[str]:
        spans = self.view.draw(self.rows, self.width, self.height, self.around)
        lines = ["".join(text for text, _ in line) for line in spans]
        assert len(lines) <= self.height
        assert all(display_width(line) <= self.width for line in lines)
        return [line.rstrip() for line in lines]

    @property
    def selected(self) -> str:
        (line,) = [line for line in self.lines if line.startswith(">")]
        return line[1:].split()[0]

    def press(self, *keys: str) -> TableViewer:
        for key in keys:
            _ = self.lines
            assert self.view.press(key)
        return self


@pytest.fixture
def viewer() -> TableViewer:
    return TableViewer([make_row(number) for number in range(1, 101)])


def test_the_worst_comes_first_and_stays_in_view_whoever_it_is(viewer: TableViewer) -> None:
    assert viewer.selected == "clinic-3/cart-0003"
    viewer.rows[50] = msgspec.structs.replace(viewer.rows[50], state="cut off", missing={"e": [(1, 99)]})
    assert viewer.selected == "clinic-2/cart-0051"


def test_the_selection_holds_on_to_a_device(viewer: TableViewer) -> None:
    viewer.press("down", "down", "down")
    name = viewer.selected
    viewer.rows = [
        msgspec.structs.replace(row, state="silent") if row.device > "cart-0090" else row for row in viewer.rows
    ]
    assert viewer.selected == name
    viewer.press("enter")
    assert viewer.lines[1] == name
    viewer.rows = [row for row in viewer.rows if f"{row.site}/{row.device}" != name]
    assert "this device is not known any more" in "\n".join(viewer.lines)
    viewer.press("escape")
    assert viewer.selected.startswith("clinic-"), "the first, where the selected one has gone"


def test_scrolling_reaches_every_device_and_says_which_part_is_shown(viewer: TableViewer) -> None:
    seen: set[str] = set()
    at = 0
    while True:
        lines = viewer.lines
        found = re.match(r"rows (\d+)-(\d+) of 100; worst first", lines[-2])
        assert found is not None
        names = {name for line in lines if (name := line[1:].partition(" ")[0]).startswith("clinic")}
        assert len(names) == int(found[2]) - int(found[1]) + 1
        seen |= names
        viewer.press("page-down")
        if int(found[2]) == at == 100:
            break
        at = int(found[2])
    assert len(seen) == 100
    assert viewer.press("home").lines[-2].startswith("rows 1-")
    assert viewer.press("G").lines[-2].startswith("rows 81-100")
    assert viewer.press("up", "k", "page-up", "b", "g").lines[-2].startswith("rows 1-")
    for _ in range(25):
        viewer.press("down")
    assert viewer.lines[-2].startswith("rows 7-26")


def test_filter_narrows_as_it_is_typed(viewer: TableViewer) -> None:
    viewer.press("/", *"CART-001x", "backspace")
    assert viewer.lines[-2] == "filter: CART-001_"
    assert viewer.press("enter").lines[-2] == "rows 1-10 of 10; worst first; filter: CART-001"
    assert viewer.press("/", "clear", *"no such").lines[-2] == "filter: no such_"
    assert "no device shows 'no such'" in viewer.lines
    assert viewer.press("enter", "enter", "down", "end").lines[-2].startswith("no rows"), (
        "nothing to open, or to move to"
    )
    assert viewer.press("/", "q", "escape").lines[-2] == "rows 1-20 of 100; worst first"
    viewer.press("/", *("y" * 500))
    assert viewer.lines[-2].endswith("y_")


def test_s_goes_through_all_orders_and_r_turns_them_round(viewer: TableViewer) -> None:
    orders = [re.sub("rows .* of 100; ", "", viewer.press("s").lines[-2]) for _ in SORTS]
    assert orders == [f"sorted by {each}" for each in SORTS[1:]] + ["worst first"]
    assert viewer.press("S").lines[-2].endswith(f"sorted by {SORTS[-1]}")
    viewer.press("s", "s", "r")
    assert viewer.lines[-2].endswith("sorted by site, reversed")
    assert viewer.selected == "clinic-6/cart-0097"


def test_keys_that_come_together_do_what_they_do_one_by_one(viewer: TableViewer) -> None:
    _ = viewer.lines
    for key in ("/", *"cart-0042", "enter", "enter"):
        viewer.view.press(key)
    assert viewer.lines[1] == "clinic-0/cart-0042"


def test_one_device_is_shown_with_all_that_is_known(viewer: TableViewer) -> None:
    ranges = [(number * 10, number * 10 + 1) for number in range(1, 300)]
    viewer.rows[2] = msgspec.structs.replace(
        viewer.rows[2], missing={"epoch-b": ranges}, notes=["a note"], reasons=["x" * 150], received=12345678901
    )
    viewer.press("enter")
    text: list[str] = []
    for _ in range(20):
        text += viewer.lines[3:-2]
        viewer.press("page-down")
    whole = re.sub(r"\s+", " ", " ".join(text))
    for words in ("state cut off", "said online", "heard 1 m ago", "note a note", "received 12345678901", "missing 598",
                  "epoch epoch-b: 10-11, 20-21", "2990-2991", "requests taken"):  # fmt: skip
        assert words in whole
    assert viewer.lines[-1].startswith("Esc back")
    assert re.match(r"lines \d+-(\d+) of \1$", viewer.lines[-2])
    assert viewer.press("home", "down", "up", "end", "escape").lines[-2].startswith("rows 1-")
    assert not viewer.view.press("q")


def test_what_is_wrong_with_the_picture_stands_above_it() -> None:
    viewer = TableViewer(
        [], 40, 15, alarms=["connection to the broker lost", "7 messages were dropped here"], at_least=True
    )
    assert viewer.lines[:3] == [
        "connection to the broker lost",
        "7 messages were dropped here",
        "at least 0 devices; 0 missing,",
    ]
    assert "no device has been heard yet" in viewer.lines


@pytest.mark.parametrize(
    ("width", "height"), [(24, 6), (30, 8), (44, 10), (60, 15), (300, 100), (23, 24), (80, 5), (1, 1)]
)
@pytest.mark.parametrize("long_names", [False, True])
def test_every_size_can_be_drawn(width: int, height: int, long_names: bool) -> None:
    viewer = TableViewer([make_row(number, long_names) for number in range(1, 40)], width, height, clock="12:34:56")
    viewer.press("down", "page-down", "end", "up", "home", "/", "c", "enter", "enter", "end", "escape")
    assert len(viewer.lines) in (1, height)
    if height >= 6 and width >= 44:
        for _ in range(39):
            assert viewer.selected.startswith(("clinic", "cart", "ultrasound", "department"))
            viewer.press("down")


def test_no_line_says_by_colour_alone_what_it_says(viewer: TableViewer) -> None:
    for line in viewer.view.draw(viewer.rows, 80, 24, viewer.around):
        for text, style in line:
            if style not in ("", "title", "selected"):
                assert text.strip() == style, "the state is written out"
            if style == "selected" and text.strip():
                assert line[0][0].startswith(">")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"aZ/ ", ["a", "Z", "/", " "]),
        (b"\x1b[A\x1b[B\x1bOA\x1bOB", ["up", "down", "up", "down"]),
        (b"\x1b[5~\x1b[6~\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1b[H\x1bOF", ["page-up", "page-down", *["home", "end"] * 3]),
        (b"\x1b[1;5A\x1b[6;2~", ["up", "page-down"]),
        (b"\r\n\x7f\x08\x15\x0c", ["enter", "enter", "backspace", "backspace", "clear", "redraw"]),
        (b"\x1b[200~q\x1b[201~", ["q"]),
        (b"\x1b[<0;1;1M\x1b[15~\x1b[99~\x1bx\x00\x01\xff", []),
        (b"\x1b\x1b[A", ["escape", "up"]),
        ("é超".encode(), ["é", "超"]),
    ],
)
def test_bytes_become_keys_in_one_piece_or_many(data: bytes, expected: list[str]) -> None:
    assert KeyParser().feed(data) == expected
    parser = KeyParser()
    assert [key for byte in data for key in parser.feed(bytes([byte]))] == expected
    assert not parser.pending


def test_a_lone_escape_is_a_key_when_nothing_follows() -> None:
    parser = KeyParser()
    assert parser.feed(b"\x1b") == []
    assert parser.pending
    assert parser.flush() == ["escape"]
    assert not parser.pending
    assert parser.feed(b"\x1b[1;") == []
    assert parser.flush() == []
    assert parser.feed(b"\x1b[" + b"1" * 100) != ["up"]
