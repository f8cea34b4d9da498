"""Paths on the command line: ``-`` for standard input and output, and files that may be given in two ways."""

from __future__ import annotations

from pathlib import Path

DASH = Path("-")
"""Standard input where a file is read, standard output where one is written."""


def unless_dash(path: Path | None) -> Path | None:
    """Path of a file to write; None (standard output) also for ``-``."""
    return None if path == DASH else path


def one_of(argument: Path | None, option: Path | None, name: str) -> Path | None:
    """The one path that was given as argument or by the option ``name``. Raises `UsageError` if both were, unlike."""
    from edge.contracts.errors import UsageError

    if argument is not None and option is not None and argument != option:
        raise UsageError(f"{argument} and {name} {option} are two files", hint="give one of them")
    return option if argument is None else argument
