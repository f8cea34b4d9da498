"""Making a bundle: runs that are none, golden vectors, the card, and all of it at once."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import Calibration
from edge.contracts.results import Reason, Status
from edge.models.bundle import SHIPPED_BUNDLE, load_bundle
from edge.models.bundle_file import split_bundle
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.pipeline.selftest import run_selftest
from edge.plugins import make_runtime
from export import bundle as bundling
from export.cross_validation_results import CalibrationInput
from export.golden import vectors as golden
from export.model_card import render_card
from export.other_anatomy import eye_phantom
from export.predict import as_predictions, run_graph
from export.thresholds import REFUSALS_STATED, anatomy_threshold
from export.training_run import open_run

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


# --- the run ------------------------------------------------------------------------------------------------------


def test_a_run_is_read(run_data):
    run = open_run(run_data)
    assert run.record.recipe.name == "fake"
    assert (len(run.val), len(run.test)) == (40, 40)
    assert set(run.test.masks.reshape(-1).tolist()) == {0, 1}
    assert run.metrics == {}


@pytest.mark.parametrize("name", ["recipe.toml", "eval.npz", "representative.npz"])
def test_an_unfinished_run_names_what_it_lacks(run_data, name):
    (run_data / name).unlink()
    with pytest.raises(UsageError, match=f"has no {name}") as caught:
        open_run(run_data)
    assert "python -m training" in caught.value.hint


@pytest.mark.parametrize("text", ["name = ", "[recipe]\nname = 'x'", "created = 1"])
def test_a_recipe_that_is_none(run_data, text):
    (run_data / "recipe.toml").write_text(text)
    with pytest.raises(UsageError, match=r"recipe\.toml"):
        open_run(run_data)


def change(path: Path, **arrays: np.ndarray) -> None:
    with np.load(path) as file:
        kept = {name: file[name] for name in file.files}
    np.savez(path, **{**kept, **arrays})


def test_tensors_of_another_recipe(run_data):
    change(run_data / "representative.npz", tensors=np.zeros((4, 96, 96, 3), np.uint8))
    with pytest.raises(UsageError, match=r"expected representative tensors .*\(4, 96, 96, 3\)"):
        open_run(run_data)


def test_one_class_alone_can_choose_nothing(run_data):
    change(run_data / "eval.npz", labels=np.zeros(80, np.int8))
    with pytest.raises(UsageError, match="expected benign"):
        open_run(run_data)


def test_a_patient_on_both_sides_is_a_leak(run_data):
    change(run_data / "eval.npz", groups=np.array([str(i % 40) for i in range(80)]))
    with pytest.raises(UsageError, match="40 patients stand in val and in test"):
        open_run(run_data)


def test_a_run_without_a_gate_is_refused_before_it_is_quantised(run_data, monkeypatch, tmp_path):
    monkeypatch.setattr(bundling, "head_names", lambda path: ["malignancy", "lesion_mask"])
    said: list[str] = []
    with pytest.raises(UsageError, match="expected the heads anatomy, lesion_mask, malignancy in") as caught:
        bundling.make_bundle(open_run(run_data), tmp_path / "m.tflite", "m", "1", said.append)
    assert said == []
    assert "--no-gate" in caught.value.hint


# --- golden vectors and card --------------------------------------------------------------------------------------


def shipped() -> tuple[bytes, Any]:
    return split_bundle(SHIPPED_BUNDLE.read_bytes()).graph, load_bundle(SHIPPED_BUNDLE).manifest


@pytest.mark.slow
def test_a_model_that_judges_no_phantom_gets_no_golden_vectors(monkeypatch):
    graph, manifest = shipped()
    monkeypatch.setattr(golden, "SEEDS", range(1, 3))
    blind = msgspec.structs.replace(manifest, thresholds=msgspec.structs.replace(manifest.thresholds, anatomy=1.0))
    said: list[str] = []
    with pytest.raises(ModelError, match="no phantom of seeds 1 to 2 is: a finding; clear; a probability between"):
        golden.make_golden(graph, blind, said.append)
    assert not any("finding" in line for line in said)


@pytest.fixture(scope="module")
def unsure() -> tuple[list[golden.GoldenCase], Any]:
    """The shipped model with an interval that is left unjudged: cases of its first phantoms, and its manifest."""
    graph, manifest = shipped()
    limits = msgspec.structs.replace(manifest.thresholds, malignancy=0.5, uncertain=(0.001, 0.999))
    manifest = msgspec.structs.replace(manifest, thresholds=limits)
    return list(itertools.islice(golden._candidates(graph, manifest), 8)), manifest


@pytest.mark.slow
def test_a_picture_whose_probability_is_uncertain_is_telling(unsure):
    """Else a model with an interval of uncertainty would have none: all near even odds lie inside it."""
    cases, _ = unsure
    telling = golden.NEEDED["a probability between 0.3 and 0.7"]
    found = [case for case in cases if case.status is Status.FINDING]
    left = [case for case in cases if case.reason is Reason.TOO_UNCERTAIN]
    assert found, "an uncertain call withholds no lesion"
    assert all(golden.NEEDED["a finding"](case) for case in found)
    assert all(telling(case) == (0.33 < case.probability < 0.67) for case in (*found, *left))
    near = dataclasses.replace(found[0], probability=0.5)
    assert telling(near)
    without = dataclasses.replace(near, status=Status.ABSTAINED, reason=Reason.TOO_UNCERTAIN)
    assert telling(without)
    assert not golden.NEEDED["clear"](dataclasses.replace(without, empty=True))
    disagree = dataclasses.replace(without, reason=Reason.HEADS_DISAGREE)
    assert not telling(disagree)


@pytest.mark.slow
def test_a_breast_models_gate_must_refuse_an_eye(unsure):
    cases, manifest = unsure
    gated = golden.NEEDED_OF[manifest.body_part]["another anatomy"]
    refused = [case for case in cases if case.reason is Reason.WRONG_ANATOMY]
    assert any(gated(case) for case in refused)
    assert all(gated(case) == ("eye" in case.kind) for case in refused)
    assert not any(gated(case) for case in cases if case.reason is not Reason.WRONG_ANATOMY)


def test_the_shape_of_a_scan_is_no_anatomy():
    """A sector that is refused is not what golden vectors have to show."""
    gated = golden.NEEDED_OF["BREAST"]["another anatomy"]
    nothing = np.zeros((9, 9), np.uint8)
    case = golden.GoldenCase(nothing, (), nothing, {}, Status.ABSTAINED, Reason.WRONG_ANATOMY, 0.5, "eye grey")
    assert gated(case)
    assert not gated(dataclasses.replace(case, kind="sector grey"))


def test_an_eye_fills_the_scan_of_a_phantom():
    picture, region = eye_phantom(3, 320, 240)
    x, y, w, h = region.box
    plain = PhantomScene(PhantomSpec(seed=3, width=320, height=240, lesions=0)).pixels(0)
    assert picture.shape == plain.shape
    assert np.array_equal(picture[:y], plain[:y])
    dark = (picture[y : y + h, x : x + w] < 12).mean()
    assert 0.2 < dark < 0.6
    assert (plain[y : y + h, x : x + w] < 12).mean() < 0.1


def test_a_gate_that_refuses_nothing_gets_no_golden_vectors(monkeypatch):
    graph, manifest = shipped()
    monkeypatch.setattr(golden, "SEEDS", range(1, 2))
    open_gate = msgspec.structs.replace(manifest, thresholds=msgspec.structs.replace(manifest.thresholds, anatomy=0.0))
    with pytest.raises(ModelError, match="another anatomy"):
        golden.make_golden(graph, open_gate, lambda _: None)


def folds_say(**thresholds: Any) -> CalibrationInput:
    """Of folds without a gate."""
    limits = msgspec.structs.replace(shipped()[1].thresholds, anatomy=0.0, **thresholds)
    return CalibrationInput(outputs="int8", calibration=Calibration(slope=1.5), thresholds=limits, method="of folds")


def test_the_gates_limit_is_the_runs_own_whatever_the_folds_say(shipped_data, monkeypatch):
    graph, manifest = shipped()
    run, specs = open_run(shipped_data), {name: head.tensor for name, head in manifest.heads.items()}
    said = run_graph(graph, run.val.tensors)
    said["anatomy"] = np.linspace(40, 250, len(run.val)).astype(np.uint8)[:, None]
    monkeypatch.setattr(bundling, "run_graph", lambda *_: said)
    told = folds_say(malignancy=0.321, anatomy_stated=0.9)
    found, calibration = bundling.thresholds_for_run(run, graph, specs, told, lambda _: None)
    assert (found.malignancy, calibration.slope) == (0.321, 1.5)
    assert found.anatomy == anatomy_threshold(as_predictions(said, specs).anatomy) > 0
    scores = as_predictions(said, specs).anatomy
    assert 0 < found.anatomy_stated == anatomy_threshold(scores, REFUSALS_STATED)
    assert found.anatomy_stated <= found.anatomy < scores.min(), "so few pictures: neither refuses one of them"


def test_a_gate_that_says_nothing_is_refused(shipped_data, monkeypatch):
    graph, manifest = shipped()
    run, specs = open_run(shipped_data), {name: head.tensor for name, head in manifest.heads.items()}
    said = run_graph(graph, run.val.tensors)
    monkeypatch.setattr(bundling, "run_graph", lambda *_: {**said, "anatomy": np.zeros_like(said["anatomy"])})
    with pytest.raises(ModelError, match="anatomy threshold is 0"):
        bundling.thresholds_for_run(run, graph, specs, folds_say(), lambda _: None)


def test_colour_reaches_the_tensor_by_another_path():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    rgb = golden.tint(grey)
    assert rgb.shape == (16, 16, 3)
    assert np.array_equal(rgb[..., 0], grey)
    assert (rgb[..., 2] < rgb[..., 0]).any()


def test_the_shipped_golden_vectors_show_both_answers():
    """What the manifest's own rules say of them, not only that they are there."""
    from edge.postprocess.decide import decide
    from edge.preprocess.preprocessor import Preprocessor

    bundle = load_bundle()
    preprocess = Preprocessor(bundle.manifest.recipe)
    states = set()
    for case, (pixels, regions) in enumerate(zip(bundle.golden.frames, bundle.golden.regions, strict=True)):
        tensor, placement = preprocess(pixels, regions)
        assert np.array_equal(tensor[0], bundle.golden.tensors[case])
        states.add(decide(bundle.golden.expected(case), bundle.manifest, placement, regions, pixels).status)
    assert {Status.FINDING, Status.CLEAR} <= states


