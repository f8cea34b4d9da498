"""A model that was trained on all data carries the results of its recipe's cross-validation."""

from __future__ import annotations

import json
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import UsageError
from export.cross_validation_results import ReportRates, read_calibration, read_reported_metrics
from export.metric_titles import CALLED
from export.training_run import open_run
from training.reporting.collect import plain
from training.reporting.metric_tables import at_shipped

THRESHOLDS = {
    "lesion": 0.5,
    "lesion_score": 0.6,
    "lesion_min_area": 0.001,
    "malignancy": 0.33,
    "operating_point": "of five folds",
    "prevalence": 0.3,
    "anatomy": 0.4,
    "uncertain": [0.2, 0.5],
}


def value(number: float) -> dict[str, float]:
    return {"value": number, "low": number - 0.01, "high": number + 0.01, "n": 7}


def headline(auc: float) -> dict[str, object]:
    silent = {"value": None, "low": None, "high": None, "n": 0}
    return {
        "source": "BUS-BRA",
        "pictures": 7,
        "cases": 5,
        "malignant": 3,
        "by_picture": {"auc": value(auc), "dice": value(0.8), "f1": silent, "unheard of": value(1)},
        "by_case": {"auc": value(auc + 0.02)},
        "confusion": [[1, 2], [3, 4]],
    }


def test_calibration_comes_over_by_the_manifests_names(tmp_path):
    path = tmp_path / "calibration.json"
    body = {"outputs": "int8", "calibration": {"slope": 1.5, "intercept": -0.1}, "thresholds": THRESHOLDS}
    path.write_text(json.dumps({**body, "method": "Platt", "candidates": []}))
    found = read_calibration(path)
    assert (found.calibration.slope, found.thresholds.malignancy) == (1.5, 0.33)
    assert found.thresholds.uncertain == (0.2, 0.5)
    path.write_text(json.dumps({**body, "method": "Platt", "thresholds": {**THRESHOLDS, "malignancy": 1.5}}))
    with pytest.raises(UsageError, match="cannot be read"):
        read_calibration(path)


def test_calibration_of_float_outputs_is_not_the_bundles(tmp_path):
    path = tmp_path / "calibration.json"
    body = {"outputs": "float", "calibration": {"slope": 1.5, "intercept": -0.1}, "thresholds": THRESHOLDS}
    path.write_text(json.dumps({**body, "method": "Platt"}))
    with pytest.raises(UsageError, match="fitted on float outputs, expected int8") as caught:
        read_calibration(path)
    assert "--int8" in caught.value.hint


def test_figures_say_whose_they_are(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"about": {"folds": 5}, "headline": [headline(0.9)], "other": 1}))
    auc, dice, by_case = read_reported_metrics(path)
    assert (auc.name, auc.value, auc.low, auc.n) == ("malignancy AUC", 0.9, 0.89, 7)
    assert (dice.name, by_case.name) == ("Dice", "malignancy AUC by case")
    assert "5 models of the same recipe" in auc.data
    assert "learnt from all but 8 % of their patients" in auc.data
    assert "float models" in auc.method


def test_calls_are_at_the_operating_point_that_ships(tmp_path):
    path = tmp_path / "report.json"
    row = headline(0.9)
    row["by_picture"] = {"auc": value(0.9), "sensitivity": value(0.6)}
    row["by_case"] = {"sensitivity": value(0.5)}
    path.write_text(json.dumps({"about": {"folds": 5}, "headline": [row]}))
    (auc, old, _) = read_reported_metrics(path)
    assert (old.value, auc.value) == (0.6, 0.9)
    assert "at a calibrated probability of 0.5" in old.method
    assert "0.5" not in auc.method
    shipped = {"by_picture": {"auc": value(0.1), "sensitivity": value(0.8)}, "by_case": {"sensitivity": value(0.7)}}
    path.write_text(json.dumps({"about": {"folds": 5}, "headline": [{**row, "at_shipped": shipped}]}))
    (auc, new, by_case) = read_reported_metrics(path)
    assert (auc.value, new.value, by_case.value) == (0.9, 0.8, 0.7)
    assert "at the operating point" in new.method
    assert "operating point" not in auc.method


