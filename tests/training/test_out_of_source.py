"""Calibration fitted out of source: no patient of a stranger split has a say in how it is judged."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from fake_predictions import columns, write_cv, write_strangers

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration
from edge.postprocess.model_outputs import calibrate
from training.evaluation import out_of_source
from training.evaluation.calibration_file import load_calibration
from training.evaluation.found_lesions import lesion_only_thresholds
from training.evaluation.out_of_source import (
    MAX_DISAGREEMENT,
    PRESENCE_STEP,
    FitRecipe,
    apply_device,
    choose_recipe,
    disagreement,
    fit_device,
    fit_slope,
    left_out_fits,
    threshold_at_sensitivity,
    youden_threshold,
)
from training.evaluation.stranger_splits import load_stranger, pool
from training.evaluation.write_calibration import write_calibration

STEP = 1 / 256
PLATT = FitRecipe("platt", True, STEP)
LIMITS = lesion_only_thresholds(0.5, 0.55)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return write_strangers(tmp_path_factory.mktemp("strangers"))


@pytest.fixture(scope="module")
def splits(runs):
    return [load_stranger(path, True, LIMITS) for path in runs.values()]


def test_each_picture_counts_once_however_many_runs_judged_it(splits):
    rows = pool(splits)
    by_id: dict[str, float] = {}
    for key, weight in zip(rows.ids.tolist(), rows.weights.tolist(), strict=True):
        by_id[key] = by_id.get(key, 0.0) + weight
    assert set(by_id.values()) == {1.0}
    twice = rows.weights[np.isin(rows.ids, splits[2].rows.ids)]  # of scanner A: no-a and i2b
    assert set(twice.tolist()) == {0.5}
    assert len(rows.ids[rows.known]) > len(set(rows.ids[rows.known].tolist())) == 240


def test_no_patient_of_the_split_left_out_has_a_say(splits, monkeypatch):
    seen = []
    fit = out_of_source.fit_device
    monkeypatch.setattr(out_of_source, "fit_device", lambda rows, *rest: seen.append(rows) or fit(rows, *rest))
    left_out_fits(splits, PLATT)
    assert len(seen) == len(splits)
    for split, rows in zip(splits, seen, strict=True):
        assert not set(split.rows.groups.tolist()) & set(rows.groups.tolist())  # crops too, and by other runs too
        assert len(rows)


def test_what_the_split_left_out_says_changes_nothing_for_it(splits, tmp_path):
    """Turned over in no-a: the pictures are in i2b as well, and their logits there must not count either."""
    before = left_out_fits(splits, PLATT)
    rows = columns()
    rows["malignancy"] = np.where(rows["devices"] == "A", 1 - rows["malignancy"], rows["malignancy"])
    turned = [load_stranger(path, True, LIMITS) for path in write_strangers(tmp_path, **rows).values()]
    after = left_out_fits(turned, PLATT)
    assert after[2] == before[2]
    assert after[0] != before[0]


def test_the_device_computes_what_was_fitted(splits):
    rows = pool(splits)
    found = fit_device(rows, PLATT)
    assert found.calibration.presence > 0
    p = apply_device(found.calibration, rows, STEP)
    pairs = zip(rows.malignancy.tolist(), rows.presence.tolist(), strict=True)
    assert p == pytest.approx([calibrate(q, found.calibration, STEP, s) for q, s in pairs])


def test_weights_are_as_good_as_repeated_rows(splits):
    rows = pool(splits)
    twice = np.repeat(np.arange(len(rows)), np.round(6 * rows.weights).astype(int))
    whole = type(rows)(
        **{f.name: getattr(rows, f.name)[twice] for f in fields(rows) if f.name != "weights"},
        weights=np.full(len(twice), 1 / 6),
    )
    for presence in (False, True):
        one, other = (fit_device(each, FitRecipe("platt", presence, STEP)) for each in (rows, whole))
        assert one.calibration.slope == pytest.approx(other.calibration.slope, abs=1e-4)
        assert (one.threshold, one.youden) == pytest.approx((other.threshold, other.youden), abs=1e-4)


def test_the_operating_point_has_the_wanted_sensitivity(splits):
    rows = pool(splits)
    known = rows.take(rows.known)
    found = fit_device(rows, FitRecipe("temperature", True, STEP))
    p, ill = apply_device(found.calibration, known, STEP), known.labels == 1
    reached = known.weights[ill & (p >= found.threshold)].sum() / known.weights[ill].sum()
    assert 0.90 <= reached < 0.95
    assert found.uncertain[0] < found.threshold < found.uncertain[1]


def test_thresholds_of_weighted_pictures():
    p, labels = np.array([0.1, 0.2, 0.3, 0.4, 0.9]), np.array([0, 1, 0, 1, 1])
    weights = np.array([1.0, 0.1, 1.0, 0.5, 0.4])
    assert threshold_at_sensitivity(p, labels, weights, 0.9) == pytest.approx(0.35)
    assert threshold_at_sensitivity(p, labels, weights, 0.95) == pytest.approx(0.15)
    assert youden_threshold(p, labels, weights) == pytest.approx(0.35)


def test_presence_weighs_only_where_it_must(splits, tmp_path):
    """Pictures without a lesion are suspicious by malignancy alone here; where they are not, a device needs no more."""
    must = choose_recipe(splits, STEP)
    assert must.recipe.presence
    assert must.disagreement[0] > 0.5
    assert must.disagreement[1] < 0.05
    assert "presence of a lesion weighs malignancy, no more than it must" in must.describe()
    rows = columns()
    rows["malignancy"] = np.where(rows["labels"] < 0, 0.001, rows["malignancy"])
    calm = [load_stranger(path, True, LIMITS) for path in write_strangers(tmp_path, crops=False, **rows).values()]
    assert not choose_recipe(calm, STEP).recipe.presence


def test_presence_weighs_no_more_than_it_must(splits):
    """The more it weighs, the more cancers that the mask misses are called clear."""
    rows = pool(splits)
    found, empty = fit_device(rows, PLATT), rows.take(~rows.known)
    weight = found.calibration.presence
    assert weight > 0
    assert disagreement(found.calibration, empty, found.threshold, STEP) <= MAX_DISAGREEMENT
    known = rows.take(rows.known)
    less = fit_slope("platt", known, STEP, weight - PRESENCE_STEP)
    threshold = threshold_at_sensitivity(apply_device(less, known, STEP), known.labels, known.weights, 0.9)
    assert disagreement(less, empty, threshold, STEP) > MAX_DISAGREEMENT
    assert disagreement(less, empty.take(empty.labels == 0), threshold, STEP) == 0.0


def test_the_file_says_what_was_fitted_where(runs, tmp_path):
    cv = write_cv(tmp_path)
    rows = columns()
    np.savez(cv / "int8.npz", malignancy=rows["malignancy"], lesion=rows["lesion"], anatomy=rows["anatomy"])
    home = write_calibration(cv, int8=True)
    file = write_calibration(cv, int8=True, strangers=list(runs.values()))
    assert load_calibration(cv / "calibration.json") == file
    assert file.home == home.calibration != file.calibration
    assert "out of source" in file.method
    assert f"slope {home.calibration.slope:.3f}" in file.calibration.method
    assert [each.name for each in file.strangers] == ["b2b", "i2b", "no-a", "no-b"]
    splits = [load_stranger(path, True, home.thresholds) for path in runs.values()]
    rows = pool(splits)
    assert file.n == len(set(rows.ids[rows.known & rows.found].tolist())) == sum(file.sources.values())
    assert file.sources.keys() == {"BUS-BRA", "BUSI"}
    assert file.operating_points[0].sensitivity >= 0.9
    assert file.thresholds.malignancy == file.operating_points[0].threshold
    place = tmp_path / "kept.json"
    place.write_bytes((cv / "calibration.json").read_bytes())
    assert write_calibration(place, int8=True, strangers=list(runs.values())) == file  # what is of home is kept
    with pytest.raises(ConfigError, match="is of int8 outputs, expected float"):
        write_calibration(place, int8=False, strangers=list(runs.values()))
    kept = ("lesion", "lesion_score", "anatomy")
    assert [getattr(file.thresholds, k) for k in kept] == [getattr(home.thresholds, k) for k in kept]


def test_a_cancer_that_the_mask_misses_does_not_draw_the_operating_point_down(splits):
    """No threshold calls it suspicious, for there is no finding; the others would all become so."""
    rows = pool(splits)
    before = fit_device(rows, PLATT)
    missed = rows.take(rows.known & (rows.labels == 1))
    missed = replace(missed, found=np.zeros(len(missed), bool), presence=np.zeros(len(missed)), groups=missed.ids)
    both = {f.name: np.concatenate([getattr(rows, f.name), getattr(missed, f.name)]) for f in fields(rows)}
    assert fit_device(replace(rows, **both), PLATT) == before


def test_what_does_not_fit_is_refused(runs, splits, tmp_path):
    with pytest.raises(ConfigError, match="is a cross-validation"):
        load_stranger(write_cv(tmp_path / "cv"), False, LIMITS)
    with pytest.raises(ConfigError, match="benign and malignant findings to calibrate on"):
        left_out_fits(splits[1:2], PLATT)
    place = write_strangers(tmp_path)["b2b"]
    (place / "lesion-free-int8.npz").unlink()
    with pytest.raises(ConfigError, match=r"lesion-free-int8.npz is missing") as caught:
        load_stranger(place, True, LIMITS)
    assert "export folds" in caught.value.hint


def test_a_model_without_presence_gives_the_plain_calibration(splits):
    rows = pool(splits)
    found = fit_device(rows, FitRecipe("platt", False, STEP))
    assert found.calibration.presence == 0
    plain = Calibration(slope=found.calibration.slope, intercept=found.calibration.intercept)
    assert found.calibration == plain
