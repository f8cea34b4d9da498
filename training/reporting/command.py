"""Command ``python -m training report``: an HTML page and a JSON file from a run's predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from training.classify.recipe import is_classifier_run, is_mask_run
from training.clips.recipe import is_clip_run
from training.evaluation.held_out_predictions import load_held_out
from training.reporting.class_figures import collect_classes
from training.reporting.class_page import build_class_page
from training.reporting.collect import collect, plain, report_of_device
from training.reporting.delivered_table import as_text, delivered_tables, gate_note, goals_table
from training.reporting.mask_report import mask_report
from training.reporting.sections import build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.reporting.collect import ReportOptions


def write_report(wanted: ReportOptions, out: Path, log: Callable[[str], None]) -> None:
    """Write the report into ``out``: ``report.html``, which needs no other file, and ``report.json``, all metrics."""
    if is_classifier_run(wanted.run) or is_clip_run(wanted.run):
        _refuse_lesion_options(wanted)
        if is_mask_run(wanted.run):
            figures, page = mask_report(wanted.run)
        else:
            classes = collect_classes(wanted.run)
            figures, page = classes.figures, build_class_page(classes)
    else:
        found = collect(wanted, log)
        figures, page = found.figures, build(found)
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(plain(figures), indent=1) + "\n", encoding="utf-8")
    (out / "report.html").write_text(page.text(), encoding="utf-8")
    log(f"done: {out / 'report.html'}")


def _refuse_lesion_options(wanted: ReportOptions) -> None:
    """Raise UsageError for options that a classifier's report does not know."""
    given = {
        "--int8": wanted.int8,
        "--across": wanted.across,
        "--left-out": wanted.left_out,
        "--data": wanted.data,
        "--gate": wanted.gate,
        "--home": wanted.home,
    }
    for option, value in given.items():
        if value:
            raise UsageError(
                f"{option} is for breast runs, {wanted.run} is of another recipe",
                hint=f"python -m training report {wanted.run}",
            )


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
