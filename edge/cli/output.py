"""Output of commands on stdout: JSON that stays JSON whatever encoding stdout has."""

from __future__ import annotations

import sys

from edge.cli.errors import require_stdout
from edge.process.text_streams import ascii_json, takes_unicode


def print_json(text: str) -> None:
    """Print JSON text, at once; characters that stdout cannot take are escaped as JSON has it.

    Raises `DeviceError` if stdout was closed.
    """
    require_stdout()
    print(text if takes_unicode(sys.stdout) else ascii_json(text), flush=True)


def printable(text: str) -> str:
    """Text without the control characters that terminals act on: a bundle's words are a stranger's."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
