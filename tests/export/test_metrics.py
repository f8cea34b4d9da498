"""Evaluation metrics against what they mean, counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.measure_bundle import by_device, by_group
from export.metrics import bootstrap_interval, weighted_auc, weighted_mean
from export.model_card import anatomy_gate_metrics
from export.training_run import HeldOutPictures

ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=30)


@settings(deadline=None, derandomize=True)
@given(rows=ROWS)
def test_auc_is_the_share_of_pairs_in_order(rows):
    scores, labels, weights = (np.array(column) for column in zip(*rows, strict=True))
    drawn = [(s, y) for s, y, w in rows for _ in range(w)]
    pairs = [(a > b) + (a == b) / 2 for a, ya in drawn if ya for b, yb in drawn if not yb]
    got = weighted_auc(scores.astype(float), labels.astype(np.int8))(weights.astype(float))
    assert math.isnan(got) if not pairs else got == pytest.approx(sum(pairs) / len(pairs))


def test_a_mean_among_some():
    figure = weighted_mean(np.array([1.0, 0.0, 1.0]), np.array([True, True, False]))
    assert figure(np.ones(3)) == 0.5
    assert figure(np.array([3.0, 1.0, 9.0])) == 0.75
    assert math.isnan(figure(np.array([0.0, 0.0, 5.0])))


def test_intervals_hold_the_value_and_repeat():
    rng = np.random.default_rng(3)
    values, groups = rng.random(200), np.array([f"p{i}" for i in range(200)])
    first = bootstrap_interval(weighted_mean(values), groups)
    assert first == bootstrap_interval(weighted_mean(values), groups)
    value, low, high = first
    assert value == pytest.approx(values.mean())
    # the normal approximation, which holds for a mean of 200
    assert (low, high) == pytest.approx(
        (value - 1.96 * values.std() / 200**0.5, value + 1.96 * values.std() / 200**0.5), abs=0.01
    )


def test_pictures_of_one_patient_are_not_independent():
    rng = np.random.default_rng(4)
    values = np.repeat(rng.random(50), 4)
    alone = bootstrap_interval(weighted_mean(values), np.array([str(i) for i in range(200)]))
    by_patient = bootstrap_interval(weighted_mean(values), np.array([str(i // 4) for i in range(200)]))
    assert by_patient[2] - by_patient[1] > 1.6 * (alone[2] - alone[1])


def test_a_scanner_with_few_pictures_gets_no_figure_of_its_own():
    labels = np.array([0, 1] * 30, np.int8)
    devices = np.array(["GE Logiq 7 @10-14MHz"] * 40 + ["U-Systems"] * 12 + [""] * 8)
    names = np.array([str(i) for i in range(60)])
    pictures = HeldOutPictures(
        np.zeros((60, 4, 4, 3), np.uint8), np.zeros((60, 4, 4), np.uint8), labels, names, devices
    )
    assert {name: len(rows) for name, rows in by_device(pictures).items()} == {"GE Logiq 7": 40}


def test_a_case_is_the_mean_of_its_views():
    names, p, labels = by_group(
        np.array([0.2, 0.4, 0.9]), np.array([0, 0, 1], np.int8), np.array(["case/a", "case/a", "case/b"])
    )
    assert (names.tolist(), p.tolist(), labels.tolist()) == (["case/a", "case/b"], [pytest.approx(0.3), 0.9], [0, 1])


def test_the_gates_figure_counts_frames_and_draws_kinds():
    files = {
        "heart-1": {"family": "heart", "frames": 30, "passed": 3},
        "heart-2": {"family": "heart", "frames": 10, "passed": 1},
        "eye": {"family": "eye", "frames": 60, "passed": 0},
    }
    (figure,) = anatomy_gate_metrics({"gate": {"files": files}})
    assert (figure.value, figure.n, figure.low, figure.high) == (0.04, 100, 0.0, 0.1)
    assert "3 files, 2 kinds" in figure.data
    assert anatomy_gate_metrics({}) == []
