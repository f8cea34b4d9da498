"""Terminal for tests: a program on a real pseudo-terminal, and the screen that a user of it would see.

It knows the few control sequences that every terminal knows, and fails the test at any other.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Makes the pseudo-terminal that of the new session, and becomes the program: signals of its keys need that."""
SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Screen:
    """What stands on a terminal after the text that was fed to it; the cursor, colours and modes too."""

    def __init__(self, columns: int, lines: int) -> None:
        self.resize(columns, lines)
        self.modes: dict[str, bool] = {}
        self.styles: set[str] = set()
        self.raw = ""
        self.before_and_after = ""
        """What was written while no alternate screen was shown, without line ends."""
        self._pending = ""

    def resize(self, columns: int, lines: int) -> None:
        """Change the size; nothing is kept, so that what is shown then was drawn for it."""
        self.columns, self.height = columns, lines
        self._cells = [[" "] * columns for _ in range(lines)]
        self._x = self._y = 0

    @property
    def lines(self) -> list[str]:
        """Lines of the screen without spaces at their ends."""
        return ["".join(line).rstrip() for line in self._cells]

    @property
    def text(self) -> str:
        """The screen as one text."""
        return "\n".join(self.lines)

    def feed(self, text: str) -> None:
        """Process what the program wrote."""
        self.raw += text
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if found is None:
                    assert len(text) - at < 20, f"no sequence that every terminal knows: {text[at : at + 20]!r}"
                    self._pending = text[at:]
                    return
                self._sequence(*found.groups())
                at = found.end()
            else:
                self._put(text[at])
                at += 1

    def _sequence(self, private: str, parameters: str, final: str) -> None:
        if private:
            assert parameters in ("1049", "25", "7"), parameters
            assert final in "hl"
            self.modes[parameters] = final == "h"
            if parameters == "1049":
                self.resize(self.columns, self.height)
        elif final == "H":
            row, _, column = parameters.partition(";")
            self._y, self._x = int(row or 1) - 1, int(column or 1) - 1
            assert self._y < self.height, "drawn below the last line"
        elif final == "J":
            assert parameters == "2"
            self._cells = [[" "] * self.columns for _ in range(self.height)]
        elif final == "K":
            assert parameters in ("", "0")
            self._cells[self._y][self._x :] = [" "] * (self.columns - self._x)
        else:
            assert final == "m", f"no sequence that every terminal knows: {parameters}{final}"
            self.styles |= set(parameters.split(";"))

    def _put(self, character: str) -> None:
        if character == "\r":
            self._x = 0
        elif character == "\n":
            self._y = min(self._y + 1, self.height - 1)
        elif not self.modes.get("1049"):  # lines of a shell, which may be long
            self.before_and_after += character
        else:
            assert character.isprintable(), f"control character {character!r}"
            width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
            if unicodedata.combining(character):
                return
            assert self._x + width <= self.columns, f"a line wider than the terminal: {self.lines[self._y]!r}"
            self._cells[self._y][self._x : self._x + width] = [character, *([""] * (width - 1))]
            self._x += width


class TerminalProgram:
    """A program on a pseudo-terminal of its own: session leader, with ``columns`` x ``lines``."""

    def __init__(
        self, command: Sequence[str], columns: int, lines: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self.screen = Screen(columns, lines)
        self.exit_code: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.main, self._side = pty.openpty()
        self._set_size(columns, lines)
        self.settings_before = termios.tcgetattr(self._side)
        values = {**os.environ, "TERM": "xterm-256color", **(environment or {})}
        for name in ("COLUMNS", "LINES", *(name for name, value in values.items() if value == "")):
            values.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TAKE_TERMINAL, *command],
            stdin=self._side,
            stdout=self._side,
            stderr=self._side,
            env=values,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def settings(self) -> list[object]:
        """Settings of the terminal now."""
        return termios.tcgetattr(self._side)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size as a user does, or tmux: the program gets SIGWINCH."""
        self.read(0.0)
        self.screen.resize(columns, lines)
        self._set_size(columns, lines)

    def press(self, keys: str) -> None:
        """Send keys; escape sequences in one piece."""
        os.write(self.main, keys.encode())

    def hang_up(self) -> None:
        """Close the terminal under the program, as an ssh connection that breaks does."""
        os.close(self._side)
        os.close(self.main)
        self.main = self._side = -1

    def read(self, timeout_s: float) -> bool:
        """Feed the screen with what the program has written; False if there was nothing in time."""
        if self.main < 0:
            time.sleep(min(0.05, timeout_s))
            return False
        got = False
        while select.select([self.main], [], [], 0.0 if got else timeout_s)[0]:
            self.screen.feed(self._decoder.decode(os.read(self.main, 65536)))
            got = True
        return got

    def wait_for(self, condition: Callable[[Screen], object], timeout_s: float = 60.0) -> None:
        """Read until ``condition`` holds for the screen; fails the test with the screen if it does not in time."""
        deadline = time.monotonic() + timeout_s
        while not condition(self.screen):
            self.read(0.1)
            assert time.monotonic() < deadline, f"not in time; the screen is\n{self.screen.text}"

    def wait_for_end(self, timeout_s: float = 60.0) -> int:
        """Read until the program has ended; its exit code, negative for a signal."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.read(0.05)
            self.exit_code = self._process.poll()
            if self.exit_code is not None:
                self.read(0.0)
                return self.exit_code
            assert time.monotonic() < deadline, f"has not ended; the screen is\n{self.screen.text}"

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the program."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End the program, if it still runs, and close the terminal."""
        if self.exit_code is None:
            self._process.kill()
            self._process.wait()
        if self.main >= 0:
            os.close(self.main)
            os.close(self._side)
