"""The recurrent network over features: its gradient, its fit, what it learns from, and the two decisions about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fake_predictions import columns

from edge.contracts.clip_model import FEATURES, SCALES
from edge.contracts.errors import ConfigError
from edge.contracts.results import Reason, Status
from training.cines.answers import CineAnswers, FoundLesion, FrameAnswer
from training.cines.examinations import pairs_of_views
from training.cines.joining import RULES, as_text, joining_table
from training.clips import decisions
from training.clips.breast_step import best_limit, fit_breast_step
from training.clips.fit import fit
from training.clips.float_step import FloatStep, ShuffledStep, manifest_of
from training.clips.gru import first_weights, gradient, run, scaled, sigmoid
from training.clips.recipe import ClipNetworkSection
from training.clips.sequences import FeatureSequence, cine_sequences, padded
from training.clips.store import read_folds, read_weights, write_folds, write_run
from training.clips.views import drawn_sets, patients_of
from training.evaluation.held_out_predictions import HeldOutPredictions

SMALL = ClipNetworkSection(units=8, epochs=3, batch=16, learning_rate=0.02)


def test_the_gradient_is_that_of_the_loss():
    rng = np.random.default_rng(1)
    weights = {name: value.astype(np.float64) for name, value in first_weights(5, 0).items()}
    x, labels = rng.normal(0, 0.5, (3, 7, 7)), (rng.random((3, 7, 2)) > 0.5).astype(float)
    counts = rng.random((3, 7, 2))
    _, slope = gradient(weights, x, labels, counts)
    for name, value in weights.items():
        flat = value.reshape(-1)
        place, before = rng.integers(len(flat)), flat[rng.integers(1)]
        before = flat[place]
        ends = []
        for step in (1e-3, -1e-3):
            flat[place] = before + step
            ends.append(gradient(weights, x, labels, counts)[0])
        flat[place] = before
        assert (ends[0] - ends[1]) / 2e-3 == pytest.approx(slope[name].reshape(-1)[place], rel=0.05, abs=2e-5)


def order_matters(n: int, seed: int = 0) -> list[FeatureSequence]:
    """Sequences of the same frames: malignant where the high logits come last, benign where they come first."""
    rng, found = np.random.default_rng(seed), []
    for k in range(n):
        x = np.zeros((8, len(FEATURES)), np.float32)
        x[:, 1], x[:, 6] = 0.9, 1
        high = rng.permutation(np.linspace(1, 4, 4)), rng.permutation(np.linspace(-4, -1, 4))
        x[:, 0] = np.concatenate(high if k % 2 else high[::-1])
        found.append(FeatureSequence(f"g{k}", 0, x, float(k % 2 == 0), np.ones(8, np.float32)))
    return found


def test_it_learns_what_only_the_order_tells_and_a_seed_gives_the_same_weights():
    how = ClipNetworkSection(units=8, epochs=40, batch=16, learning_rate=0.02)
    weights = fit(order_matters(60), how, 1)
    x, labels, _ = padded(order_matters(40, seed=9))
    right = (run(weights, scaled(x))[:, -1, 0] > 0) == (labels[:, -1, 0] > 0.5)
    assert right.mean() > 0.9
    again = fit(order_matters(60), how, 1)
    assert all(np.array_equal(weights[name], again[name]) for name in weights)
    shuffled, states = ShuffledStep(weights, manifest_of(0.5)), []
    said = []
    for each in order_matters(40, seed=9):
        states = shuffled.begin()[None]
        for row in each.x:
            states, malignancy, _ = shuffled.step(row[None], states)
        said.append((malignancy[0] > 0.5) == (each.malignant > 0.5))
    assert np.mean(said) < 0.8


def test_a_step_of_the_floats_gives_what_the_whole_sequence_gives():
    weights = first_weights(6, 2)
    x = order_matters(2)[1].x
    step, states = FloatStep(weights, manifest_of(None)), None
    states = step.begin()[None]
    for row in x:
        states, malignancy, presence = step.step(row[None], states)
    whole = sigmoid(run(weights, scaled(x)[None])[0, -1])
    assert [malignancy[0], presence[0]] == pytest.approx(whole.tolist(), abs=1e-5)


def cine(letters: str, *, lesion: bool = True, label: int = 1, group: str = "g", rate: int = 15) -> CineAnswers:
    """A sweep of letters: F the lesion is found, f something beside it is, c clear, w refused."""
    truth = (10, 10, 30, 30)
    at, beside = FoundLesion(truth, 0.95, 0.5), FoundLesion((90, 90, 12, 12), 0.75, 0.2)
    frames = []
    for letter in letters:
        if letter == "F":
            frames.append(FrameAnswer(Status.FINDING, None, 0.8 if label else 0.2, True, (at,), truth, 1.0, True))
        elif letter == "f":
            frames.append(FrameAnswer(Status.FINDING, None, 0.6, True, (beside,)))
        elif letter == "w":
            frames.append(FrameAnswer(Status.ABSTAINED, Reason.WRONG_ANATOMY))
        else:
            frames.append(FrameAnswer(Status.CLEAR, None, 0.1))
    return CineAnswers(f"{group}/{letters[:3]}", group, label, lesion, (160, 160), rate, frames)


def test_sequences_of_a_sweep_are_told_by_whether_their_track_lies_on_the_lesion():
    found = cine_sequences(cine("cc" + "F" * 20 + "f" * 20), 2)
    frames, *tracks = found
    assert len(frames.x) == 42
    assert frames.present[:2].tolist() == [0, 0]
    assert frames.present[-1] == 1
    assert sorted((each.present[0], each.malignant) for each in tracks) == [(0.0, -1.0), (1.0, 1.0)]
    assert all(each.fold == 2 and each.x.shape[1] == len(FEATURES) for each in found)
    free = cine_sequences(cine("f" * 30, lesion=False, label=-1), 1)
    assert {(each.malignant, float(each.present.max())) for each in free} == {(-1.0, 0.0)}


def sweeps(fold: int, number: int = 6) -> list[CineAnswers]:
    """Sweeps whose lesions are surer than what lies beside them."""
    rng = np.random.default_rng(fold)
    found = []
    for k in range(number):
        lead = "c" * int(rng.integers(2, 8))
        found.append(cine(lead + "F" * 30 + "c" * 5, label=k % 2, group=f"{fold}-{k}"))
        found.append(cine(lead + "".join(rng.choice(list("fffc"), 60)), lesion=False, label=-1, group=f"{fold}-{k}n"))
    return found


def test_the_networks_of_folds_are_fitted_without_them_and_none_on_those_who_judge():
    seen: list[set[str]] = []

    def watched(sequences, how, seed, log, views):
        drawn = views(np.random.default_rng(0))
        seen.append({each.group for each in [*sequences, *drawn]})
        return fit(sequences, how, seed, log)

    import training.clips.breast_step as module

    patients = patients_of([HeldOutPredictions(**columns(patients=60))])
    held = frozenset({patients[0].group})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fit", watched)
        found = fit_breast_step({1: sweeps(1, 3), 2: sweeps(2, 3)}, patients, held, SMALL, 1, lambda _: None)
    of_fold = {fold: {each.group for each in patients if each.fold == fold} for fold in found.by_fold}
    for fold, groups in zip(found.by_fold, seen, strict=False):
        assert not groups & of_fold[fold]
        assert not any(name.startswith(f"{fold}-") for name in groups)
    assert all(held.isdisjoint(groups) for groups in seen)
    assert found.new_from in {each[0] for each in found.tried}


def test_the_limit_keeps_the_lesions_first_and_then_has_the_fewest_false_ones():
    assert (
        best_limit([(0.3, 3.0, 0.99, 0.3), (0.5, 1.0, 0.98, 0.5), (0.8, 0.1, 0.9, 0.5), (0.6, 0.5, 0.98, 0.9)]) == 0.5
    )
    assert best_limit([(0.3, 3.0, 0.95, 0.3), (0.5, 1.0, 0.96, 0.5)]) == 0.5


def teller(limit: float) -> dict[str, np.ndarray]:
    """Weights that say a lesion is there where its presence is high, at once."""
    weights = first_weights(4, 0)
    for name in ("U", "W", "b", "c", "V", "d"):
        weights[name][...] = 0
    weights["b"][:4] = -20  # the newest frame alone counts
    weights["W"][FEATURES.index("presence"), 8] = 8 * SCALES[1]
    weights["b"][8] = -8 * limit
    weights["V"][0, 1] = 20
    return weights


def test_the_first_decision_is_made_by_paired_intervals():
    free = [cine("f" * 120, lesion=False, label=-1, group=f"free{k}", rate=30) for k in range(5)]
    held = [cine("c" * 10 + "F" * 80, group=f"held{k}", rate=30) for k in range(5)]
    better = decisions.decide_new([*free, *held], teller(0.85), 0.5, rates=(30,))
    assert better.wins is False  # it beats the rule, but needs no order
    assert better.differences[0].low > 0
    assert {name for name, _ in better.scores} == {"single frames", "rule", "network", "network, shuffled"}
    worse = decisions.decide_new([*free, *held], teller(0.99), 0.5, rates=(30,))
    assert worse.differences[1].value < 0  # it loses lesions
    text = decisions.new_text(worse)
    assert "does not win: the rule stays" in text
    assert "rule less network" in text


def test_the_second_decision_judges_each_fold_by_a_network_of_the_others(monkeypatch):
    rows = HeldOutPredictions(**columns(patients=90))
    exams, patients = pairs_of_views([rows]), patients_of([rows])
    assert len(exams) == len([each for each in patients if len(each.views) > 1]) > 20
    by_fold = {fold: first_weights(4, fold) for fold in {each.fold for each in patients}}
    found = decisions.decide_joining(exams, patients, by_fold)
    assert decisions.GRU in found.table.rules
    assert decisions.GRU not in RULES
    assert found.wins is False
    assert decisions.GRU in as_text("pairs", found.table)
    assert "the rule stays" in decisions.joining_decision_text(found)


def test_a_rival_changes_nothing_for_the_rules():
    rows = HeldOutPredictions(**columns(patients=90))
    exams = pairs_of_views([rows])
    alone, beside = joining_table(exams), joining_table(exams, rivals={"other": np.zeros(len(exams))})
    assert all(alone.rules[name].auc == beside.rules[name].auc for name in RULES)
    assert alone.chosen == beside.chosen


def test_sets_of_looks_hold_one_to_four_and_pairs_come_in_both_orders():
    patients = patients_of([HeldOutPredictions(**columns(patients=60))])
    drawn = [each for seed in range(8) for each in drawn_sets(patients, np.random.default_rng(seed))]
    assert {len(each.x) for each in drawn} == {1, 2, 3, 4}
    assert all((each.present == -1).all() for each in drawn)
    two = next(each for each in patients if len(each.views) > 1)
    first, second = two.sequence([(0, 0), (1, 0)]), two.sequence([(1, 0), (0, 0)])
    assert np.array_equal(first.x, second.x[::-1])
    assert np.array_equal(first.x[:, FEATURES.index("seconds")], [0, 0])


def test_what_is_stored_comes_back(tmp_path):
    weights = first_weights(4, 1)
    write_run(tmp_path, weights, order_matters(5))
    write_folds(tmp_path, {1: weights, 3: first_weights(4, 2)})
    assert all(np.array_equal(read_weights(tmp_path)[name], weights[name]) for name in weights)
    assert set(read_folds(tmp_path)) == {1, 3}
    with pytest.raises(ConfigError, match=r"weights\.npz"):
        read_weights(tmp_path / "none")


def test_views_are_calibrated_looks_of_the_same_pictures():
    rows = HeldOutPredictions(**columns(patients=30))
    same = replace(rows, flipped=rows.malignancy, zoomed=rows.malignancy)
    for patient in patients_of([same]):
        for view in patient.views:
            assert len(set(view.logits)) == 1
            assert view.look()[5:] == [0.0, 1.0]


def test_a_longer_sequence_counts_no_more_than_a_short_one():
    short = replace(order_matters(1)[0], x=order_matters(1)[0].x[:2], present=np.ones(2, np.float32))
    _, _, counts = padded([short, order_matters(1)[0]])
    assert counts[0].sum() == pytest.approx(counts[1].sum())
