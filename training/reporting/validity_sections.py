"""Validity sections, the second half of the page: checks of the metrics of the first half, and their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.uncertain_calls import chance_of_error
from training.reporting import plots, uncertainty
from training.reporting.collect import mistakes
from training.reporting.lesion_presence import presence_scores
from training.reporting.pictures import data_uri, draw_heat_map, draw_outlines
from training.reporting.wording import CLASSES, RATES, WORDS

if TYPE_CHECKING:
    from training.reporting.collect import ReportData
    from training.reporting.page import Page


def no_lesion(page: Page, c: ReportData) -> None:
    """Add the section on pictures without a lesion, and the negative control."""
    found = c.figures["presence"]
    if found is None:
        return
    page.section(
        "No lesion",
        f"{found['without']} pictures of {', '.join(found['sources'])} show no lesion, {found['with']} do. No "
        "class was "
        "learnt for it: a picture has no lesion when the mask finds none. Specificity is what share of the former is "
        "found empty where nine in ten of the latter are not; that limit is chosen on these pictures, for the interval "
        "anew in each draw.",
    )
    page.table(
        ["read as", "AUC", "specificity at 90 % sensitivity"],
        [[name, row["auc"], row["specificity"]] for name, row in found["scores"].items()],
    )
    rows = c.held.test.take(np.isin(c.held.test.sources, found["sources"]))
    value = presence_scores(rows.lesion, rows.size)["surest lesion"]
    page.plots(plots.presence_histogram(value[rows.known], value[~rows.known]))
    if control := c.figures.get("presence_control"):
        page.heading("Negative control")
        page.note(
            "A network can learn what a data set looks like in place of a lesion. So crops clear of the lesion "
            "are held "
            "against crops of the same size with it, from the same pictures (should be high), and against crops "
            "of normal "
            "pictures, none of which has a lesion (should be near 0.5)."
        )
        page.table(
            ["higher score expected in", "than in", "should be", "AUC"],
            [[row["first"], row["second"], row["wanted"], row["auc"]] for row in control["comparisons"]],
        )


def abstention(page: Page, c: ReportData) -> None:
    """Add the section on abstaining: uncertainty signals, and the abstention rule."""
    page.section(
        "When to say nothing",
        "A model that may abstain should abstain where it errs. Each signal orders the pictures by doubt; the "
        "area under "
        "its risk-coverage curve (AURC) is the mean share of wrong calls as more and more pictures are judged: "
        "lower is "
        "better. The estimated chance of error comes from the calibrated probability alone and costs a device nothing.",
    )
    part, p = c.held.test.take(c.held.test.known), c.calls.p[c.held.test.known]
    limit = c.calls.thresholds["youden"][c.held.test.known]
    errors = (p >= limit) != (part.labels == 1)
    parts = uncertainty.signals(part, p, limit, c.calls.found.score[c.held.test.known])
    rule = c.figures["doubt"]["rule"]
    curves = {uncertainty.CHANCE: chance_of_error(p, limit)}
    curves |= {name: values for name, (kind, values) in parts.items() if kind != uncertainty.FREE}
    page.plots(plots.risk_curves(curves, errors, (rule["judged"].value, rule["error_judged"].value)))
    page.table(
        [
            "signal",
            "cost",
            "AURC",
            "against chance of error",
            *(f"errors, {at} judged" for at in ("95%", "90%", "80%", "70%")),
        ],
        [
            [row["signal"], row["cost"], row["aurc"], row["against_chance"], *row["error_at_coverage"].values()]
            for row in c.figures["doubt"]["signals"]
        ],
    )
    page.heading("Uncertain calls")
    low, high = c.figures["chosen"]["thresholds"]["uncertain"]
    page.note(
        f"A bundle would call a calibrated probability between {low:.3f} and {high:.3f} uncertain: those calls cost "
        "most if they are wrong, a missed cancer weighed as the operating point weighs it. A lesion is reported all "
        "the same. In this table each picture's calibration, operating point (Youden's) and interval were chosen at "
        "home, on other patients. Of signals that are not free, a device uses none."
    )
    words = {
        "judged": "share of certain calls",
        "error_all": "wrong calls, of all",
        "error_judged": "wrong calls, of the certain",
        "error_left_out": "wrong calls, of the uncertain",
        "sensitivity_judged": "sensitivity of certain calls",
        "specificity_judged": "specificity of certain calls",
        "empty_left_out": "pictures without a lesion inside the interval",
    }
    page.table(["", "share"], [[words[name], value] for name, value in rule.items()])


def descriptors(page: Page, c: ReportData) -> None:
    """Add the section on lesion descriptors: classical classifiers beside the CNN."""
    found = c.figures["features"]
    page.section(
        "What a radiologist would name",
        "Descriptors of each lesion found, by the device's own code on the model's outline (never the "
        "annotator's, whose "
        "shape gives the label away): a baseline that can be read, beside the CNN. All by patients held out. The last "
        "column is the difference to the CNN.",
    )
    page.table(
        ["classifier", "AUC", "against the CNN"], [[r["name"], r["auc"], r["gain"]] for r in found["classifiers"]]
    )
    page.heading("Each descriptor alone")
    page.table(
        ["descriptor", "AUC", "median, benign", "median, malignant"],
        [[r["name"].replace("_", " "), r["auc"], r["benign"], r["malignant"]] for r in found["alone"]],
    )
    page.note(
        "An AUC under 0.5: malignant lesions have the lower values. Posterior under 1 is shadow, over 1 enhancement."
    )


def quantised(page: Page, c: ReportData) -> None:
    """Add the section on quantisation: float against int8."""
    if (found := c.figures.get("int8")) is None or c.dp is None:
        return
    page.section("Quantised", "The same pictures through the float model and through the 8-bit one that devices run.")
    names = {
        "auc_float": "AUC, float", "auc_int8": "AUC, int8", "auc_drop": "AUC lost", "dice_float": "Dice, float",
        "dice_int8": "Dice, int8", "mean_abs_dp": "mean change of the probability", "turned": "calls turned over",
    }  # fmt: skip
    page.table(["", "figure"], [[words, found[name]] for name, words in names.items()])
    page.note(
        f"Largest change of a probability: {found['worst_abs_dp']:.3f}. "
        + ", ".join(f"{share} change by at most {v:.3f}" for share, v in found["quantiles"].items()) + "."
    )  # fmt: skip
    page.plots(plots.histogram(c.dp, "change of the probability by quantisation"))
    if rows := found.get("headline"):
        page.heading("The quantised model, calibrated anew")
        page.table(
            ["", "n", *(WORDS[name] for name in (*RATES, "dice", "lesion_hit"))],
            [[r["source"], r["pictures"], *(r["by_picture"][n] for n in (*RATES, "dice", "lesion_hit"))] for r in rows],
        )


def perturbations(page: Page, c: ReportData) -> None:
    """Add the section on perturbations: callipers in and out, the lesion hidden."""
    if not (rows := c.figures.get("altered")):
        return
    page.section(
        "Is it the lesion that it judges by?",
        "Callipers stand on lesions more often than beside them, and a network may judge by them. They were "
        "painted in by "
        "another painter than training's, and bright thin marks were painted out: neither should matter. With "
        "the lesion "
        "under an even box of a fixed size (its own size would tell), the area under the curve should fall "
        "towards 0.5.",
    )
    page.table(
        ["change", "n", "AUC unchanged", "AUC changed", "difference", "mean change of p"],
        [[r["name"], r["pictures"], r["before"], r["after"], r["change"], r["mean_shift"]] for r in rows],
    )


def saliency_maps(page: Page, c: ReportData) -> None:
    """Add the section of saliency maps: what the malignancy comes from."""
    if not c.heat:
        return
    page.section(
        "What mattered",
        "Parts of the picture were blurred away one after the other. Red: malignancy falls when this is hidden; "
        "blue: it "
        "rises. Colours are stretched to each picture's own extreme.",
    )
    rows = c.held.test
    page.pictures(
        [
            (data_uri(draw_heat_map(rows.tensors[i], heat)), f"{CLASSES[rows.labels[i]]}, p = {c.calls.p[i]:.2f}",
             f"{rows.ids[i]}; hiding changes p by up to {np.abs(heat).max():.2f}")
            for i, heat in c.heat
        ]
    )  # fmt: skip


def worst_mistakes(page: Page, c: ReportData) -> None:
    """Add the section of the most confident wrong calls, as pictures."""
    rows, p = c.held.test, c.calls.p
    page.section(
        "The worst mistakes",
        "The surest wrong calls, one of each patient. Green: the annotator's outline; orange: the model's.",
    )
    page.pictures(
        [
            (data_uri(draw_outlines(rows.tensors[i], rows.masks[i], c.calls.found.masks[i])),
             f"{CLASSES[rows.labels[i]]}, called {CLASSES[int(p[i] >= 0.5)]} at {p[i]:.2f}",
             "; ".join(filter(None, (rows.ids[i], rows.birads[i] and f"BI-RADS {rows.birads[i]}", rows.devices[i]))))
            for i in mistakes(rows, c.calls)
        ]
    )  # fmt: skip
