"""Metrics by hand, and bootstrap intervals over patients."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import bootstrap
from training.evaluation.metrics import auc, best_iou, dice


def test_auc_by_hand():
    assert auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert auc(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5
    assert np.isnan(auc(np.array([1, 1]), np.array([0.1, 0.2])))


def test_dice_and_iou_by_hand():
    true = np.zeros((8, 8), np.uint8)
    true[:4, :4] = 1
    found = np.zeros_like(true)
    found[:4, 2:6] = 1
    assert dice(found > 0, true > 0) == 0.5
    assert best_iou(found, true) == pytest.approx(8 / 24)
    found[7, 7] = 1  # another part of no use does not spoil the first
    assert best_iou(found, true) == pytest.approx(8 / 24)
    assert best_iou(np.zeros_like(true), true) == 0.0
    assert dice(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1.0


def test_the_interval_is_over_patients_and_not_over_pictures():
    """Twenty pictures of each of ten patients, all alike, tell as much as one picture of each."""
    values = np.random.default_rng(0).normal(size=10)
    single = bootstrap([str(i) for i in range(10)], lambda r: float(values[r].mean()))
    many = np.repeat(values, 20)
    repeated = bootstrap([str(i) for i in range(10) for _ in range(20)], lambda r: float(many[r].mean()))
    assert repeated == pytest.approx(single, abs=0.15)
    naive = bootstrap([str(i) for i in range(200)], lambda r: float(many[r].mean()))
    assert naive[1] - naive[0] < 0.5 * (repeated[1] - repeated[0])
