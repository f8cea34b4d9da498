"""Report page and whole report; the latter needs matplotlib and scikit-learn, of the training extra."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from fake_predictions import columns, write_cv, write_single, write_strangers

from training.evaluation.bootstrap import MetricInterval
from training.evaluation.held_out_predictions import load_held_out
from training.reporting import uncertainty
from training.reporting.collect import plain
from training.reporting.metric_tables import cross_fit, headline, operating_point_metrics, subgroups
from training.reporting.page import Page


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    return load_held_out(write_cv(tmp_path_factory.mktemp("cv")))


@pytest.fixture(scope="module")
def calls(held):
    return cross_fit(held)


def test_figures_are_those_of_the_rows_they_name(held, calls):
    rows, (bra, busi, every) = held.test, headline(held.test, calls)
    assert [bra["source"], busi["source"], every["source"]] == ["BUS-BRA", "BUSI", "all"]
    chosen = rows.sources == "BUS-BRA"
    right = (calls.p >= 0.5)[chosen] == (rows.labels[chosen] == 1)
    assert bra["by_picture"]["accuracy"].value == pytest.approx(right.mean())
    assert np.sum(bra["confusion"]) == chosen.sum() == bra["pictures"] == 160
    assert np.trace(bra["confusion"]) == right.sum()
    assert bra["cases"] == 80
    hits, missed = bra["confusion"][1][1], bra["confusion"][1][0]
    assert bra["by_picture"]["sensitivity"].value == pytest.approx(hits / (hits + missed))
    assert bra["by_picture"]["f1"].value == pytest.approx(2 * hits / (2 * hits + missed + bra["confusion"][0][1]))
    assert bra["by_picture"]["dice"].n == 160
    for rate in bra["by_case"].values():
        assert rate.low <= rate.value <= rate.high


def test_thresholds_of_other_patients_hold_about_what_they_promise(held, calls):
    by_name = {row["name"]: row for row in operating_point_metrics(held.test, calls)}
    low, high = by_name["sensitivity_90"]["threshold"]
    assert low < high  # each fold has its own
    assert by_name["sensitivity_90"]["sensitivity"].value == pytest.approx(0.9, abs=0.1)
    assert by_name["sensitivity_95"]["sensitivity"].value >= by_name["sensitivity_90"]["sensitivity"].value


def test_subgroups_are_whole_and_small_ones_are_left_out(held, calls):
    report = subgroups(held.test, calls)
    assert [row["name"] for row in report["scanner"]] == ["A", "B"]
    assert sum(row["pictures"] for row in report["scanner"]) == 160
    assert [row["name"] for row in report["BI-RADS category"]] == ["3", "4", "5"]
    assert sum(row["pictures"] for row in report["size of the lesion"]) == 240
    one = held.test.take(held.test.devices != "B")
    assert "scanner" not in subgroups(one, cross_fit(open_held_rows(held, one)))


def open_held_rows(held, rows):
    """The same cross-validation of fewer rows."""
    from dataclasses import replace

    parts = [(rows.take(rows.fold != k), np.flatnonzero(rows.fold == k)) for k in np.unique(rows.fold)]
    return replace(held, test=rows, parts=parts)


def test_doubt_is_ranked_by_what_it_knows_of_the_errors(held, calls):
    rows = held.test.take(held.test.known)
    p, limit = calls.p[held.test.known], calls.thresholds["youden"][held.test.known]
    errors = (p >= limit) != (rows.labels == 1)
    parts = uncertainty.signals(rows, p, limit, calls.found.score[held.test.known])
    oracle = {**parts, "oracle": (uncertainty.FREE, errors + 0.0)}
    table = uncertainty.table(oracle, errors, rows.groups)
    assert table[0]["signal"] in ("oracle", "all free signals together", "all signals together")
    named = {row["signal"]: row for row in table}
    assert named["oracle"]["against_chance"].high < 0
    assert named["oracle"]["error_at_coverage"]["70%"] < 0.1 < errors.mean()
    assert named[uncertainty.CHANCE]["against_chance"] is None
    assert named["mirrored picture disagrees"]["cost"] == uncertainty.SECOND
    assert named["far from the mean features (Mahalanobis)"]["cost"] == uncertainty.WORKSTATION


def test_the_abstention_rule_leaves_out_the_wrong_ones_first(held, calls):
    report = uncertainty.abstention_rule(held.test, calls.p, calls.thresholds["youden"], calls.intervals)
    assert report["judged"].value == pytest.approx(0.9, abs=0.06)
    assert report["error_left_out"].value > report["error_all"].value > report["error_judged"].value
    share = report["judged"].value
    mixed = share * report["error_judged"].value + (1 - share) * report["error_left_out"].value
    assert report["error_all"].value == pytest.approx(mixed)


def test_features_far_from_all_others_are_far():
    from training.evaluation.held_out_predictions import HeldOutPredictions

    columns_ = columns(patients=60, normals=0)
    columns_["embedding"][6] = 40
    near, axes = uncertainty.feature_distances(HeldOutPredictions(**columns_))
    assert near.argmax() in (6, 7)
    assert near[6] > 3 * np.median(near)
    assert axes[6] > 3 * np.median(axes)


def test_json_has_no_nan_and_no_numpy():
    tree = {
        "a": MetricInterval(0.5, float("nan"), 0.7, 3),
        "b": [np.float32(0.25), np.int64(2)],
        "c": (float("inf"), "x"),
    }
    expected = {"a": {"value": 0.5, "low": None, "high": 0.7, "n": 3}, "b": [0.25, 2], "c": [None, "x"]}
    assert json.loads(json.dumps(plain(tree), allow_nan=False)) == expected


def test_a_page_is_one_file_that_escapes_what_it_is_told():
    page = Page("A <model>", "on & on")
    page.cards.append(("AUC", "0.9", "0.8 to 1"))
    page.section("One", "less < more")
    page.table(["", "figure"], [["<b>", MetricInterval(0.5, 0.25, float("nan"), 4)], ["none", None]])
    page.plots('<svg><g id="a"><use href="#a"/></g></svg>', '<svg><g id="a"/></svg>')
    text = page.text()
    assert "A &lt;model&gt;" in text
    assert "less &lt; more" in text
    assert "<b>" not in text.split('class="cards"')[1].split("</b>", 1)[1]
    assert "0.500<small>0.250 to –</small>" in text
    names = re.findall(r'id="([^"]+)"', text)
    assert len(names) == len(set(names))
    assert "#s1p0-a" in text
    assert text.count("not a medical device") == 2
    assert "<script" not in text


def test_a_report_of_a_cross_validation_and_of_one_run(tmp_path):
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    from training.reporting.collect import ReportOptions
    from training.reporting.command import write_report

    run, other = write_cv(tmp_path / "cv"), write_single(tmp_path / "one")
    rows = columns()
    rng = np.random.default_rng(0)
    moved = (rows["malignancy"] + rng.normal(0, 0.005, 270)).clip(0, 1)
    np.savez(run / "int8.npz", malignancy=moved, lesion=rows["lesion"], anatomy=rows["anatomy"])
    lines: list[str] = []
    write_report(ReportOptions(run, int8=True, across=[other], left_out=[other]), tmp_path / "out", lines.append)
    text = (tmp_path / "out" / "report.html").read_text()
    report = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=pytest.fail)
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles[:4] == ["Benign or malignant, and where", "Operating points", "Calibration", "By kind of picture"]
    assert {"Another data set", "A scanner never seen", "No lesion", "When to say nothing", "Quantised"} <= set(titles)
    assert not re.search(r'(?:src|href)="(?!data:image/png|#)', text)  # nothing is loaded from elsewhere
    assert 0 < text.count("<img") <= 20
    assert text.count("<svg") >= 5
    assert report["int8"]["mean_abs_dp"]["value"] == pytest.approx(np.abs(moved - rows["malignancy"]).mean(), abs=1e-4)
    assert report["headline"][0]["by_picture"]["auc"]["value"] > 0.7
    assert report["about"]["folds"] == 5
    assert "altered" not in report  # no model lies in the folder
    assert lines[-1].startswith("done")


def test_a_report_with_stranger_splits_tells_what_a_user_gets(tmp_path):
    """Its JSON is what export reads: figures at the operating point that ships, errors of the split left out."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("sklearn")
    from export.cross_validation_results import read_reported_metrics
    from training.reporting.collect import ReportOptions
    from training.reporting.command import write_report

    run, rows = write_cv(tmp_path / "cv"), columns()
    np.savez(run / "int8.npz", **{k: rows[k] for k in ("malignancy", "lesion", "anatomy")})
    strangers = list(write_strangers(tmp_path).values())
    write_report(ReportOptions(run, True, strangers[:2], strangers[2:]), tmp_path / "out", lambda _: None)
    report = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=pytest.fail)
    titles = re.findall(r"<h2>(.*?)</h2>", (tmp_path / "out" / "report.html").read_text())
    assert titles[1] == "As a user gets it"
    delivered = {each["name"]: each for each in report["delivered"]}
    assert list(delivered) == ["BUS-BRA, folds", "BUSI, folds", "b2b", "i2b", "no-a", "no-b"]
    assert report["chosen"]["calibration"]["presence"] > 0
    assert report["chosen"]["home"] is not None
    for away in report["across"] + report["left_out"]:
        told = delivered[away["run"]]
        assert away["outputs"] == "int8"
        assert away["ece"] == told["at_point"]["ece"]
        assert away["at_shipped"]["by_picture"]["sensitivity"] == told["at_point"]["sensitivity"]
    bra = report["int8"]["headline"][0]["at_shipped"]["by_picture"]
    assert bra["specificity"] == delivered["BUS-BRA, folds"]["at_point"]["specificity"]
    metrics = read_reported_metrics(tmp_path / "out" / "report.json")
    given = [m for m in metrics if m.name == "sensitivity, as a user gets it"]
    assert [m.value for m in given] == [
        round(each["as_delivered"]["sensitivity"]["value"], 4) for each in report["delivered"]
    ]
    assert all("fitted out of source without these patients" in m.method for m in given)
    assert "no lesion: heads disagree" in {
        m.name for m in metrics if m.data.startswith("as a user gets it, BUSI, 5 models")
    }
    assert any("int8 model" in m.method for m in metrics if "another hospital" in m.data)
