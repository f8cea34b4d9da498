"""The structure rules see what they are there to see."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools.source_tree import SourceFile, definitions
from tools.structure_rules import MAX_FILE_LINES, MAX_FUNCTION_LINES, long_sleeps, repeated_classes, violations


def source(text: str, path: str = "edge/thing.py") -> SourceFile:
    return SourceFile(Path(path), text, ast.parse(text))


HEAD = '"""A module about nothing at all."""\n'
DOCSTRING = '    """Return the number of this thing."""\n'


def test_a_file_that_keeps_the_rules() -> None:
    assert not list(violations(source(f"{HEAD}def number():\n{DOCSTRING}    return 1\n")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""Of one device."""\n', "fewer than 5 words"),
        ('"""Of one device and what it sent to the broker."""\n', "does not say what it is"),
        ('"""Where each message lies until it is sent."""\n', "does not say what it is"),
        (f'{HEAD}class Thing:\n    """All of it."""\n', "Thing: first line"),
        (
            f'{HEAD}class Thing:\n    """A thing to be held by hand."""\n\n    def get(self):\n        """It."""\n',
            "Thing.get",
        ),
        (f"{HEAD}def number():\n{DOCSTRING}" + "    x = 1\n" * MAX_FUNCTION_LINES, "52 lines, more than 50"),
        (HEAD + "x = 1\n" * MAX_FILE_LINES, "301 lines, more than 300"),
    ],
)
def test_what_is_against_the_rules_is_told(text: str, expected: str) -> None:
    (found,) = violations(source(text))
    assert expected in found


def test_private_names_may_be_short() -> None:
    assert not list(violations(source(f'{HEAD}def _number():\n    """Of it."""\n')))


def test_a_public_class_has_one_name_in_the_whole_tree() -> None:
    files = [source("class Row: ...\nclass _Row: ...\n", f"{package}/rows.py") for package in ("edge", "tests")]
    (found,) = repeated_classes(files)
    assert found == "class Row stands 2 times: edge/rows.py:1, tests/rows.py:1"
    assert not list(repeated_classes([files[0], source("def test():\n    class Row: ...\n", "tests/test_rows.py")]))


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("time.sleep(0.5)", 1),
        ("sleep(2)", 1),
        ("time.sleep(0.4)", 0),
        ("time.sleep(600)", 0),
        ("time.sleep(pause_s)", 0),
    ],
)
def test_a_test_waits_for_conditions_and_not_for_moments(call: str, found: int) -> None:
    assert len(list(long_sleeps(source(f"def test():\n    {call}\n", "tests/test_waits.py")))) == found


def test_definitions_are_named_by_where_they_stand() -> None:
    tree = ast.parse("class A:\n    def b(self):\n        def c(): ...\nif True:\n    def d(): ...\n")
    assert [name for name, _ in definitions(tree)] == ["A", "A.b", "A.b.c", "d"]