def test_a_report_of_training_names_what_is_read_here():
    """The two packages meet in a file: its names are those of the function that fills it."""
    rng = np.random.default_rng(0)
    n, names = 40, np.array([str(i) for i in range(40)])
    labels = np.arange(n) % 2
    p = np.clip(labels * 0.2 + rng.random(n) * 0.5, 0, 1)
    part = SimpleNamespace(labels=labels, groups=names)
    rates = at_shipped(part, p, np.full(n, 0.3))
    found = msgspec.convert(plain(rates), ReportRates)
    assert found.by_picture["sensitivity"].value == pytest.approx((p[labels == 1] >= 0.3).mean())
    assert found.by_case["specificity"].value == pytest.approx((p[labels == 0] < 0.3).mean())
    assert set(CALLED) <= found.by_picture.keys()


def test_figures_of_the_quantised_models_are_preferred(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(
        json.dumps({"about": {"folds": 5}, "headline": [headline(0.9)], "int8": {"headline": [headline(0.7)]}})
    )
    assert read_reported_metrics(path)[0].value == 0.7
    assert "int8 models" in read_reported_metrics(path)[0].method


@pytest.mark.parametrize("text", ["", "{}", '{"about": {"folds": 5}, "headline": []}'])
def test_a_report_that_is_none(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"cannot be read|holds no figure") as caught:
        read_reported_metrics(path)
    assert "python -m training report" in caught.value.hint
    with pytest.raises(UsageError, match="cannot be read"):
        read_reported_metrics(tmp_path / "gone.json")


def test_a_run_that_held_nothing_back_opens_and_says_what_to_give(run_data):
    with np.load(run_data / "eval.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez(run_data / "eval.npz", **{**arrays, "split": np.array(["train"] * len(arrays["split"]))})
    run = open_run(run_data)
    with pytest.raises(UsageError, match="held back no picture to choose") as caught:
        _ = run.val
    assert "the anatomy threshold" in caught.value.hint
    with pytest.raises(UsageError, match="held back no picture to measure") as caught:
        _ = run.test
    assert "--figures" in caught.value.hint


def test_pictures_without_a_lesion_are_not_judged_for_malignancy(run_data):
    with np.load(run_data / "eval.npz") as file:
        arrays = {name: file[name] for name in file.files}
    labels = arrays["labels"].copy()
    labels[[0, 1, 45]] = -1
    np.savez(run_data / "eval.npz", **{**arrays, "labels": labels})
    run = open_run(run_data)
    assert (len(run.val), len(run.test)) == (38, 39)


def test_what_another_hospital_and_scanner_cost_is_told(tmp_path):
    away = {
        **headline(0.8), "source": "BUSI", "validated_on": "BUS-BRA", "devices": "", "run": "b2b", "ece": value(0.06),
    }  # fmt: skip
    unseen = {**headline(0.85), "validated_on": "BUS-BRA, BUSI", "devices": "Aplio 300", "run": "left", "ece": None}
    body = {"about": {"folds": 5}, "headline": [headline(0.9)], "across": [away], "left_out": [unseen]}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(body))
    found = [m for m in read_reported_metrics(path) if "one model of the same recipe" in m.data]
    assert [(m.name, m.value) for m in found] == [
        ("malignancy AUC", 0.8), ("Dice", 0.8), ("calibration error (ECE)", 0.06),
        ("malignancy AUC", 0.85), ("Dice", 0.8),
    ]  # fmt: skip
    assert found[0].data.startswith(
        "BUSI, another hospital: one model of the same recipe that learnt from BUS-BRA alone"
    )
    assert found[3].data.startswith("Aplio 300, a scanner never seen")
    assert all("float model" in m.method for m in found)
