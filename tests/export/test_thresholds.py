"""Thresholds do what their names say, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from edge.contracts.manifest import Thresholds
from export.lesion_overlap import dice, match_lesions
from export.predict import Predictions
from export.thresholds import REFUSALS, anatomy_threshold, fit_platt, fit_thresholds, operating_point
from export.training_run import HeldOutPictures

STEP = 1 / 256


def logits(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, n)


def test_platt_finds_the_slope_and_intercept_that_made_the_labels():
    z = logits(20_000)
    labels = (np.random.default_rng(1).random(len(z)) < 1 / (1 + np.exp(-(0.7 * z - 0.4)))).astype(np.int8)
    found = fit_platt(1 / (1 + np.exp(-z)), labels, 1e-9)
    assert found.slope == pytest.approx(0.7, abs=0.03)
    assert found.intercept == pytest.approx(-0.4, abs=0.04)


def test_platt_ends_on_separable_data_with_saturated_outputs():
    q = np.array([0.0] * 20 + [255 / 256] * 20)
    found = fit_platt(q, np.array([0] * 20 + [1] * 20, np.int8), STEP)
    assert 0 < found.slope < 5
    assert np.isfinite(found.intercept)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("empty", [0.0, 0.3, 0.6])
def test_no_other_threshold_over_the_empty_pictures_separates_better(seed, empty):
    rng = np.random.default_rng(seed)
    labels = (np.arange(300) % 3 == 0).astype(np.int8)
    p = np.round(np.clip(rng.normal(0.35 + 0.3 * labels, 0.15), 0.01, 0.99), 2)
    threshold, sensitivity, specificity = operating_point(p, labels, np.full(10, empty))
    assert threshold > empty
    assert sensitivity == (p[labels == 1] >= threshold).mean()
    assert specificity == (p[labels == 0] < threshold).mean()
    allowed = np.arange(empty + 0.005, 1.01, 0.01)
    others = [(p[labels == 1] >= t).mean() + (p[labels == 0] < t).mean() for t in allowed]
    assert sensitivity + specificity == pytest.approx(max(others))
    assert np.abs(p - threshold).min() > 0.001, "a rounding error would flip a picture"


def test_at_most_a_tenth_of_the_empty_pictures_reaches_the_operating_point():
    labels = np.array([0, 1] * 50, np.int8)
    p = np.linspace(0.01, 0.99, 100)
    p_empty = np.linspace(0.2, 0.6, 41)
    threshold, _, _ = operating_point(p, labels, p_empty)
    assert (p_empty >= threshold).mean() <= 0.1


def test_an_operating_point_that_calls_all_malignant_stays_above_zero():
    threshold, sensitivity, specificity = operating_point(np.full(4, 0.5), np.array([0, 1, 0, 1], np.int8), np.zeros(3))
    assert (threshold, sensitivity, specificity) == (0.25, 1.0, 0.0)


def test_the_gate_refuses_no_more_than_it_may():
    scores = np.random.default_rng(6).beta(8, 1, 400)
    threshold = anatomy_threshold(scores)
    assert 0 < (scores < threshold).mean() <= REFUSALS
    assert anatomy_threshold(np.full(100, 0.9)) == pytest.approx(0.45)


def disc(cx: float, cy: float, radius: float) -> np.ndarray:
    y, x = np.mgrid[:160, :160] + 0.5
    return (np.hypot(x - cx, y - cy) < radius).astype(np.uint8)


def head(truth: np.ndarray, level: float = 0.9) -> np.ndarray:
    """What a perfect mask head would say of ``truth``: (40, 40)."""
    return (truth.reshape(40, 4, 40, 4).mean(axis=(1, 3)) * level).astype(np.float32)


LIMITS = Thresholds(
    lesion=0.45,
    lesion_score=0.45,
    lesion_min_area=0.001,
    malignancy=0.5,
    operating_point="",
    prevalence=0.5,
    anatomy=0.5,
)


def test_a_perfect_mask_hits_and_a_misplaced_one_strays():
    truth = disc(80, 70, 20)
    right = match_lesions(head(truth), truth, LIMITS)
    assert right.hit
    assert right.false_lesions == 0
    assert right.ious[0] > 0.9
    assert dice(head(truth), truth, LIMITS.lesion) > 0.95
    wrong = match_lesions(head(disc(30, 130, 15)), truth, LIMITS)
    assert not wrong.hit
    assert wrong.false_lesions == 1
    assert dice(head(disc(30, 130, 15)), truth, LIMITS.lesion) == 0.0
    nothing = match_lesions(np.zeros((40, 40), np.float32), truth, LIMITS)
    assert (nothing.hit, nothing.false_lesions) == (False, 0)


def test_small_shifts_lower_the_overlap_as_geometry_says():
    truth = disc(80, 80, 20)
    ious = [match_lesions(head(disc(80 + shift, 80, 20)), truth, LIMITS).ious[0] for shift in (0, 8, 16, 24)]
    assert ious == sorted(ious, reverse=True)
    assert ious[2] == pytest.approx(0.34, abs=0.04)  # two discs of radius 20, 16 apart


def test_choose_keeps_true_lesions_and_drops_faint_ones():
    rng = np.random.default_rng(7)
    truths, masks = [], []
    for _ in range(40):
        cx, cy = rng.uniform(50, 80), rng.uniform(50, 110)
        truths.append(disc(cx, cy, 18))
        masks.append(np.maximum(head(truths[-1]), head(disc(cx + 55, cy, 9), 0.66)))
    labels = (np.arange(40) % 2).astype(np.int8)
    q = np.clip(0.3 + 0.4 * labels + rng.normal(0, 0.1, 40), 0, 255 / 256)
    names = np.array([str(i) for i in range(40)])
    pictures = HeldOutPictures(np.zeros((40, 160, 160, 3), np.uint8), np.stack(truths), labels, names, names)
    empty = Predictions(np.full(20, 0.2), np.zeros((20, 40, 40), np.float32), np.ones(20))
    thresholds, calibration = fit_thresholds(Predictions(q, np.stack(masks), np.full(40, 0.99)), pictures, empty, STEP)
    reported = [match_lesions(m, t, thresholds) for m, t in zip(masks, truths, strict=True)]
    assert all(each.hit for each in reported)
    assert sum(each.false_lesions for each in reported) == 0
    assert thresholds.prevalence == 0.5
    assert "40 validation pictures, 20 of them malignant" in thresholds.operating_point
    assert calibration.slope > 0