def test_the_shipped_model_behaves_as_its_manifest_says():
    """Its golden vectors judged with its own interval, a wide one, and none: no lesion withheld, nothing cleared."""
    from edge.postprocess.decide import decide
    from edge.preprocess.preprocessor import Preprocessor

    bundle = load_bundle()
    preprocess = Preprocessor(bundle.manifest.recipe)
    told: dict[str, list[Any]] = {"own": [], "wide": [], "none": []}
    own = bundle.manifest.thresholds
    for name, interval in (("own", own.uncertain), ("wide", (0.001, 0.999)), ("none", None)):
        limits = msgspec.structs.replace(own, uncertain=interval)
        manifest = msgspec.structs.replace(bundle.manifest, thresholds=limits)
        for case, (pixels, regions) in enumerate(zip(bundle.golden.frames, bundle.golden.regions, strict=True)):
            placement = preprocess(pixels, regions)[1]
            told[name].append(decide(bundle.golden.expected(case), manifest, placement, regions, pixels))
    for name in ("own", "wide"):
        for verdict, plain in zip(told[name], told["none"], strict=True):
            if plain.status is Status.FINDING:
                assert (verdict.status, verdict.lesions) == (Status.FINDING, plain.lesions)
            elif verdict.reason is Reason.TOO_UNCERTAIN:
                assert plain.status is Status.CLEAR
            else:
                assert (verdict.status, verdict.reason) == (plain.status, plain.reason)
    assert not any(verdict.status is Status.CLEAR for verdict in told["wide"])
    assert {verdict.call_uncertain for verdict in told["wide"] if verdict.status is Status.FINDING} == {True}


