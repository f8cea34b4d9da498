"""Made cines and what is chosen by them, on rendered phantoms: both makers, tracks against single frames, joining."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from edge.config.tracking_settings import AT_ONCE, ConfirmSettings, TrackingSettings
from edge.contracts.errors import ConfigError
from edge.contracts.results import Reason, Status
from training.breast import protocol
from training.cines import command, first_maker, joining, second_maker
from training.cines.answers import CineAnswers, FoundLesion, FrameAnswer, read_answers
from training.cines.curve import CurvePoint, curve_svg
from training.cines.goals import as_text, goals_of
from training.cines.score import hits, score_cine
from training.cines.stills import held_out_stills, phantom_stills
from training.cines.sweeps import phantom_sweeps
from training.datasets import BUS_BRA, BUSI, UNLABELLED, Item

MAKERS = {"first": first_maker.make_cine, "second": second_maker.make_cine}
RATE = 5


@pytest.fixture(scope="module")
def stills():
    return phantom_stills(1, 1, seed=3)


@pytest.fixture(scope="module", params=sorted(MAKERS))
def cine(request, stills):
    return stills[0], list(MAKERS[request.param](stills[0], 1, 8.0, RATE)), MAKERS[request.param]


def test_the_lesion_enters_is_held_and_leaves_and_every_frame_has_its_truth(cine):
    still, frames, _ = cine
    assert len(frames) == 8 * RATE
    assert frames[0].box is None
    assert frames[-1].shown < 0.5
    assert max(frame.shown for frame in frames) > 0.8
    assert any(frame.steady for frame in frames)
    height, width = still.pixels.shape
    for frame in frames:
        assert frame.pixels.shape == (height, width)
        assert frame.pixels.dtype == np.uint8
        assert (frame.box is None) == (frame.shown == 0)
        if frame.box is not None:
            x, y, w, h = frame.box
            assert 0 <= x < x + w <= width
            assert 0 <= y < y + h <= height


def test_a_seed_makes_the_same_cine_and_another_one_another(cine):
    still, frames, maker = cine
    again = list(maker(still, 1, 8.0, RATE))
    assert all(
        (one.pixels == other.pixels).all() and one.box == other.box for one, other in zip(frames, again, strict=True)
    )
    other = list(maker(still, 2, 8.0, RATE))
    assert any((one.pixels != two.pixels).any() for one, two in zip(frames, other, strict=True))


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_tissue_without_a_lesion_has_none_in_any_frame_and_does_not_stand_still(stills, name):
    frames = list(MAKERS[name](stills[1], 1, 2.0, RATE))
    assert all(frame.box is None and frame.shown == 0 and not frame.steady for frame in frames)
    assert (frames[0].pixels != frames[-1].pixels).mean() > 0.5


def test_the_makers_share_no_function():
    def defined(module) -> set[str]:
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        return {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}

    def imported(module) -> set[str]:
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        return {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}

    shared = {name for name in defined(first_maker) & defined(second_maker) if not name.startswith("__")}
    assert shared == {"make_cine"}  # the interface, written twice
    for module in (first_maker, second_maker):
        assert {name for name in imported(module) if name.startswith(("training", "edge"))} == {"training.cines.cine"}


def made(status: str, rate: int = 30, lesion: bool = True, seed: int = 0, label: int = 1) -> CineAnswers:
    """A cine of letters: F the lesion is found, f something else is, m missed, c clear tissue, w refused."""
    truth = (10, 10, 30, 30)
    at, beside = FoundLesion(truth, 0.9, 0.5), FoundLesion((80, 80, 10, 10), 0.7, 0.2)
    rng = np.random.default_rng(seed)

    def frame(letter: str) -> FrameAnswer:
        malignancy = float(np.clip(rng.normal(0.6 if label else 0.3, 0.1), 0.01, 0.99))
        if letter in "Ff":
            found = (at,) if letter == "F" else (beside,)
            shown = letter == "F"
            return FrameAnswer(
                Status.FINDING, None, malignancy, True, found, truth if shown else None, float(shown), shown
            )
        if letter == "w":
            return FrameAnswer(Status.ABSTAINED, Reason.WRONG_ANATOMY)
        missed = letter == "m"
        return FrameAnswer(Status.CLEAR, None, 0.1, None, (), truth if missed else None, float(missed), missed)

    return CineAnswers(f"{status[:4]}{seed}", f"g{seed}", label, lesion, (160, 160), rate, [frame(s) for s in status])


CONFIRMED = TrackingSettings(confirm=ConfirmSettings(seconds=0.5, share=0.6))
SINGLE = TrackingSettings(confirm=AT_ONCE, gone_after_s=1 / 6)


def test_scores_tell_tracks_from_single_frames():
    blinking = made("c" * 30 + "FFFFm" * 30)
    tracked, single = score_cine(blinking, CONFIRMED), score_cine(blinking, SINGLE)
    assert (tracked.tracks, tracked.changes, tracked.false_new) == (1, 1, 0)
    assert tracked.single_changes > 50
    assert tracked.spread < tracked.single_spread / 2
    assert tracked.delay_s == pytest.approx(0.4, abs=0.15)
    assert single.delay_s == 0
    specks = made("ccfccccccc" * 30, lesion=False)
    assert (score_cine(specks, CONFIRMED).false_new, score_cine(specks, SINGLE).false_new) == (0, 30)


def test_goals_have_intervals_and_one_that_is_missed_says_so():
    free, held = [made("c" * 600, lesion=False, seed=k) for k in range(3)], [made("F" * 90, seed=k) for k in range(4)]
    spoilt = made("f" * 600, lesion=False, seed=9)
    scores = {("first", 30): [score_cine(cine, CONFIRMED) for cine in (*free, *held)]}
    scores["second", 30] = [score_cine(cine, CONFIRMED) for cine in (spoilt, *held)]
    goals = {(goal.kind, goal.what): goal for goal in goals_of(scores)}
    none = goals["first", "false new a minute"]
    assert (none.value, none.reached) == (0, True)
    assert none.high == pytest.approx(3.0)  # of one minute without any
    assert not goals["second", "false new a minute"].reached
    assert goals["first", "in one track"].reached
    text = as_text(list(goals.values()))
    assert "missed" in text
    assert "reached" in text


def test_lower_rates_are_frames_left_out():
    cine = made("Fm" * 60, rate=60)
    assert (cine.at_rate(30).rate, len(cine.at_rate(30).frames), cine.at_rate(30).seconds) == (30, 60, 2.0)
    assert score_cine(cine.at_rate(15), CONFIRMED).seconds == 2.0


def test_a_box_hits_the_lesion_by_overlap_or_as_a_part():
    assert hits((0, 0, 10, 10), (2, 2, 10, 10))
    assert hits((3, 3, 2, 2), (0, 0, 30, 30))
    assert not hits((0, 0, 10, 10), (9, 9, 10, 10))
    assert not hits((0, 0, 10, 10), None)


def test_the_curve_is_a_picture_with_the_chosen_point_drawn_large():
    points = [CurvePoint(s, share, 30 / (1 + 20 * s), s, 1.0) for share in (0.5, 0.7) for s in (0.0, 0.5, 1.0)]
    svg = curve_svg(points, (0.5, 0.7))
    assert svg.startswith("<svg")
    assert svg.count('r="6"') == 1


def exams(n: int, informative: float, seed: int = 0) -> list[joining.Examination]:
    """Pairs of views of which the one with the higher presence is right more often, by ``informative``."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(n):
        label, presence = int(rng.random() < 0.4), rng.uniform(0.5, 1.0, 2)
        noise = rng.normal(0, 0.5 + informative * 8 * (1 - presence))
        p = 1 / (1 + np.exp(-((2 * label - 1) * 1.2 + noise)))
        found.append(joining.Examination(f"g{k}", label, k % 5, p, presence, rng.uniform(0, 1, 2)))
    return found


