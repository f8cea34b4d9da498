"""Figures as a user gets them, as tables: for a terminal and for the report's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.evaluation.bootstrap import MetricInterval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.evaluation.delivered import DeliveredGoal
    from training.reporting.page import Page

POINT = {
    "auc": "AUC as told",
    "auc_head": "AUC of the head",
    "sensitivity": "sensitivity, malignancy alone",
    "specificity": "specificity, malignancy alone",
    "ece": "ECE",
}
YOUDEN = {"sensitivity": "sensitivity, Youden's point", "specificity": "specificity, Youden's point"}
DELIVERED = {
    "coverage": "judged",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "cancers_clear": "cancers called clear",
    "cancers_abstained": "cancers not judged",
    "calls_uncertain": "calls uncertain",
    "error_certain": "wrong, of certain calls",
    "error_uncertain": "wrong, of uncertain calls",
}
WITHOUT_LESION = {
    "clear": "clear",
    "finding": "finding",
    "suspicious": "suspicious finding",
    "heads_disagree": "heads_disagree",
    "too_uncertain": "too_uncertain",
    "wrong_anatomy": "wrong_anatomy",
}
SECTION = (
    "As a user gets it",
    "What a device says of each picture by its own rules: anatomy gate, presence of a lesion, operating point, "
    "interval of uncertain calls. A cancer that is not judged counts as missed, a benign lesion that is not judged as "
    "not cleared; cancers called clear were judged, and no lesion was detected. Calibration and operating point of "
    "each picture were fitted on stranger splits without its patient; a stranger split is judged by what was fitted on "
    "the others.",
)


def delivered_tables(found: Sequence[dict[str, Any]]) -> list[tuple[list[str], list[list[Any]]]]:
    """Tables of the figures of `training.evaluation.delivered.delivered`: heads and rows, empty ones left out."""
    lesions = [
        [each["name"], each["pictures"], each["malignant"], _limits(each["threshold"])]
        + [each["at_point"][name] for name in POINT]
        + [each["at_youden"][name] for name in YOUDEN]
        for each in found
    ]
    given = [[each["name"], *(each["as_delivered"][name] for name in DELIVERED)] for each in found]
    normal = [
        [each["name"], each["normals"], *(each["without_lesion"][name] for name in WITHOUT_LESION)]
        for each in found
        if each["without_lesion"] is not None
    ]
    tables = [
        (["at the operating point", "n", "malignant", "from", *POINT.values(), *YOUDEN.values()], lesions),
        (["as a user gets it", *DELIVERED.values()], given),
        (["pictures without a lesion", "n", *WITHOUT_LESION.values()], normal),
    ]
    return [(head, rows) for head, rows in tables if rows]


def gate_note(found: Sequence[dict[str, Any]]) -> str:
    """Say in which of the figures an anatomy gate took part."""
    without = [each["name"] for each in found if not each["gate"]]
    if not without:
        return "The anatomy gate took part."
    return f"No anatomy gate took part in: {', '.join(without)}. What it refuses of breasts is to be taken off."


def goals_table(goals: Sequence[DeliveredGoal]) -> tuple[list[str], list[list[Any]]]:
    """Table of the goals: head and rows."""
    rows: list[list[Any]] = [
        [goal.what, goal.where, goal.figure, _wanted(goal.at_least, goal.wanted), _met(goal.met)] for goal in goals
    ]
    return ["goal", "where", "measured", "wanted", "reached"], rows


def add_section(page: Page, found: Sequence[dict[str, Any]], goals: Sequence[dict[str, Any]]) -> None:
    """Add the section of figures as a user gets them to the report's page; nothing without stranger splits."""
    if not found:
        return
    page.section(*SECTION)
    for head, rows in delivered_tables(found):
        page.table(head, rows)
    page.note(gate_note(found))
    page.heading("Goals")
    page.table(
        ["goal", "where", "measured", "wanted", "reached"],
        [
            [g["what"], g["where"], MetricInterval(**g["figure"]), _wanted(g["at_least"], g["wanted"]), _met(g["met"])]
            for g in goals
        ],
    )


def as_text(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """One table as aligned text, for a terminal."""
    lines = [[str(cell) for cell in head]] + [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _text(cell: Any) -> str:
    if isinstance(cell, MetricInterval):
        return f"{cell.value:.3f} ({cell.low:.3f}-{cell.high:.3f})"
    return str(cell)


def _limits(limits: Sequence[float]) -> str:
    low, high = (f"{value:.3f}" for value in limits)
    return low if low == high else f"{low} to {high}"


def _wanted(at_least: bool, value: float) -> str:
    return f"{'>=' if at_least else '<='} {value:.2f}"


def _met(met: bool) -> str:
    return "yes" if met else "no"