def test_the_card_says_both_anatomy_limits_and_what_uncertain_means():
    manifest = load_bundle().manifest
    limits = msgspec.structs.replace(manifest.thresholds, anatomy=0.4, anatomy_stated=0.125, uncertain=(0.3, 0.6))
    text = " ".join(render_card(msgspec.structs.replace(manifest, thresholds=limits), 1).split())
    assert (
        "under 0.400 is not judged (wrong anatomy); under 0.125 where the configuration or DICOM says BREAST." in text
    )
    assert "Between a malignancy of 0.300 and 0.600 a finding's call is told as uncertain" in text
    limits = msgspec.structs.replace(limits, anatomy_stated=None, uncertain=None)
    text = " ".join(render_card(msgspec.structs.replace(manifest, thresholds=limits), 1).split())
    assert "under 0.400 is not judged (wrong anatomy). -" in text
    assert "Between a malignancy" not in text


def test_the_card_says_what_the_manifest_says():
    bundle = load_bundle()
    manifest = bundle.manifest
    text = render_card(manifest, bundle.size)
    assert f"Probabilities are calibrated (slope {manifest.calibration.slope:.3f}" in text  # by whatever method
    assert "Research use only. Not a medical device." in text
    assert f"{manifest.thresholds.prevalence:.0%} of the pictures were malignant" in text
    for metric in manifest.metrics:
        assert f"| {metric.name} | {metric.value:.3f} | {metric.low:.3f} to {metric.high:.3f} |" in text
    for source in manifest.training_data:
        assert source.licence in text
        assert source.citation in text
    for line in manifest.not_shown:
        assert line in text


