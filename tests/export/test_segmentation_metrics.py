"""Figures and thresholds of a segmentation on the card: what a device would call, and what it must not hide."""

from __future__ import annotations

import numpy as np
import pytest

from export.classifier_metrics import out_of_fold_metrics
from export.segmentation_metrics import called_classes, choose_limits, pixel_counts, segmentation_metrics
from export.segmentation_run import MaskedPictures

NAMES = ["background", "cyst", "solid"]


def maps_of(masks: np.ndarray, sure: float) -> np.ndarray:
    """Maps (n, h, w, 3) in which the mask's class has the probability ``sure``, the others share the rest."""
    maps = np.full((*masks.shape, 3), (1 - sure) / 2, np.float32)
    np.put_along_axis(maps, masks[..., None].astype(np.int64), sure, axis=3)
    return maps


@pytest.fixture
def masks():
    found = np.zeros((12, 8, 8), np.uint8)
    found[:6, :4], found[6:, 4:, 4:] = 1, 2
    return found


def test_a_place_under_its_limit_is_background(masks):
    maps = maps_of(masks, 0.6)
    assert (called_classes(maps, (8, 8), [0, 0.5, 0.5]) == masks).all()
    called = called_classes(maps, (8, 8), [0, 0.7, 0.5])
    assert not called[:6].any()
    assert (called[6:] == masks[6:]).all()


def test_maps_of_half_the_size_are_brought_to_the_tensors(masks):
    wide = masks.repeat(2, 1).repeat(2, 2)
    called = called_classes(maps_of(masks, 0.9), (16, 16), [0, 0.5, 0.5])
    assert (called == wide).mean() > 0.97


def test_a_missed_class_and_one_found_elsewhere_are_told(masks):
    called = masks.copy()
    called[0], called[11, :2] = 0, 1
    counts, whole = pixel_counts(called, masks, 3), pixel_counts(masks, masks, 3)
    assert counts.sum() == masks.size
    groups = np.array([f"g{n // 2}" for n in range(12)])
    by_name = {m.name: m for m in segmentation_metrics(counts, whole, groups, NAMES, "made")}
    assert by_name["missed cyst"].value == pytest.approx(1 / 6, abs=1e-4)
    assert by_name["found elsewhere cyst"].value == pytest.approx(1 / 6, abs=1e-4)
    assert by_name["Dice cyst"].value == pytest.approx(5 / 6, abs=1e-4)
    assert by_name["macro Dice, float"].value == 1.0
    assert by_name["macro Dice, int8 - float"].value < 0
    assert by_name["Dice cyst"].low < by_name["Dice cyst"].value


def test_limits_are_chosen_only_where_a_class_is_in_ten_pictures(masks):
    often = np.concatenate([masks[:6], masks[:6], masks[6:]])
    maps = maps_of(often, 0.6)
    maps[:12, 4:, :, 0], maps[:12, 4:, :, 1] = 0.3, 0.45  # a weak, false cyst beside each true one
    maps[:12, 4:, :, 2] = 0.25
    pictures = MaskedPictures(np.zeros((18, 8, 8, 3), np.uint8), often, np.array([str(n) for n in range(18)]))
    limits = choose_limits(maps, pictures, 0.4)
    assert limits[1] in (0.5, 0.6), "over the false ones, at the true ones or under"
    assert limits[2] == 0.4, "six pictures say too little"


def test_figures_out_of_fold_need_no_threshold():
    labels = np.array([0, 1] * 10)
    right = np.eye(2)[labels]
    wrong = right.copy()
    wrong[0] = wrong[0, ::-1]
    groups = np.array([str(n // 2) for n in range(20)])
    by_name = {m.name: m for m in out_of_fold_metrics(wrong, right, labels, groups, 2, "twenty, out of fold")}
    assert by_name["accuracy, out of fold"].value == 0.95
    assert by_name["macro F1, int8 - float, out of fold"].value == pytest.approx(-0.05, abs=0.005)
    assert by_name["macro F1, out of fold"].n == 20