def test_weights_are_learnt_where_presence_tells_and_left_alone_where_it_does_not():
    assert joining.fit_weights(exams(200, 1.0))[0] > 0
    assert joining.fit_weights(exams(200, 0.0, seed=1)) == (0.0, 0.0)


def test_all_rules_stand_in_one_table_and_each_fold_is_judged_by_the_others():
    table = joining.joining_table(exams(150, 1.0))
    assert list(table.rules) == list(joining.RULES)
    assert set(table.chosen) == {0, 1, 2, 3, 4}
    assert table.rules["worst_frame"].auc.value < table.rules["mean_logit"].auc.value
    assert table.best == joining.LEARNT
    text = joining.as_text("pairs", table)
    assert all(name in text for name in joining.RULES)
    assert "150 examinations of 150 patients" in text


def test_rules_of_one_frame_agree():
    one = joining.Examination("g", 1, 0, np.array([0.7]), np.array([0.8]), np.array([0.5]))
    said = {name: round(rule(one, (4.0, 1.0)), 6) for name, rule in joining.RULES.items()}
    assert set(said.values()) == {round(float(np.log(0.7 / 0.3)), 6)}


@pytest.mark.slow
def test_the_command_prints_goals_and_curve_and_asks_the_model_once(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "sweeps_of", lambda half, data: phantom_sweeps(half, 1, 1, seconds=1.5))
    monkeypatch.setattr(command, "CURVE_SECONDS", (0.0, 0.5))
    said: list[str] = []
    asked = command.CinesRequest(None, tmp_path / "cines", tmp_path / "curve.svg", first_only=False)
    command.run_cines(asked, said.append)
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
    text = "\n".join(said)
    for words in ("false new a minute", "in one track", "lesion shown after", "by single frames", "seconds  share"):
        assert words in text
    monkeypatch.setattr(command, "model", lambda: pytest.fail("the answers are kept"))
    again: list[str] = []
    command.run_cines(asked, again.append)
    assert again == said[-len(again) :]


