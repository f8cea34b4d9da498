"""``edge-cli doctor``: checks this machine and prints what is missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.cli.output import print_json as print_json_text
from edge.cli.paths import one_of

if TYPE_CHECKING:
    from edge.doctor.check import Check, Mark

MARKS: dict[Mark, tuple[str, str]] = {
    "ok": ("✓", "32"),
    "warning": ("!", "33"),
    "wrong": ("✗", "31"),
    "absent": ("-", "2"),
}
"""Sign and ANSI colour of each mark, on a terminal."""
WIDTH = 9
"""Of the column of words that stands in for the signs elsewhere."""


def command(
    file: Annotated[
        Path | None, typer.Argument(help="TOML file of the daemon; - for stdin.", show_default=False)
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The same, as other commands take it; default: none.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, when all is done.")] = False,
) -> int:
    """Check this machine: runtimes, devices, disk, clock, brokers; say what is missing.

    Every runtime that is installed is made, and replays the model's golden vectors, in a process of its own. Streams
    and receivers of the configuration are tried: a broker gets one message, on the topic check below the device's.

    Exit code 0 if all is well (warnings and what is absent do not count), else 3 for the configuration, 4 for the
    model, 5 for this machine, 6 for a broker; of several the lowest.

    Example:
      edge-cli doctor
      edge-cli doctor --config edge.toml --json
    """
    from edge.app.logs import set_up_logs
    from edge.config.settings import LogSettings
    from edge.doctor.all_checks import run_all_checks
    from edge.doctor.check import exit_code_of

    set_up_logs(LogSettings(level="error"))
    checks = []
    group = ""
    for check in run_all_checks(one_of(file, config, "--config")):
        checks.append(check)
        if not as_json:
            if check.group != group:
                group = check.group
                print(f"{'' if len(checks) == 1 else chr(10)}{group}")
            print(check_line(check, coloured=sys.stdout.isatty() and "NO_COLOR" not in os.environ), flush=True)
    code = exit_code_of(checks)
    if as_json:
        print_json(checks, code)
    else:
        print(f"\n{summary(checks)}")
    return code


def check_line(check: Check, *, coloured: bool) -> str:
    """Text of one check; its hint, if any, on a line below."""
    from edge.cli.errors import one_line

    word, colour = MARKS[check.mark]
    mark = f"\x1b[{colour}m{word}\x1b[0m " if coloured else f"{'-' if check.mark == 'absent' else check.mark:{WIDTH}}"
    text = f"  {mark}{one_line(check.name)}: {one_line(check.text)}"
    if check.hint:
        text += f"\n{' ' * (2 + (2 if coloured else WIDTH))}-> {one_line(check.hint)}"
    return text


def summary(checks: list[Check]) -> str:
    """Text of the last line: how much is wrong."""
    wrong, warnings = (sum(check.mark == mark for check in checks) for mark in ("wrong", "warning"))
    if not wrong and not warnings:
        return "all is well"
    return f"{wrong} wrong, {warnings} warning{'' if warnings == 1 else 's'}"


def print_json(checks: list[Check], code: int) -> None:
    """Print all checks as JSON, with what a script wants to know first."""
    import msgspec

    data = {"ok": code == 0, "exit_code": code, "checks": checks}
    print_json_text(msgspec.json.format(msgspec.json.encode(data)).decode())
