"""Bootstrap intervals over patients, and the metrics that calibration and abstention are evaluated by."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.bootstrap import BootstrapSamples, bootstrap
from training.evaluation.metrics import (
    auc,
    aurc,
    ece,
    reliability,
    risk_coverage,
    roc,
    threshold_for_sensitivity,
    youden,
)


@pytest.fixture
def world():
    rng = np.random.default_rng(3)
    labels = (rng.random(300) < 0.35).astype(int)
    scores = np.round(labels + rng.normal(0, 1, 300), 1)  # with ties
    return labels, scores, np.array([f"p{i // 2}" for i in range(300)])


def test_value_and_interval_are_those_of_the_plain_bootstrap(world):
    labels, scores, groups = world
    found = BootstrapSamples(groups, rounds=800).auc(labels, scores)
    assert found.value == pytest.approx(auc(labels, scores))
    assert (found.low, found.high) == pytest.approx(
        bootstrap(groups.tolist(), lambda r: auc(labels[r], scores[r]), rounds=800), abs=0.012
    )
    rate = BootstrapSamples(groups).ratio((scores > 0.5) & (labels == 1), labels == 1)
    assert rate.value == pytest.approx((scores[labels == 1] > 0.5).mean())
    assert rate.n == labels.sum()
    assert rate.low < rate.value < rate.high


def test_rows_of_neither_class_have_no_say(world):
    labels, scores, groups = world
    more = np.concatenate([labels, np.full(50, -1)])
    found = BootstrapSamples(np.concatenate([groups, [f"q{i}" for i in range(50)]])).auc(
        more, np.concatenate([scores, np.full(50, 9)])
    )
    assert found.value == pytest.approx(auc(labels, scores))
    assert found.n == 300


def test_what_is_undefined_is_nan():
    draws = BootstrapSamples(["a", "b"])
    assert np.isnan(draws.auc(np.array([1, 1]), np.array([0.1, 0.2])).value)
    assert np.isnan(draws.ratio(np.zeros(2), np.zeros(2)).value)


def test_a_paired_difference_is_narrower_than_two_intervals(world):
    labels, scores, groups = world
    draws = BootstrapSamples(groups)
    other = scores + np.random.default_rng(0).normal(0, 0.1, len(scores))
    change = draws.auc_difference(labels, scores, other)
    single = draws.auc(labels, scores)
    assert change.low <= change.value <= change.high
    assert change.high - change.low < 0.5 * (single.high - single.low)
    assert draws.auc_difference(labels, scores, scores).high == 0


def test_roc_by_hand():
    false, true, levels = roc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    assert false.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true.tolist() == [0, 0.5, 0.5, 1, 1]
    assert levels[1:].tolist() == [0.8, 0.4, 0.35, 0.1]


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.95, 1.0])
def test_a_threshold_keeps_its_sensitivity_and_no_higher_one_does(world, wanted):
    labels, scores, _ = world
    limit = threshold_for_sensitivity(labels, scores, wanted)
    ill = scores[labels == 1]
    assert (ill >= limit).mean() >= wanted
    higher = np.unique(scores)[np.unique(scores) > limit]
    assert (ill >= higher[1]).mean() < wanted
    assert limit not in scores or limit == scores.min()  # between two scores: rounding turns no call over


def test_youden_is_where_both_sum_up_highest(world):
    labels, scores, _ = world

    def worth(limit):
        return (scores[labels == 1] >= limit).mean() + (scores[labels == 0] < limit).mean()

    assert worth(youden(labels, scores)) == pytest.approx(max(worth(v) for v in np.unique(scores)))


def test_ece_by_hand():
    labels, p = np.array([0, 0, 1, 1, 0, 1]), np.array([0.15, 0.15, 0.15, 0.95, 0.95, 1.0])
    assert ece(labels, p) == pytest.approx((3 * abs(0.15 - 1 / 3) + 3 * abs(2.9 / 3 - 2 / 3)) / 6)
    assert [row[3] for row in reliability(labels, p)] == [3, 3]
    rng = np.random.default_rng(0)
    honest = rng.random(20000)
    assert ece((rng.random(20000) < honest).astype(int), honest) < 0.02


def test_doubt_that_knows_the_errors_beats_doubt_that_does_not():
    rng = np.random.default_rng(1)
    errors = rng.random(2000) < 0.2
    perfect, blind = errors + rng.random(2000) * 0.5, rng.random(2000)
    coverage, risk = risk_coverage(errors, perfect)
    assert risk[np.searchsorted(coverage, 0.8) - 1] == 0
    assert risk[-1] == pytest.approx(errors.mean())
    assert aurc(errors, perfect) < 0.03
    assert aurc(errors, blind) == pytest.approx(0.2, abs=0.03)
    draws = BootstrapSamples([str(i) for i in range(2000)], rounds=50)
    assert draws.aurc(errors, perfect).value == pytest.approx(aurc(errors, perfect))
    assert draws.aurc(errors, perfect, against=blind).high < 0


def test_equal_doubt_orders_nothing():
    errors = np.array([1, 0, 0, 0, 1, 1])
    assert aurc(errors, np.zeros(6)) == pytest.approx(0.5)
    assert aurc(errors[::-1].copy(), np.zeros(6)) == pytest.approx(0.5)
