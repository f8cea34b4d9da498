"""Figures as a user gets them: by the device's own rules, abstentions counted against it, with a gate or without."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from fake_predictions import columns, write_cv, write_single, write_strangers
from typer.testing import CliRunner

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import Calibration
from training.cli_evaluation import app
from training.evaluation.delivered import goals
from training.evaluation.device_verdicts import device_verdicts, lesion_rates, merge_verdicts, normal_rates
from training.evaluation.found_lesions import lesion_only_thresholds
from training.evaluation.gate_scores import GateScores, read_gate_scores
from training.evaluation.held_out_predictions import HeldOutPredictions

LIMITS = msgspec.structs.replace(lesion_only_thresholds(0.5, 0.55), malignancy=0.3, uncertain=(0.2, 0.45))


@pytest.fixture(scope="module")
def rows():
    return HeldOutPredictions(**columns())


def picture(rows: HeldOutPredictions, label: int, q: float, lesion: int, anatomy: float = 1.0) -> HeldOutPredictions:
    """One picture whose mask has ``lesion`` (0 to 255) in its middle."""
    mask = np.zeros_like(rows.lesion[:1])
    mask[0, 2:6, 2:6] = lesion
    numbers = {"malignancy": np.float32([q]), "anatomy": np.float32([anatomy]), "labels": np.int8([label])}
    return replace(rows.take(np.arange(1)), lesion=mask, **numbers)


@pytest.mark.parametrize(
    ("label", "q", "lesion", "counted"),
    [
        (1, 0.9, 250, {"coverage": 1, "sensitivity": 1, "cancers_clear": 0, "calls_uncertain": 0}),
        (1, 0.4, 250, {"coverage": 1, "sensitivity": 1, "calls_uncertain": 1, "error_uncertain": 0}),
        (1, 0.25, 250, {"coverage": 1, "sensitivity": 0, "calls_uncertain": 1, "error_uncertain": 1}),
        (1, 0.9, 0, {"coverage": 0, "sensitivity": 0, "cancers_abstained": 1, "cancers_clear": 0}),
        (1, 0.25, 0, {"coverage": 0, "sensitivity": 0, "cancers_abstained": 1}),
        (1, 0.1, 0, {"coverage": 1, "sensitivity": 0, "cancers_clear": 1}),
        (0, 0.1, 250, {"coverage": 1, "specificity": 1, "error_certain": 0}),
        (0, 0.1, 0, {"coverage": 1, "specificity": 1}),
        (0, 0.25, 0, {"coverage": 0, "specificity": 0}),
        (0, 0.9, 0, {"coverage": 0, "specificity": 0}),
        (0, 0.9, 250, {"coverage": 1, "specificity": 0, "error_certain": 1}),
    ],
)
def test_an_abstention_is_neither_found_nor_cleared(rows, label, q, lesion, counted):
    one = picture(rows, label, q, lesion)
    found = lesion_rates(one, device_verdicts(one, Calibration(), LIMITS, "float"))
    assert {name: found[name].value for name in counted} == counted


@pytest.mark.parametrize(
    ("q", "lesion", "anatomy", "state"),
    [
        (0.1, 0, 1.0, "clear"), (0.25, 0, 1.0, "too_uncertain"), (0.9, 0, 1.0, "heads_disagree"),
        (0.1, 250, 1.0, "finding"), (0.9, 250, 1.0, "suspicious"), (0.1, 0, 0.2, "wrong_anatomy"),
    ],
)  # fmt: skip
def test_pictures_without_a_lesion_are_told_apart(rows, q, lesion, anatomy, state):
    one = picture(rows, -1, q, lesion, anatomy)
    limits = msgspec.structs.replace(LIMITS, anatomy=0.5)
    found = {k: v.value for k, v in normal_rates(one, device_verdicts(one, Calibration(), limits, "int8")).items()}
    assert found.pop(state) == 1
    assert sum(found.values()) == (1 if state == "suspicious" else 0)  # a suspicious finding is a finding as well


def test_presence_turns_a_disagreement_of_the_heads_into_clear(rows):
    """Only where malignancy is not very high: a cancer that the mask misses is still no clear picture."""
    weighed = Calibration(presence=4.0)
    for q, state in ((0.6, "clear"), (0.99, "abstained")):
        one = picture(rows, -1, q, 0)
        assert device_verdicts(one, Calibration(), LIMITS, "float").reason.tolist() == ["heads_disagree"]
        assert device_verdicts(one, weighed, LIMITS, "float").status.tolist() == [state]


def test_verdicts_keep_their_pictures(rows):
    every = device_verdicts(rows, Calibration(), LIMITS, "float")
    odd, even = np.arange(1, len(rows), 2), np.arange(0, len(rows), 2)
    parts = [(k, device_verdicts(rows.take(k), Calibration(), LIMITS, "float")) for k in (odd, even)]
    merged = merge_verdicts(parts)
    for name in ("p", "status", "reason", "suspicious", "uncertain", "over"):
        assert np.array_equal(getattr(merged, name), getattr(every, name))
    assert every.p == pytest.approx(rows.malignancy, abs=1e-6)


def test_the_gate_takes_part_only_where_every_picture_has_a_score(rows):
    limits = msgspec.structs.replace(LIMITS, anatomy=0.7)
    refused = device_verdicts(rows, Calibration(), limits, "float").reason == "wrong_anatomy"
    assert np.array_equal(refused, rows.anatomy < np.float32(0.7))
    blind = replace(rows, anatomy=np.full(len(rows), np.nan, np.float32))
    assert "wrong_anatomy" not in device_verdicts(blind, Calibration(), limits, "float").reason


def test_scores_of_another_gate_reach_their_pictures(rows, tmp_path):
    order = np.arange(len(rows))[::-1]
    np.savez(tmp_path / "gate.npz", ids=rows.ids[order], anatomy=order / 300, threshold=0.1)
    scores = read_gate_scores(tmp_path / "gate.npz")
    assert scores.threshold == pytest.approx(0.1)
    assert scores.add_to(rows).anatomy == pytest.approx(np.arange(len(rows)) / 300)
    with pytest.raises(ConfigError, match="lack 269 of 270 pictures"):
        GateScores({"picture0": 1.0}, 0.1).add_to(rows)
    for wrong in ({"ids": rows.ids}, {"ids": rows.ids, "anatomy": np.full(len(rows), np.nan), "threshold": 0.1}):
        np.savez(tmp_path / "wrong.npz", **wrong)
        with pytest.raises(ConfigError):
            read_gate_scores(tmp_path / "wrong.npz")
    (tmp_path / "wrong.npz").write_bytes(b"nothing")
    with pytest.raises(ConfigError):
        read_gate_scores(tmp_path / "wrong.npz")


def test_the_command_prints_what_a_user_gets_and_which_goals_are_reached(rows, tmp_path):
    cv = write_cv(tmp_path / "cv", anatomy=np.full(270, np.nan))
    np.savez(cv / "int8.npz", malignancy=rows.malignancy, lesion=rows.lesion, anatomy=np.full(270, np.nan))
    runs = write_strangers(tmp_path)
    options = [f"--{kind}={runs[name]}" for kind, name in (("across", "b2b"), ("across", "i2b"), ("left-out", "no-a"))]
    told = CliRunner().invoke(app, ["delivered", str(cv), "--int8", *options])
    assert told.exit_code == 0, told.output
    assert "No anatomy gate took part in: BUS-BRA, folds, BUSI, folds, b2b, i2b, no-a." in told.output
    assert "heads_disagree, pictures without a lesion  b2b" in told.output
    np.savez(tmp_path / "gate.npz", ids=rows.ids, anatomy=rows.anatomy, threshold=0.51)
    more = ["--gate", str(tmp_path / "gate.npz"), "--json"]
    body = json.loads(CliRunner().invoke(app, ["delivered", str(cv), "--int8", *options, *more]).output)
    assert [each["gate"] for each in body["delivered"]] == [True] * 5
    first = body["delivered"][0]
    refused = (rows.anatomy < np.float32(0.51))[(rows.sources == "BUS-BRA")].mean()
    assert 0 < 1 - first["as_delivered"]["coverage"]["value"] >= refused - 1e-9
    one = write_single(tmp_path / "one", anatomy=np.full(270, np.nan))
    chosen = rows.fold == 1
    np.savez(
        one / "int8.npz", malignancy=rows.malignancy[chosen], lesion=rows.lesion[chosen], anatomy=rows.anatomy[chosen]
    )
    home = tmp_path / "cv" / "calibration.json"
    assert CliRunner().invoke(app, ["calibrate", str(cv), "--int8"]).exit_code == 0
    told = CliRunner().invoke(app, ["delivered", str(one), "--int8", *options, "--home", str(home)])
    assert told.exit_code == 0, told.output
    assert "BUSI, one fold" in told.output
    alone = CliRunner().invoke(app, ["delivered", str(cv), "--int8", options[0]])
    assert "stranger splits of which each can be judged by the others" in str(alone.exception)


def test_goals_are_held_against_the_figure_itself():
    from training.evaluation.bootstrap import MetricInterval

    def figure(value: float) -> MetricInterval:
        return MetricInterval(value, value - 0.1, value + 0.1, 10)

    point = {"sensitivity": figure(0.80), "specificity": figure(0.69), "ece": figure(0.10)}
    stranger = {"kind": "stranger", "name": "b2b", "at_point": point, "without_lesion": None}
    home = {
        "kind": "home", "name": "BUSI, folds", "as_delivered": {"coverage": figure(0.95)},
        "without_lesion": {"heads_disagree": figure(0.05)},
    }  # fmt: skip
    assert [each.met for each in goals([stranger, home])] == [True, False, True, False, True]
