"""Command ``training bent``: each fold's quantised model judges bent pictures, and only those of its own side."""

from __future__ import annotations

import numpy as np
import pytest
from fake_predictions import columns
from typer.testing import CliRunner

from edge.contracts.errors import ConfigError
from edge.models.bundle import SHIPPED_BUNDLE
from edge.models.bundle_file import split_bundle
from training.cli_evaluation import app
from training.evaluation.bent_run import write_bent_run
from training.evaluation.gate_scores import read_gate_scores, write_gate_scores
from training.evaluation.held_out_predictions import load_held_out, read_int8

N, SIZE = 6, (192, 160)
"""Pictures; height and width of the shipped model's tensor."""


@pytest.fixture
def run(tmp_path):
    """A cross-validation of two folds whose models are the shipped one, on pictures of its size."""
    rows = {name: values[:: len(values) // N][:N] for name, values in columns().items()}
    rows["fold"] = np.int8([1, 2] * (N // 2))
    rows["labels"] = np.int8([0, 0, 1, 1, 0, 1])
    rows["groups"] = rows["ids"]
    rows["tensors"] = np.zeros((N, *SIZE, 3), np.uint8)
    rows["masks"] = np.zeros((N, *SIZE), np.uint8)
    rows["lesion"] = np.zeros((N, SIZE[0] // 4, SIZE[1] // 4), np.uint8)
    np.savez(tmp_path / "oof.npz", **rows)
    graph = split_bundle(SHIPPED_BUNDLE.read_bytes()).graph
    for fold in (1, 2):
        (tmp_path / f"fold-{fold}").mkdir()
        (tmp_path / f"fold-{fold}" / "int8.tflite").write_bytes(graph)
    return tmp_path


def bend(run, ids, seed=0):
    tensors = np.random.default_rng(seed).integers(0, 255, (len(ids), *SIZE), dtype=np.uint8)
    write_gate_scores(run / "bent.npz", ids, np.linspace(-1, 1, len(ids)), 0.0, {"tensors": tensors})
    return tensors


def test_the_models_look_at_the_bent_pictures_in_the_order_of_the_run(run):
    ids = load_held_out(run).test.ids
    tensors = bend(run, ids[::-1])
    told = CliRunner().invoke(app, ["bent", str(run), str(run / "bent.npz"), "--out", str(run / "out")])
    assert told.exit_code == 0, told.output
    held = load_held_out(run / "out").test
    assert (held.tensors[..., 0] == tensors[::-1]).all()
    judged = read_int8(run / "out" / "int8.npz", held)
    assert judged.lesion.any(), "noise holds something"
    assert (judged.malignancy * 256 == np.round(judged.malignancy * 256)).all(), "outputs of an int8 model"
    assert not np.array_equal(judged.malignancy, load_held_out(run).test.malignancy)
    scores = read_gate_scores(run / "bent.npz").add_to(judged)
    assert (scores.anatomy > 0.5).tolist() == [True] * 3 + [False] * 3


def test_pictures_and_models_that_are_missing_are_named(run):
    ids = load_held_out(run).test.ids
    bend(run, ids[1:])
    with pytest.raises(ConfigError, match=f"lacks 1 of {N} pictures, {ids[0]} among them"):
        write_bent_run(run, run / "bent.npz", run / "out", print)
    bend(run, ids)
    (run / "fold-2" / "int8.tflite").unlink()
    with pytest.raises(ConfigError, match=r"fold-2.int8\.tflite is missing"):
        write_bent_run(run, run / "bent.npz", run / "out", print)
    np.savez(run / "bent.npz", ids=ids)
    with pytest.raises(ConfigError, match="has no tensors"):
        write_bent_run(run, run / "bent.npz", run / "out", print)
