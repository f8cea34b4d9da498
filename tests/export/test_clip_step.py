"""A clip run's step in int8, and the bundle that it goes into."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="it quantises: make test-training has it")

from edge.contracts.clip_model import FEATURES, GOLDEN_STEPS, SCALES
from edge.contracts.errors import UsageError
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.models.clip_model import CLIP
from edge.models.graph import read_graph
from edge.models.operators import read_operators
from export.clip_bundle import as_text, make_clip_bundle
from export.clip_step import difference, float_step, golden_sequence, to_int8
from training.clips.gru import first_weights, forward, logits, scaled, sigmoid

UNITS = 12


@pytest.fixture(scope="module")
def weights():
    return first_weights(UNITS, 5)


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(0, 0.1, (12, 130, len(FEATURES))), axis=1)
    return (np.sin(walk) * np.array(SCALES)).astype(np.float32), np.full(12, 130)


@pytest.fixture(scope="module")
def graph(weights, sequences):
    return to_int8(weights, *sequences)


def test_it_is_int8_from_end_to_end_and_its_state_comes_out_as_it_goes_in(graph):
    found = read_graph(graph)
    assert set(found.inputs) == {"x", "h"}
    assert set(found.outputs) == {"h", "malignancy", "presence"}
    assert {spec.dtype for spec in (*found.inputs.values(), *found.outputs.values())} == {"int8"}
    assert found.outputs["h"].scale == pytest.approx(found.inputs["h"].scale, rel=0.01)
    kinds = {each.kind for each in read_operators(graph)}
    assert kinds <= {"FULLY_CONNECTED", "ADD", "SUB", "MUL", "LOGISTIC", "TANH"}  # no CONCATENATION: W x + U h


def test_it_is_near_the_floats_after_120_steps_that_feed_themselves(graph, weights, sequences):
    off = difference(graph, weights, *sequences)
    assert off.steps == GOLDEN_STEPS
    assert off.mean <= 0.01
    assert off.worst <= 0.1


def test_the_floats_of_export_are_those_of_training(weights, sequences):
    x, h = scaled(sequences[0][:, 3]), np.full((12, UNITS), 0.3, np.float32)
    after, said = float_step(weights, x, h)
    there = forward(weights, x, h).after
    assert after == pytest.approx(there, abs=1e-5)
    assert said == pytest.approx(sigmoid(logits(weights, there)), abs=1e-5)


def test_a_golden_sequence_is_the_same_each_time(graph, sequences):
    first, second = (golden_sequence(graph, sequences[0]) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


RECIPE = """
git_revision = "0"
created = "2026-01-02T03:04:05+00:00"
task = "clip"
classes = ["benign", "malignant"]
frame_model_sha256 = "{sha}"
joins = true
{more}

[recipe]
kind = "clip"
name = "clip"
decides = {decides}
"""


def write_run(path, weights, sequences, sha=None, decides='["malignancy"]', more=""):
    path.mkdir(exist_ok=True)
    sha = sha or load_bundle(None).manifest.graph_sha256
    (path / "recipe.toml").write_text(RECIPE.format(sha=sha, decides=decides, more=more))
    np.savez(path / "weights.npz", **weights)
    np.savez(path / "sequences.npz", x=sequences[0], length=sequences[1])
    return path


def make(run, out, decides=None, name=(None, None)):
    return make_clip_bundle(run, out, None, decides, name, lambda _: None)


def test_the_frame_model_stays_byte_for_byte(tmp_path, weights, sequences):
    run = write_run(tmp_path / "run", weights, sequences, more="new_from = 0.4")
    made = make(run, tmp_path / "own.tflite", ["new", "malignancy"])
    before, after = split_bundle(SHIPPED_BUNDLE.read_bytes()), split_bundle((tmp_path / "own.tflite").read_bytes())
    assert (before.graph, before.members) == (after.graph, after.members)
    assert set(after.optional) == {CLIP}
    assert (made.manifest.new_from, made.manifest.joins) == (0.4, True)
    assert "when a lesion is new and what a clip says" in as_text(made)


@pytest.mark.parametrize(
    ("run", "decides", "words"),
    [
        ({"sha": "1" * 64}, None, "another model"),
        ({}, ["new"], "has chosen no limit for new"),
        ({}, ["everything"], "--decides everything"),
    ],
)
def test_what_does_not_fit_is_one_error(tmp_path, weights, sequences, run, decides, words):
    with pytest.raises(UsageError, match=words):
        make(write_run(tmp_path / "run", weights, sequences, **run), tmp_path / "own.tflite", decides)
    assert not (tmp_path / "own.tflite").exists()


@pytest.mark.parametrize("missing", ["weights.npz", "sequences.npz", "recipe.toml"])
def test_a_run_that_is_not_whole_is_one_error(tmp_path, weights, sequences, missing):
    run = write_run(tmp_path / "run", weights, sequences)
    (run / missing).unlink()
    with pytest.raises(UsageError, match=f"it has no {missing}"):
        make(run, tmp_path / "own.tflite")
