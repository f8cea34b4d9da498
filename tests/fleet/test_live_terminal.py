"""The live table on a pseudo-terminal: what a user sees at each size, the keys, and the terminal after each end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from terminal_screen import TerminalProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from terminal_screen import Screen

pytest.importorskip("rich")
pytestmark = pytest.mark.slow
PROGRAM = str(Path(__file__).parent / "live_table_program.py")
UP, DOWN, PAGE_DOWN, END, ESCAPE, CTRL_C, CTRL_Z = "\x1b[A", "\x1bOB", "\x1b[6~", "\x1b[F", "\x1b", "\x03", "\x1a"
LONG = "department-of-radiology-building"


@pytest.fixture
def start() -> Iterator[Callable[..., TerminalProgram]]:
    started: list[TerminalProgram] = []

    def run(
        columns: int = 80, lines: int = 24, devices: int = 100, *more: str, names: str = "short", **environment: str
    ) -> TerminalProgram:
        command = [sys.executable, PROGRAM, str(devices), names, *more]
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
        started.append(TerminalProgram(command, columns, lines, environment))
        return started[-1]

    yield run
    for each in started:
        each.close()


def is_drawn(screen: Screen) -> bool:
    return bool(re.search(r"rows \d+-\d+ of", screen.lines[-2])) and "q quit" in screen.lines[-1]


def assert_put_back(program: TerminalProgram) -> None:
    assert program.settings == program.settings_before
    assert program.screen.modes == {"1049": False, "25": True, "7": True}


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40), (160, 50), (60, 15)])
@pytest.mark.parametrize("devices", [3, 100, 2000])
@pytest.mark.parametrize("names", ["short", "long"])
def test_each_size_names_devices_whole_and_the_worst_first(
    start: Callable[..., TerminalProgram], columns: int, lines: int, devices: int, names: str
) -> None:
    program = start(columns, lines, devices, names=names)
    program.wait_for(is_drawn)
    screen = program.screen
    assert re.match(rf"{devices} devices: 1 cut off, ", screen.text)
    titles = next(line for line in screen.lines if line.lstrip().startswith("device "))
    essential = ["device", "state", "heard", "fps", "missing"]
    assert titles.split()[:5] == essential[: 4 if columns == 60 and names == "long" else 5]
    first = next(line for line in screen.lines if line.startswith(">"))
    assert re.match(rf">(clinic-3/cart-0003|({LONG}/)?ultrasound-cart-of-ward-9-000003)  cut off +1 m +-", first)
    if names == "long" and columns <= 80:
        assert f" {LONG}/" in screen.lines
    if names == "long" and columns > 80:
        assert first.startswith(f">{LONG}/ultrasound-cart-of-ward-9-000003  cut off")
    if "missing" in titles:
        assert re.search(r"\b13\b", first)
    assert "27.4" in screen.text or "  online  " not in screen.text
    assert "…" not in screen.text
    found = re.search(r"rows 1-(\d+) of (\d+); worst first", screen.text)
    assert found is not None
    assert int(found[2]) == devices
    shown = [line for line in screen.lines if re.search("  (silent|cut off|offline|degraded|unknown|online)  ", line)]
    assert len(shown) == int(found[1]) == min(devices, int(found[1]))
    assert devices > 3 or len(shown) == 3
    program.press("q")
    assert program.wait_for_end() == 0
    assert_put_back(program)


def test_keys_move_filter_sort_and_open_one_device(start: Callable[..., TerminalProgram]) -> None:
    program = start(100, 24, 2000)
    program.wait_for(is_drawn)
    program.press(PAGE_DOWN)
    program.wait_for(lambda s: re.search("rows (?!1-)", s.text))
    program.press(END)
    program.wait_for(lambda s: "-2000 of 2000" in s.text)
    program.press("s")
    program.wait_for(lambda s: "sorted by site" in s.text and any(">clinic-0/cart-0007" in line for line in s.lines))
    program.press("r")
    program.wait_for(lambda s: "sorted by site, reversed" in s.text)
    program.press("/cart-0003")
    program.wait_for(lambda s: "filter: cart-0003_" in s.text and ">clinic-3/cart-0003" in s.text)
    program.press("\r")
    program.wait_for(lambda s: "rows 1-1 of 1; sorted by site, reversed; filter: cart-0003" in s.text)
    program.press("\r")
    program.wait_for(lambda s: "epoch-a: 5-16, 20" in s.text and "Esc back" in s.text)
    assert "reason" not in program.screen.text
    assert re.search("^said +online$", program.screen.text, re.MULTILINE)
    program.press(ESCAPE)
    program.wait_for(lambda s: "rows 1-1 of 1" in s.text)
    program.press(ESCAPE)
    program.wait_for(lambda s: "of 2000" in s.text and "filter" not in s.lines[-2])
    program.press(CTRL_C)
    assert program.wait_for_end() == 0
    assert "told: interrupted" in program.screen.before_and_after
    assert_put_back(program)


def test_a_new_size_is_drawn_at_once_and_whole(start: Callable[..., TerminalProgram]) -> None:
    program = start(120, 40)
    program.wait_for(is_drawn)
    for columns, lines in ((60, 15), (200, 50), (80, 24), (20, 3), (80, 24)):
        program.resize(columns, lines)
        program.wait_for(is_drawn if columns > 20 else lambda s: "needs 24x6" in s.text)
    program.press("q")
    program.wait_for_end()
    assert_put_back(program)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)]
)
def test_signals_put_the_terminal_back(
    start: Callable[..., TerminalProgram], number: signal.Signals, code: int
) -> None:
    program = start()
    program.wait_for(is_drawn)
    assert program.settings != program.settings_before
    program.kill(number)
    assert program.wait_for_end() == code
    assert "s of processor time" in program.screen.before_and_after
    assert_put_back(program)


def test_an_exception_puts_the_terminal_back_and_is_seen(start: Callable[..., TerminalProgram]) -> None:
    program = start(80, 24, 3, "fail")
    program.wait_for(is_drawn)
    assert program.wait_for_end() == 1
    assert "RuntimeError: simulated fault" in program.screen.before_and_after, "not on a screen that is gone"
    assert_put_back(program)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash for job control")
def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again() -> None:
    command = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    shell = TerminalProgram(command, 80, 24, {"PS1": "ready> ", "HISTFILE": "/dev/null", "PYTHONPATH": path})
    try:
        shell.wait_for(lambda s: "ready>" in s.before_and_after)
        shell.press(f"{sys.executable} {PROGRAM} 100 short\r")
        shell.wait_for(is_drawn)
        shell.press(CTRL_Z)
        shell.wait_for(lambda s: "Stopped" in s.before_and_after and s.before_and_after.rstrip().endswith("ready>"))
        assert shell.screen.modes == {**shell.screen.modes, "1049": False, "25": True, "7": True}
        shell.press("stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo | wc -w | sed s/2/sane/\r")
        shell.wait_for(lambda s: "sane" in s.before_and_after.partition("Stopped")[2].replace("s/2/sane", ""))
        shell.screen.before_and_after = ""
        shell.resize(100, 30)
        shell.press("fg\r")
        shell.wait_for(lambda s: s.modes["1049"] and is_drawn(s))
        shell.press("/cart-0003")
        shell.wait_for(lambda s: "filter: cart-0003_" in s.text)
        shell.press(CTRL_C)
        shell.wait_for(lambda s: "told: interrupted" in s.before_and_after)
        shell.press("exit\r")
        shell.wait_for_end()
    finally:
        shell.close()


def test_colours_are_left_out_where_they_are_not_wanted(start: Callable[..., TerminalProgram]) -> None:
    colours = {str(number) for number in (*range(30, 38), *range(90, 98))}
    coloured, plain, old = start(), start(NO_COLOR="1"), start(TERM="vt100")
    for program in (coloured, plain, old):
        program.wait_for(is_drawn)
        program.press("q")
        program.wait_for_end()
        assert "cut off" in program.screen.raw
    assert coloured.screen.styles & colours
    assert not plain.screen.styles & colours


def test_an_ascii_output_gets_ascii(start: Callable[..., TerminalProgram]) -> None:
    program = start(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    program.wait_for(is_drawn)
    program.press("/é")
    program.wait_for(lambda s: "filter: ?_" in s.text)
    program.press(ESCAPE)
    program.wait_for(is_drawn)
    program.press("q")
    program.wait_for_end()
    assert program.screen.raw.isascii()


def test_without_a_keyboard_it_is_drawn_and_says_how_to_end_it() -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = ["sh", "-c", f"{sys.executable} {PROGRAM} 3 short </dev/null"]
    program = TerminalProgram(command, 80, 24, {"PYTHONPATH": path})
    try:
        program.wait_for(lambda s: "rows 1-3 of 3" in s.text and "Ctrl-C quit" in s.lines[-1])
        program.press(CTRL_C)
        program.wait_for_end()
        assert "told: interrupted" in program.screen.before_and_after
    finally:
        program.close()


def test_a_terminal_that_goes_away_ends_the_table(start: Callable[..., TerminalProgram]) -> None:
    program = start()
    program.wait_for(is_drawn)
    program.hang_up()
    assert program.wait_for_end() in (0, 128 + signal.SIGHUP, 1)
