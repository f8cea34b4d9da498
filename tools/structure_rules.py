"""Checks what ruff does not: sizes of files and functions, first lines of docstrings, repeated classes, long sleeps.

``python -m tools.structure_rules`` prints one line for each violation and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from tools.source_tree import TESTS, Definition, SourceFile, definitions, first_paragraph, read_files

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
MIN_WORDS, MIN_WORDS_OF_METHOD = 5, 4
"""Fewer words in a first line say nothing to a stranger; a method has its class beside it."""
FRAGMENT = re.compile(r"(Of|As|Like|Same|For|By|At|From|With|In|On|To|Its|Their|Those|These|When|Where)(?=[ ,])|See `")
"""A first line that begins so says what a thing belongs to, or where and when it is, and not what it is."""
SLEEP_S, HANG_S = 0.5, 30.0
"""A fixed sleep in a test is shorter than the first. From the second on it is no pause: it plays what hangs."""


def main() -> int:
    """Print all violations; the exit code."""
    files, tests = read_files(), read_files(folders=TESTS)
    found = [line for file in files for line in violations(file)] + list(repeated_classes(files + tests))
    found += [line for file in tests for line in long_sleeps(file)]
    print("\n".join(found) or f"{len(files)} files and {len(tests)} of tests keep the structure rules")
    return int(bool(found))


def violations(file: SourceFile) -> Iterator[str]:
    """What one file does against the rules, a line each."""
    if file.lines > MAX_FILE_LINES:
        yield f"{file.path}: {file.lines} lines, more than {MAX_FILE_LINES}"
    if problem := first_line_problem(file.summary, MIN_WORDS):
        yield f"{file.path}:1: module: {problem}"
    for name, node in definitions(file.tree):
        where = f"{file.path}:{node.lineno}: {name}"
        if not isinstance(node, ast.ClassDef) and (length := line_count(node)) > MAX_FUNCTION_LINES:
            yield f"{where}: {length} lines, more than {MAX_FUNCTION_LINES}"
        words = MIN_WORDS_OF_METHOD if "." in name else MIN_WORDS
        if is_public(name) and (problem := first_line_problem(first_paragraph(ast.get_docstring(node)), words)):
            yield f"{where}: {problem}"


def first_line_problem(line: str, min_words: int) -> str | None:
    """Why ``line`` does not tell a stranger what a thing is; None if it does, or if there is no docstring."""
    if not line:
        return None  # whether one is needed is ruff's business (D1)
    if len(line.split()) < min_words:
        return f"first line of the docstring has fewer than {min_words} words: {line!r}"
    if FRAGMENT.match(line):
        return f"first line of the docstring does not say what it is: {line!r}"
    return None


def line_count(node: Definition) -> int:
    """Lines from ``def`` to the last line of the body; decorators do not count."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def is_public(name: str) -> bool:
    """Whether no part of the dotted name begins with an underscore."""
    return not any(part.startswith("_") for part in name.split("."))


def repeated_classes(files: list[SourceFile]) -> Iterator[str]:
    """Public classes whose name stands in more than one place; classes inside functions are nobody else's."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for file in files:
        for node in file.tree.body:
            if isinstance(node, ast.ClassDef) and is_public(node.name):
                places[node.name].append(f"{file.path}:{node.lineno}")
    for name, where in sorted(places.items()):
        if len(where) > 1:
            yield f"class {name} stands {len(where)} times: {', '.join(where)}"


def long_sleeps(file: SourceFile) -> Iterator[str]:
    """Fixed sleeps in a test that wait for a moment where they could wait for a condition."""
    for node in ast.walk(file.tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).split(".")[-1] == "sleep"
            and isinstance(seconds := getattr(next(iter(node.args), None), "value", None), int | float)
            and SLEEP_S <= seconds < HANG_S
        ):
            yield f"{file.path}:{node.lineno}: a fixed sleep of {seconds:g} s; wait for a condition"


if __name__ == "__main__":
    sys.exit(main())
