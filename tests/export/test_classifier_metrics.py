"""Metrics, temperature and thresholds of classifiers, from made scores; needs no TensorFlow."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from edge.contracts.manifest import LabelRules
from export.classifier_calibration import fit_rules, fit_temperature, scores_of
from export.classifier_metrics import classifier_metrics
from export.quantisation_steps import turned_calls

NAMES = ["cyst", "solid", "normal"]


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture
def made():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 300)
    logits = rng.normal(0, 1, (300, 3)) + 2.0 * np.eye(3)[labels]
    return logits, labels


def test_figures_are_those_of_scikit_learn(made):
    pytest.importorskip("sklearn", reason="of the training extra")
    from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

    logits, labels = made
    scores = softmax(logits)
    groups = np.array([str(i // 2) for i in range(len(labels))])
    found = {m.name: m for m in classifier_metrics(scores, scores, labels, groups, NAMES, np.full(3, 0.6), "made")}
    called = scores.argmax(axis=1)
    expected = {
        "accuracy": (called == labels).mean(),
        "macro F1": f1_score(labels, called, average="macro"),
        "macro recall": recall_score(labels, called, average="macro"),
        "macro AUC": roc_auc_score(labels, scores, multi_class="ovr"),
        "precision solid": precision_score(labels, called, labels=[1], average=None)[0],
        "pictures told": (scores.max(axis=1) >= 0.6).mean(),
        "macro F1, int8 - float": 0.0,
    }
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-4), name
        assert found[name].low <= found[name].value <= found[name].high


def test_a_class_that_is_never_called_or_absent_has_no_figure_that_json_cannot_say(made):
    logits, labels = made
    scores = softmax(logits + np.array([0.0, 0.0, -50.0]))
    for some in (np.ones(len(labels), bool), labels < 2, labels == 0):
        groups = np.array([str(i) for i in range(int(some.sum()))])
        found = classifier_metrics(scores[some], scores[some], labels[some], groups, NAMES, np.full(3, 0.5), "made")
        assert "precision normal" not in {m.name for m in found}
        for metric in found:
            assert msgspec.json.decode(msgspec.json.encode(metric), type=type(metric)) == metric


@pytest.mark.parametrize("true", [0.7, 1.0, 2.0])
def test_the_temperature_that_spoilt_the_scores_is_found(made, true):
    logits, _ = made
    rng = np.random.default_rng(2)
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits / true)])
    found = fit_temperature(softmax(logits), labels, LabelRules(output="probabilities", threshold=0.5))
    assert found == pytest.approx(true, rel=0.3)


def test_thresholds_make_nine_of_ten_calls_right_and_few_calls_leave_the_default(made):
    logits, labels = made
    rules = fit_rules(softmax(logits), labels, NAMES, "normal")
    assert rules.clear_label == "normal"
    scores = scores_of(softmax(logits), rules)
    called = scores.argmax(axis=1)
    for number, name in enumerate(NAMES):
        told = (called == number) & (scores.max(axis=1) >= rules.threshold_of(name))
        assert (labels[told] == number).mean() >= 0.9
    few = fit_rules(softmax(logits[:12]), labels[:12], NAMES)
    assert not few.thresholds
    assert "called too rarely" in few.method


def test_zeros_of_a_quantised_model_are_no_infinite_loss():
    values = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]], np.float32)
    rules = fit_rules(values, np.array([0, 1, 2]), NAMES)
    assert np.isfinite(scores_of(values, rules)).all()


def test_calls_that_quantisation_turns_are_told_with_how_near_they_were():
    floats = np.array([[0.51, 0.49], [0.9, 0.1], [0.3, 0.7]])
    int8 = np.array([[0.48, 0.52], [0.88, 0.12], [0.31, 0.69]])
    first, *turned = turned_calls(int8, floats, np.array([1, 0, 1]), ["cyst", "solid"])
    assert first == "1 of 3 calls differ from float; of these int8 has 1 right, float 0"
    assert turned == ["  solid: float cyst by 0.020, int8 solid"]