def test_kept_answers_that_are_something_else_are_one_error_that_says_what_to_do(tmp_path):
    path = tmp_path / "held-out-first.jsonl"
    for damaged in (b"{}\n", b"\xff\xfe\n", b'{"name": 1}\n', b"[1, 2\n"):
        path.write_bytes(damaged)
        with pytest.raises(ConfigError, match="no answers of cines"):
            read_answers(path)
    path.write_bytes(b'{"name": "half of a li')  # whoever wrote it was ended
    assert read_answers(path) == read_answers(tmp_path / "none.jsonl") == []


def items(n: int) -> list[Item]:
    """Pictures of two sets, two views a patient, every third without a lesion."""
    found = []
    for k in range(n):
        mask = np.zeros((120, 140), np.uint8)
        label = UNLABELLED if k % 3 == 0 else k % 2
        if label != UNLABELLED:
            mask[50:70, 20:40] = 1
        source = BUSI if k % 3 == 0 or k % 5 == 0 else BUS_BRA
        pixels = np.random.default_rng(k).integers(20, 220, mask.shape, np.uint8)
        found += [Item(f"{k}-{view}", f"g{k}", source, "train", label, pixels, mask, fold=1) for view in "ab"]
    return found


def test_stills_are_held_out_and_the_makers_patients_with_lesions_are_others(monkeypatch, tmp_path):
    every = items(300)
    monkeypatch.setattr("training.cines.stills.load_breast_sets", lambda data: every)
    held = {item.group for item in protocol.assign_splits("all", every) if item.split == "val"}
    first, second = (held_out_stills(tmp_path, half, 4, 12) for half in ("first", "second"))
    for stills in (first, second):
        assert {still.group for still in stills} <= held
        with_lesion = [still for still in stills if still.mask.any()]
        assert len({still.group for still in with_lesion}) == len(with_lesion) > 0
        assert len(with_lesion) < len(stills)
        assert all(max(still.pixels.shape) == 320 for still in stills)
    lesions = [{still.group for still in stills if still.mask.any()} for stills in (first, second)]
    assert not lesions[0] & lesions[1]
