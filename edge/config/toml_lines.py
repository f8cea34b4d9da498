"""Line numbers of the keys in a TOML file, since Python's TOML parser does not tell them."""

from __future__ import annotations

import re
import sys
from contextlib import suppress

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KeyPath = tuple["str | int", ...]
"""Path from the root to a value: names of keys, and 0-based positions in lists: ``("streams", 0, "source")``."""

SPACE = re.compile(r"[ \t]*")
GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
PLAIN_VALUE = re.compile(r"[^,\]}#\r\n]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Find the line numbers, from 1, of every key and list item of ``text``.

    ``text`` is TOML that the real parser has accepted; of other text, as many are found as can be.
    """
    scanner = _Scanner(text)
    with suppress(_LostError):
        scanner.document()
    return scanner.lines


class _LostError(Exception):
    """The text is not what a TOML file has here."""


class _Scanner:
    """Scans the text once; ``at`` is the current position."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self.tables_in: dict[KeyPath, int] = {}
        """How many tables each array of tables, ``[[…]]``, has so far."""
        self._counted = (0, 1)

    def document(self) -> None:
        table: KeyPath = ()
        while self.skip(GAP) < len(self.text):
            if self.take("[["):
                table = self.header("]]", is_array=True)
            elif self.take("["):
                table = self.header("]", is_array=False)
            else:
                self.pair(table)

    def header(self, end: str, *, is_array: bool) -> KeyPath:
        """The path of the table that begins here. A name on the way that is an array means its last table."""
        line, keys = self.line(), self.keys()
        self.expect(end)
        path: KeyPath = ()
        for i, key in enumerate(keys):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_array and i == len(keys) - 1:
                self.tables_in[path] = self.tables_in.get(path, 0) + 1
            if path in self.tables_in:
                path = (*path, self.tables_in[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def pair(self, table: KeyPath) -> None:
        """``a.b = value``."""
        line, path = self.line(), table
        for key in self.keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.expect("=")
        self.value(path)

    def keys(self) -> list[str]:
        """One key, or several with dots between them."""
        keys = [self.key()]
        while self.skip(SPACE) < len(self.text) and self.take("."):
            keys.append(self.key())
        return keys

    def key(self) -> str:
        self.skip(SPACE)
        if bare := self.match(BARE_KEY):
            return bare
        quoted = self.match(STRING)
        if not quoted:
            raise _LostError
        try:
            return str(tomllib.loads(f"k = {quoted}")["k"])
        except tomllib.TOMLDecodeError:
            raise _LostError from None

    def value(self, path: KeyPath) -> None:
        self.skip(SPACE)
        if self.take("["):
            self.array(path)
        elif self.take("{"):
            while not self.closes("}"):
                self.pair(path)
        elif not (self.match(STRING) or self.match(PLAIN_VALUE)):
            raise _LostError

    def array(self, path: KeyPath) -> None:
        index = 0
        while not self.closes("]"):
            item: KeyPath = (*path, index)
            self.lines[item] = self.line()
            self.value(item)
            index += 1

    def closes(self, bracket: str) -> bool:
        """Step over commas, comments and line ends; whether ``bracket`` follows, stepping over that too."""
        self.skip(GAP)
        if self.take(","):
            self.skip(GAP)
        return self.take(bracket)

    def line(self) -> int:
        """The number of the line that ``at`` is on."""
        before, number = self._counted
        number += self.text.count("\n", before, self.at)
        self._counted = (self.at, number)
        return number

    def skip(self, pattern: re.Pattern[str]) -> int:
        self.match(pattern)
        return self.at

    def match(self, pattern: re.Pattern[str]) -> str:
        """What ``pattern`` matches here, stepping over it; "" if it does not."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def take(self, token: str) -> bool:
        """Step over ``token`` if it stands here."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        self.skip(SPACE)
        if not self.take(token):
            raise _LostError