# --- all of it ----------------------------------------------------------------------------------------------------


def export(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "export", *map(str, args)], cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONSAFEPATH": ""},
    )  # fmt: skip


@pytest.mark.parametrize("command", ["bundle", "evaluate", "adopt"])
def test_help_ends_in_an_example(command):
    done = export(command, "--help")
    assert done.returncode == 0
    assert f"Example:  python -m export {command}" in " ".join(done.stdout.split(" "))


def test_no_run_is_two_lines(tmp_path):
    done = export("bundle", tmp_path, "--out", tmp_path / "m.tflite")
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # TensorFlow's own
def test_from_run_to_bundle(make_run: Callable[[], Path], tmp_path):
    pytest.importorskip("tensorflow", reason="needs pip install '.[export]' in the checkout")
    out = tmp_path / "fake.tflite"
    done = export("bundle", make_run(), "--out", out, "--version", "9.9")
    assert done.returncode == 0, done.stderr
    bundle = load_bundle(out)
    manifest = bundle.manifest
    assert (manifest.name, manifest.version, manifest.git_revision) == ("fake", "9.9", "0123456789abcdef")
    figures = {metric.name: metric for metric in manifest.metrics}
    assert figures["malignancy AUC"].value > 0.9
    assert figures["malignancy AUC"].n == 40
    assert figures["malignancy AUC by case"].n == 20
    assert figures["sensitivity"].n == 20
    assert figures["shift of p by quantisation"].value < 0.05
    runtime = make_runtime("litert://?threads=1", str(out), manifest)
    report = run_selftest(bundle, runtime)
    runtime.close()
    assert report.ok
    assert report.cases == len(bundle.golden)
    again = tmp_path / "again.tflite"
    assert export("bundle", tmp_path / "run", "--out", again, "--version", "9.9").returncode == 0
    assert hashlib.sha256(again.read_bytes()).hexdigest() == bundle.sha256, "the same run must give the same bytes"
    table = export("evaluate", out, "--run", tmp_path / "run")
    assert table.returncode == 0, table.stderr
    for metric in manifest.metrics:
        assert f"{metric.value:.3f}" in table.stdout
        assert metric.name in table.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("default")  # TensorFlow's own
def test_a_run_without_a_gate_is_converted_and_compared_but_no_bundle(make_run: Callable[..., Path], tmp_path):
    pytest.importorskip("tensorflow", reason="needs pip install '.[export]' in the checkout")
    run = make_run(gate=False)
    done = export("variants", run, "--out", tmp_path / "variants", "--json")
    assert done.returncode == 0, done.stderr
    made = {each["format"]: each["row"] for each in json.loads(done.stdout)}
    assert made["float32"]["dp_max"] < 1e-3
    assert made["int8"]["auc"] > 0.9
    table = export("quantise", run)
    assert table.returncode == 0, table.stderr
    assert table.stdout.splitlines()[-1].startswith("float ")
    refused = export("bundle", run, "--out", tmp_path / "m.tflite")
    assert refused.returncode == 2
    assert "expected the heads anatomy, lesion_mask, malignancy" in refused.stderr
    assert "quantise" not in refused.stderr
