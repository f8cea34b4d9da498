"""Command ``python -m training report``: an HTML page and a JSON file from a run's predictions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from training.reporting.collect import collect, plain
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
