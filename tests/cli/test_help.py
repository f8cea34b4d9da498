"""Every command has a help that is short to wait for, and ends in an example that can be run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer

from edge.cli.main import COMMANDS, command_tree, load, run

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = {"numpy", "cv2", "pydicom", "paho", "ai_edge_litert", "tensorflow", "rich", "asyncio"}


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """``command`` and all below it, with the words that lead there."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from walk(child, (*path, name))


def all_of(name: str) -> list[tuple[tuple[str, ...], Any]]:
    return list(walk(load(name), (name,)))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    assert load(name).help.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_begins_with_a_sentence_and_explains_every_parameter(name: str) -> None:
    for path, command in all_of(name):
        first = command.help.splitlines()[0]
        assert first.endswith("."), (path, first)
        assert len(first) <= 100, (path, first)
        for parameter in command.params:
            assert parameter.help, (path, parameter.name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_in_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path, _ in all_of(name):
        assert run([*path, "--help"]) == 0
        shown, _, example = capsys.readouterr().out.partition("\n  Example:\n")
        assert "Options:" in shown
        examples = example.strip().splitlines()
        assert examples, path
        for line in examples:
            parse(line)
        assert any(words_of(line)[: len(path)] == list(path) for line in examples), path


def test_the_top_level_help_ends_in_examples_too_and_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown, _, example = capsys.readouterr().out.partition("\n  Example:\n")
    for name in COMMANDS:
        assert f"\n  {name} " in shown
    for line in example.strip().splitlines():
        parse(line)


def words_of(line: str) -> list[str]:
    """The arguments of an example, without variables before it and redirection behind it."""
    words = shlex.split(line)
    while "=" in words[0]:
        words.pop(0)
    assert words.pop(0) == "edge-cli", line
    ends = [i for i, word in enumerate(words) if word in ("|", ">", "&", "&&")]
    return words[: ends[0]] if ends else words


def names_no_child(command: Any, words: list[str]) -> bool:
    """Whether ``words`` are for ``command`` itself, which does something without a sub-command too."""
    return command.name is not None and not (words and words[0] in command.commands)


def parse(line: str) -> None:
    """Fails unless the command, its options and their values are such as exist."""
    words = words_of(line)
    command: Any = command_tree()
    context = command.make_context("edge-cli", [], resilient_parsing=True)
    while hasattr(command, "commands") and not (command.invoke_without_command and names_no_child(command, words)):
        command = command.get_command(context, words.pop(0))
    try:
        command.make_context("edge-cli", words)
    except typer.BadParameter.__mro__[1] as error:
        pytest.fail(f"{line}: {error}")


@pytest.mark.parametrize(
    "args", [[], *([name] for name in COMMANDS), ["config", "show"], ["model", "info"]], ids=" ".join
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = (
        "import sys; from edge.cli.main import run; code = run(sys.argv[1:]);"
        f"heavy = {HEAVY!r} & set(sys.modules); sys.exit(code or (f'imported {{heavy}}' if heavy else 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *args, "--help"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "COLUMNS": "100"},
    )
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: edge-cli")
