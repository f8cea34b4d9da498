"""Line numbers of the keys of a TOML file, in every shape that TOML allows."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.toml_lines import KeyPath, key_lines

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOUR = """\
# a comment with [brackets] = and "quotes"
title = "a # b"   # not [a.table]
"quoted key" = 1
'literal.key' = 2
"esc\\u0061ped" = 3
a.b.c = 4

[server]
text = \"\"\"
[not.a.table]
x = 1 \\\"\"\" still inside
four quotes: \"\"\"\"
raw = '''
[nor.this]
'''
list = [
  1,   # one
  # nothing
  { x = 1, y = [2, 3] },
  [4,
   5],
]
when = 1979-05-27 07:32:00  # a space within a value

[[streams]]
name = "one"
[streams.calibration]
mm_x = 0.1
[[streams]]
name = "two"
[[streams.inner]]
z = 1
[[streams.inner]]
z = 2
"""


def test_every_shape_of_key_has_its_line() -> None:
    lines = key_lines(TOUR)
    expected: dict[KeyPath, int] = {
        ("title",): 2,
        ("quoted key",): 3,
        ("literal.key",): 4,
        ("escaped",): 5,
        ("a", "b", "c"): 6,
        ("server",): 8,
        ("server", "text"): 9,
        ("server", "raw"): 13,
        ("server", "list"): 16,
        ("server", "list", 0): 17,
        ("server", "list", 1): 19,
        ("server", "list", 1, "y", 1): 19,
        ("server", "list", 2): 20,
        ("server", "list", 2, 1): 21,
        ("server", "when"): 23,
        ("streams",): 25,
        ("streams", 0): 25,
        ("streams", 0, "calibration"): 27,
        ("streams", 0, "calibration", "mm_x"): 28,
        ("streams", 1): 29,
        ("streams", 1, "name"): 30,
        ("streams", 1, "inner", 0, "z"): 32,
        ("streams", 1, "inner", 1): 33,
        ("streams", 1, "inner", 1, "z"): 34,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert set(lines) == set(paths_of(tomllib.loads(TOUR)))


def test_windows_line_ends_count_once() -> None:
    assert key_lines("a = 1\r\n\r\n[t]\r\nb = 2\r\n") == {("a",): 1, ("t",): 3, ("t", "b"): 4}


@pytest.mark.parametrize("text", ["", "=", "[", "[[a]", "a", "a =", 'a = "open', "a = [1, 2", "a = {b = ", '"""', "]"])
def test_what_is_no_toml_ends_quietly(text: str) -> None:
    assert all(line == 1 for line in key_lines(text).values())


@given(st.text(alphabet="ab.=[]{}\"'\\#,\n 1", max_size=60))
def test_any_text_ends_and_valid_toml_has_all_its_keys(text: str) -> None:
    lines = key_lines(text)
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(lines) == set(paths_of(tree))


class Writer:
    """Writes random TOML in which every key and scalar holds a number of its own, so that its line can be found."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.text, self.count = draw, "", 0
        self.tokens: dict[KeyPath, str] = {}

    def token(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}x"

    def pick(self, *choices: Any) -> Any:
        return self.draw(st.sampled_from(choices))

    def key(self) -> tuple[str, str]:
        name = self.token("k")
        return name, self.pick(name, f'"{name}"', f"'{name}'", f' "{name}" ')

    def gap(self) -> str:
        return self.pick("", " ", "\n", " # ] } , = ' \"\n", "\n\n\t")

    def pair(self, table: KeyPath, depth: int) -> str:
        keys = [self.key() for _ in range(self.pick(1, 1, 2))]
        path = table
        for name, _ in keys:
            path = (*path, name)
            self.tokens[path] = name
        return ".".join(written for _, written in keys) + " = " + self.value(path, depth)

    def value(self, path: KeyPath, depth: int) -> str:
        kind = self.pick("basic", "literal", "long", "long literal", "date", "list", "table")
        if depth > 2 and kind in ("list", "table"):
            kind = "basic"
        if kind == "list":
            items = [self.value((*path, i), depth + 1) for i in range(self.pick(0, 1, 3))]
            return "[" + self.gap() + "".join(f"{item}{self.gap()},{self.gap()}" for item in items) + "]"
        if kind == "table":
            return "{" + ", ".join(self.pair(path, depth + 1) for _ in range(self.pick(0, 1, 2))) + "}"
        if kind == "date":
            return self.pick("1979-05-27 07:32:00", "true", "-1.5e-3", "inf", "0xff")
        token = self.token("v")
        if isinstance(path[-1], int):
            self.tokens[path] = token
        return {
            "basic": f'"{token} # ] }} \\" = \\\\"',
            "literal": f"'{token} [ \" \\'",
            "long": f'"""{token}\n[a]\nb = 1 \\"""\n{self.pick("", chr(34), chr(34) * 2)}"""',
            "long literal": f"'''{token}\n# ]''\\'''",
        }[kind]

    def lines(self, table: KeyPath) -> None:
        for _ in range(self.pick(0, 1, 2)):
            self.text += self.pick("", "\n", "  # [c]\n", "\t") + self.pair(table, 0) + self.pick("\n", " # x = 1\n")

    def document(self) -> None:
        self.lines(())
        for _ in range(self.pick(0, 1, 2)):
            name, written = self.key()
            repeats = self.pick(0, 1, 3)
            if not repeats:
                self.tokens[name,] = name
                self.text += f"[ {written} ]\n"
                self.lines((name,))
            for i in range(repeats):
                self.text += f"[[{written}]] # item\n"
                self.lines((name, i))
                if self.pick(True, False):
                    inner, inner_written = self.key()
                    self.tokens[name, i, inner] = inner
                    self.text += f"[{written}.{inner_written}]\n"
                    self.lines((name, i, inner))


@st.composite
def written(draw: Any) -> Writer:
    writer = Writer(draw)
    writer.document()
    return writer


@given(written())
def test_each_key_and_item_is_found_on_the_line_that_it_was_written_on(writer: Writer) -> None:
    lines = key_lines(writer.text)
    assert set(lines) == set(paths_of(tomllib.loads(writer.text)))
    for path, token in writer.tokens.items():
        assert lines[path] == writer.text[: writer.text.index(token)].count("\n") + 1, (path, writer.text)


def paths_of(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """Of all keys and list items below ``value``."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[KeyPath] = []
    for key, item in pairs:
        found += [(*path, key), *paths_of(item, (*path, key))]
    return found
