"""Sections of the report page in the order in which a reader asks for them, each with what its metrics mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.reporting import delivered_table, plots, validity_sections
from training.reporting.page import Page, number, span
from training.reporting.wording import CLASSES, POINTS, RATES, WORDS

if TYPE_CHECKING:
    from training.evaluation.bootstrap import MetricInterval
    from training.reporting.collect import ReportData


def build(c: ReportData) -> Page:
    """Build the page with all sections of what was collected."""
    about = c.figures["about"]
    page = Page(f"What the model is worth: {about['run']}", _lead(about))
    _headline(page, c)
    delivered_table.add_section(page, c.figures["delivered"], c.figures["goals"])
    _operating(page, c)
    _calibration(page, c)
    _subgroups(page, c)
    _elsewhere(page, c)
    validity_sections.no_lesion(page, c)
    validity_sections.abstention(page, c)
    validity_sections.descriptors(page, c)
    validity_sections.quantised(page, c)
    validity_sections.perturbations(page, c)
    validity_sections.saliency_maps(page, c)
    validity_sections.worst_mistakes(page, c)
    _method(page, c)
    return page


def _lead(about: dict[str, Any]) -> str:
    sets = "; ".join(
        f"{name}: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)
        for name, kinds in about["sources"].items()
    )
    how = (
        f"{about['folds']} models, each judged on patients that it never saw, pooled"
        if about["folds"] > 1
        else "One model, judged on patients that it never saw"
    )
    return f"{about['pictures']} ultrasound pictures of {about['patients']} patients ({sets}). {how}."


def _headline(page: Page, c: ReportData) -> None:
    first = c.figures["headline"][0]
    for name in ("auc", "accuracy", "dice", "lesion_hit"):
        figure: MetricInterval = first["by_picture"][name]
        page.cards.append((f"{WORDS[name]}, {first['source']}", number(figure.value), span(figure)))
    error: MetricInterval = c.figures["calibration"][-1 if len(c.figures["calibration"]) == 1 else 1]["calibrated"][
        "ece"
    ]
    page.cards.append((f"calibration error, {first['source']}", number(error.value), span(error)))
    page.section(
        "Benign or malignant, and where",
        "A picture is called malignant from a calibrated probability of 0.5. Calibration was fitted on other patients. "
        "Small figures are 95 % intervals over patients: two views of one lesion are not two observations. "
        "By case, the probabilities of all pictures of a patient are averaged.",
    )
    rows = [
        [f"{row['source']}, by {unit}", row["pictures"] if unit == "picture" else row["cases"]]
        + [row[f"by_{unit}"][name] for name in RATES]
        for row in c.figures["headline"]
        for unit in ("picture", "case")
    ]
    page.table(["", "n", *(WORDS[name] for name in RATES)], rows)
    page.heading("Outline of the lesion")
    outline = ("dice", "lesion_hit", "false_lesions")
    page.table(
        ["", *(WORDS[name] for name in outline)],
        [[row["source"], *(row["by_picture"][name] for name in outline)] for row in c.figures["headline"]],
    )
    page.note(
        "Dice: overlap of the found with the annotated area, 1 is perfect. Hit: a found lesion overlaps the annotated "
        "one by at least 0.3 (intersection over union)."
    )
    page.heading("Calls, by picture")
    page.table(
        ["", "called benign", "called malignant"],
        [
            [f"{row['source']}, {CLASSES[k]}", *row["confusion"][k]]
            for row in c.figures["headline"]
            for k in (0, 1)
        ],
    )  # fmt: skip
    page.plots(plots.roc_curves(_by_source(c)), plots.reliability_diagram(_by_source(c)))


def _by_source(c: ReportData) -> dict[str, tuple[Any, Any]]:
    rows = c.held.test
    return {
        str(s): (rows.labels[chosen], c.calls.p[chosen])
        for s in np.unique(rows.sources[rows.known])
        for chosen in [rows.known & (rows.sources == s)]
    }


def _operating(page: Page, c: ReportData) -> None:
    page.section(
        "Operating points",
        "Each threshold was chosen on other patients and then used on these, so that a wanted sensitivity of 90 % need "
        "not come out as 90 %: how far it comes out is the point of the table.",
    )
    names = RATES[1:]
    page.table(
        ["operating point", "threshold", *(WORDS[name] for name in names)],
        [
            [POINTS[row["name"]], _range(row["threshold"]), *(row[name] for name in names)]
            for row in c.figures["operating_points"]
        ],
    )


def _range(limits: list[float]) -> str:
    low, high = (number(v) for v in limits)
    return low if low == high else f"{low} to {high}"


def _calibration(page: Page, c: ReportData) -> None:
    chosen = c.figures["chosen"]
    page.section(
        "Calibration",
        "Of the pictures that are given a probability of 0.3, three in ten should be malignant. The expected "
        "calibration "
        "error (ECE, ten bins) is the mean gap. The interval's lower end is the bootstrap's: ECE is never negative and "
        "grows with noise.",
    )
    page.table(
        ["", "share malignant", "ECE", "ECE before calibration", "log loss", "log loss before"],
        [
            [
                row["source"], row["prevalence"], row["calibrated"]["ece"], row["raw"]["ece"],
                row["calibrated"]["log_loss"], row["raw"]["log_loss"],
            ]
            for row in c.figures["calibration"]
        ],
    )  # fmt: skip
    page.heading("What a bundle would carry")
    page.note(
        f"{chosen['method']}. Slope {chosen['calibration']['slope']}, intercept {chosen['calibration']['intercept']}."
    )
    page.table(
        ["way", "log loss", "ECE", "fits into a bundle"],
        [[row["name"], row["log_loss"], row["ece"], "yes" if row["ships"] else "no"] for row in chosen["candidates"]],
    )
    page.note(
        f"It holds where {chosen['prevalence']:.0%} of the lesions are malignant. Where fewer are, probabilities "
        "are too high."
    )


def _subgroups(page: Page, c: ReportData) -> None:
    if not c.figures["subgroups"]:
        return
    page.section(
        "By kind of picture",
        "BI-RADS is the radiologist's category before biopsy; category 4 is the one where a second opinion would "
        "count. "
        "Within categories 2, 3 and 5 nearly all lesions are of one nature, so that the area under the curve "
        "says little.",
    )
    names = ("auc", "accuracy", "sensitivity", "specificity", "dice", "lesion_hit")
    for title, rows in c.figures["subgroups"].items():
        page.heading(f"By {title}")
        page.table(
            ["", "n", "malignant", *(WORDS[name] for name in names)],
            [[row["name"], row["pictures"], row["malignant"], *(row[name] for name in names)] for row in rows],
        )


def _elsewhere(page: Page, c: ReportData) -> None:
    for key, title, text in (
        ("across", "Another data set", "Each run learnt from one data set and is judged on the other."),
        ("left_out", "A scanner never seen", "Each run learnt without one scanner and is judged on that one alone."),
    ):
        if rows := c.figures[key]:
            page.section(title, text)
            names = ("auc", "accuracy", "sensitivity", "specificity", "dice", "lesion_hit")
            page.table(
                ["run", "judged on", "n", *(WORDS[name] for name in names), "ECE"],
                [
                    [
                        row["run"], row["devices"] if key == "left_out" else row["source"], row["pictures"],
                        *(row["by_picture"][name] for name in names), row["ece"],
                    ]
                    for row in rows
                ],
            )  # fmt: skip


def _method(page: Page, c: ReportData) -> None:
    page.section(
        "How it was done",
        "Every picture was judged by a model that had seen no picture of its patient. Whatever was fitted on top "
        "(calibration, thresholds, abstention, classical classifiers) was fitted without that patient too.",
        "Intervals: percentile bootstrap over patients, 1,000 draws (200 for calibration errors). They hold for "
        "patients "
        "like these and say nothing of other hospitals.",
        "All pictures were chosen because a lesion was seen in them, apart from those named normal; about every third "
        "lesion is malignant. Neither is so in screening.",
    )
