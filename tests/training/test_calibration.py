"""Calibration and thresholds chosen from synthetic predictions whose truth is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from fake_predictions import columns, write_cv, write_single

from edge.contracts.errors import ConfigError
from edge.postprocess.model_outputs import calibrate
from training.evaluation.calibration import (
    apply_calibration,
    choose_calibration,
    fit_calibration,
    operating_points,
)
from training.evaluation.calibration_file import FILE, load_calibration
from training.evaluation.held_out_predictions import HeldOutPredictions, load_held_out
from training.evaluation.lesion_thresholds import choose_lesion_thresholds
from training.evaluation.metrics import ece
from training.evaluation.uncertain_calls import cost_of_error, uncertain_interval
from training.evaluation.write_calibration import write_calibration


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    run = write_cv(tmp_path_factory.mktemp("cv"))
    return run, write_calibration(run, int8=False)


def test_an_overconfident_model_is_cooled_down():
    """Outputs were made twice as steep as the truth: half the slope undoes it."""
    rows = columns(patients=2000, normals=0)
    for name in ("temperature", "platt"):
        assert fit_calibration(name, rows["malignancy"], rows["labels"]).slope == pytest.approx(0.5, abs=0.06)
    shifted = 1 / (1 + np.exp(-(np.log(rows["malignancy"] / (1 - rows["malignancy"])) + 3.0)))
    platt = fit_calibration("platt", shifted, rows["labels"])
    assert platt.intercept == pytest.approx(-1.5, abs=0.2)
    assert ece(rows["labels"], apply_calibration(platt, shifted)) < 0.03 < ece(rows["labels"], shifted)


def test_it_is_the_calibration_that_the_device_applies():
    rows = columns(normals=0)
    found = fit_calibration("platt", rows["malignancy"], rows["labels"], 1 / 256)
    mine = apply_calibration(found, rows["malignancy"], 1 / 256)
    assert mine == pytest.approx([calibrate(float(q), found, 1 / 256) for q in rows["malignancy"]])


def test_the_simplest_that_is_good_enough_is_chosen(chosen):
    _, file = chosen
    by_name = {each.name: each for each in file.candidates}
    assert file.method.startswith("temperature")
    assert file.calibration.intercept == 0
    assert by_name["temperature"].log_loss < by_name["none"].log_loss
    assert by_name["temperature"].ece < by_name["none"].ece
    assert [each.ships for each in file.candidates][:3] == [True] * 3


def test_the_file_says_what_it_was_chosen_on_and_reads_back(chosen):
    run, file = chosen
    rows = columns()
    known = rows["labels"] >= 0
    assert file.n == known.sum()
    assert file.groups == 120
    assert file.prevalence == pytest.approx(rows["labels"][known].mean(), abs=1e-4)
    assert file.sources == {"BUS-BRA": 160, "BUSI": 80}
    assert file.thresholds.prevalence == file.prevalence
    assert "5 folds" in file.method
    assert load_calibration(run / FILE) == file
    built = msgspec.json.decode((run / FILE).read_bytes())
    assert {"slope", "intercept", "presence", "method"} == built["calibration"].keys()
    assert file.home is None
    assert file.strangers == []
    assert {"lesion", "lesion_score", "malignancy", "anatomy", "uncertain"} <= built["thresholds"].keys()


def test_operating_points_keep_what_they_promise(chosen):
    _, file = chosen
    points = {point.name: point for point in file.operating_points}
    assert points["sensitivity_95"].sensitivity >= 0.95
    assert 0.90 <= points["sensitivity_90"].sensitivity < 0.95
    assert points["sensitivity_95"].threshold < points["sensitivity_90"].threshold
    best = points["youden"].sensitivity + points["youden"].specificity
    assert points["youden"].empty_suspicious <= 0.1
    others = [each for each in points.values() if each.empty_suspicious <= 0.1]
    assert all(best >= each.sensitivity + each.specificity for each in others)
    assert file.thresholds.malignancy == points["youden"].threshold
    assert points["sensitivity_95"].empty_suspicious >= points["even"].empty_suspicious


def test_the_operating_point_stays_above_most_pictures_without_a_lesion():
    p, labels = np.linspace(0.01, 0.99, 99), np.repeat([0, 1], [40, 59])
    free = operating_points(p, labels, np.array([]))[0]
    assert free.threshold == pytest.approx(0.405, abs=0.006)
    assert free.empty_suspicious is None
    held = operating_points(p, labels, np.linspace(0.203, 0.703, 101))[0]
    assert held.threshold == pytest.approx(0.655, abs=0.01)
    assert held.empty_suspicious <= 0.1
    with pytest.raises(ConfigError, match="more suspicious than any"):
        operating_points(p, labels, np.full(10, 0.999))


def test_presence_is_not_chosen_across_data_sets():
    """One set has lesions only, all of them plain to see; in the other they are faint."""
    rows = columns()
    faint = rows["sources"] == "BUSI"
    rows["lesion"][faint & (rows["labels"] >= 0)] = (0.7 * rows["lesion"][faint & (rows["labels"] >= 0)]).astype(
        np.uint8
    )
    both = HeldOutPredictions(**rows)
    _, score, how = choose_lesion_thresholds(both)
    assert "against 80 with one of the same data sets" in how
    assert "that it was chosen on" in how
    known = both.known & faint
    assert (both.lesion[known].max(axis=(1, 2)) / 255 >= score).mean() >= 0.95


def test_uncertain_calls_are_those_that_cost_most_if_wrong(chosen):
    _, file = chosen
    assert file.judged == pytest.approx(0.9, abs=0.02)
    assert file.error_judged < file.error_all
    p = np.linspace(0.0005, 0.9995, 1000)
    for threshold in (0.1, 0.37, 0.5, 0.8):
        low, high = uncertain_interval(p, np.ones(len(p)), threshold)
        assert low < threshold < high
        inside = (p > low) & (p < high)
        doubt = cost_of_error(p, threshold)
        assert doubt[~inside].max() <= doubt[inside].min() + 0.002
        assert (~inside).mean() == pytest.approx(0.9, abs=0.005)


def test_presence_parts_pictures_with_a_lesion_from_those_without(chosen):
    _, file = chosen
    rows = load_held_out(chosen[0]).test
    assert file.thresholds.lesion_score >= file.thresholds.lesion
    assert "30 pictures without a lesion" in file.thresholds.operating_point
    without = choose_calibration(rows.take(rows.known), "here")
    assert "keep 95%" in without.thresholds.operating_point


def test_the_gate_refuses_few_of_the_body_part(chosen):
    _, file = chosen
    anatomy = columns()["anatomy"]
    assert 0 < (anatomy < file.thresholds.anatomy).mean() <= 0.015
    rows = load_held_out(chosen[0]).test
    blind = msgspec.structs.replace(file)  # a run without a gate has no say in its threshold
    rows.anatomy[:] = np.nan
    assert choose_calibration(rows, "here").thresholds.anatomy == 0
    assert blind.thresholds.anatomy > 0


def test_one_run_calibrates_by_its_validation_pictures_alone(tmp_path):
    run = write_single(tmp_path)
    file = write_calibration(run, int8=False)
    held = load_held_out(run)
    assert file.n == held.parts[0][0].known.sum() < len(held.test) + len(held.parts[0][0])
    assert "validation pictures of one run" in file.method
    with pytest.raises(ConfigError, match="those of one run are for judging"):
        write_calibration(run, int8=True)


def test_int8_outputs_are_calibrated_where_they_lie(chosen, tmp_path):
    rows = columns()
    run = write_cv(tmp_path)
    softer = 1 / (1 + np.exp(-0.5 * np.log(rows["malignancy"] / (1 - rows["malignancy"]))))
    np.savez(run / "int8.npz", malignancy=softer, lesion=rows["lesion"], anatomy=rows["anatomy"])
    file = write_calibration(run, int8=True)
    assert file.outputs == "int8"
    assert file.calibration.slope == pytest.approx(2 * chosen[1].calibration.slope, rel=0.1)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"calibration.json is missing"):
        load_calibration(tmp_path / FILE)
    (tmp_path / FILE).write_text('{"version": 1}')
    with pytest.raises(ConfigError, match="outputs"):
        load_calibration(tmp_path / FILE)
