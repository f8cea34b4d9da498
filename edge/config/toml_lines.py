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
    with suppress(_NotTomlError):
        scanner.document()
    return scanner.lines


class _NotTomlError(Exception):
    """The text at the current position is no valid TOML."""


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
        """Scan the whole text, table by table."""
        table: KeyPath = ()
        while self.skip(GAP) < len(self.text):
            if self.accept("[["):
                table = self.header("]]", is_array=True)
            elif self.accept("["):
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
        """Scan one pair ``a.b = value`` of ``table``."""
        line, path = self.line(), table
        for key in self.keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.expect("=")
        self.value(path)

    def keys(self) -> list[str]:
        """One key, or several with dots between them."""
        keys = [self.key()]
        while self.skip(SPACE) < len(self.text) and self.accept("."):
            keys.append(self.key())
        return keys

    def key(self) -> str:
        """One bare or quoted key."""
        self.skip(SPACE)
        if bare := self.match(BARE_KEY):
            return bare
        quoted = self.match(STRING)
        if not quoted:
            raise _NotTomlError
        try:
            return str(tomllib.loads(f"k = {quoted}")["k"])
        except tomllib.TOMLDecodeError:
            raise _NotTomlError from None

    def value(self, path: KeyPath) -> None:
        """Scan the value at ``path``, with all keys and items in it."""
        self.skip(SPACE)
        if self.accept("["):
            self.array(path)
        elif self.accept("{"):
            while not self.closes("}"):
                self.pair(path)
        elif not (self.match(STRING) or self.match(PLAIN_VALUE)):
            raise _NotTomlError

    def array(self, path: KeyPath) -> None:
        """Scan the items of the array at ``path``, after its opening bracket."""
        index = 0
        while not self.closes("]"):
            item: KeyPath = (*path, index)
            self.lines[item] = self.line()
            self.value(item)
            index += 1

    def closes(self, bracket: str) -> bool:
        """Skip commas, comments and line ends; whether ``bracket`` follows, which is skipped too."""
        self.skip(GAP)
        if self.accept(","):
            self.skip(GAP)
        return self.accept(bracket)

    def line(self) -> int:
        """The number of the line that ``at`` is on."""
        before, number = self._counted
        number += self.text.count("\n", before, self.at)
        self._counted = (self.at, number)
        return number

    def skip(self, pattern: re.Pattern[str]) -> int:
        """Skip what ``pattern`` matches here; the new position."""
        self.match(pattern)
        return self.at

    def match(self, pattern: re.Pattern[str]) -> str:
        """Skip what ``pattern`` matches here and return it; "" if it does not match."""
        found = pattern.match(self.text, self.at)
        if found is None:
            return ""
        self.at = found.end()
        return found.group()

    def accept(self, token: str) -> bool:
        """Skip ``token`` if it stands here; whether it does."""
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        """Skip spaces and ``token``; raise `_NotTomlError` if it does not stand here."""
        self.skip(SPACE)
        if not self.accept(token):
            raise _NotTomlError
