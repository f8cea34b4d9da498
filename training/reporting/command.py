"""Command ``python -m training report``: an HTML page and a JSON file from a run's predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from training.evaluation.held_out_predictions import load_held_out
from training.reporting.collect import collect, plain, report_of_device
from training.reporting.delivered_table import as_text, delivered_tables, gate_note, goals_table
from training.reporting.sections import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.reporting.collect import ReportOptions


def write_report(wanted: ReportOptions, out: Path, log: Callable[[str], None]) -> None:
    """Write the report into ``out``: ``report.html``, which needs no other file, and ``report.json``, all metrics."""
    found = collect(wanted, log)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(plain(found.figures), indent=1) + "\n", encoding="utf-8")
    (out / "report.html").write_text(build(found).text(), encoding="utf-8")
    log(f"done: {out / 'report.html'}")


def print_delivered(wanted: ReportOptions, say: Callable[[str], None], as_json: bool = False) -> None:
    """Print the figures as a user gets them, and the goals. Raises UsageError without enough stranger splits."""
    device = report_of_device(wanted, load_held_out(wanted.run), lambda _: None)
    if device is None:
        raise UsageError(
            "expected a cross-validation (or one run and --home), and stranger splits of which each can be judged by "
            "the others",
            hint="give --across RUN and --left-out RUN: runs tested on hospitals and scanners that they never saw",
        )
    if as_json:
        say(json.dumps(plain(device.figures), indent=1))
        return
    found = device.figures["delivered"]
    for head, rows in delivered_tables(found):
        say(as_text(head, rows) + "\n")
    say(gate_note(found) + "\n")
    say(as_text(*goals_table(device.goals)))
