"""A classifier's run with an anatomy gate, from its folder to a bundle that refuses what the gate refuses."""
# ruff: noqa: E402 - what needs TensorFlow is imported after it is known to be there

from __future__ import annotations

import json

import cv2
import msgspec
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
keras = pytest.importorskip("keras")

from edge.cli.main import run as edge_cli
from edge.contracts.errors import ConfigError, UsageError
from edge.contracts.manifest import ANATOMY, LABELS
from edge.models.bundle import load_bundle
from export.classifier_bundle import make_classifier_bundle
from export.classifier_run import open_classifier_run
from training.classify.gate_stage import check_gate_possible
from training.classify.recipe import ClassifierRecord, load_classifier
from training.classify.saved_model import save_model
from training.gate.file_negatives import from_folder
from training.gate.head import band_means
from training.run_record import write_record

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),
]
SIDE, CLASSES = 32, ["bright", "dark", "middle"]


def brightness_model():
    """Network that judges the mean grey value; under 30 it is of another organ to its gate."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    level = keras.layers.AveragePooling2D(SIDE)(keras.layers.Rescaling(1 / 255)(image))
    level = keras.layers.Flatten()(level)
    dense = keras.layers.Dense(3, activation="softmax", name="classes")
    gate = keras.layers.Dense(1, activation="sigmoid", name=ANATOMY)
    model = keras.Model(image, {"classes": dense(level), ANATOMY: gate(level)})
    dense.set_weights([np.array([[8.0, -8.0, 0.0]] * 3), np.array([-14.0, 7.0, 0.0])])
    gate.set_weights([np.full((3, 1), 20.0), np.array([-7.0])])
    return model


@pytest.fixture
def gated_run(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    save_model(brightness_model(), run / "saved_model")
    rng = np.random.default_rng(0)
    levels = np.repeat([210, 60, 130], 20)
    noise = rng.integers(-20, 20, (60, SIDE, SIDE, 3))
    tensors = np.clip(levels[:, None, None, None] + noise, 0, 255).astype(np.uint8)
    # As training does: without what the gate refuses, the steps of its output would not reach down to it.
    np.savez(run / "representative.npz", tensors=np.concatenate([tensors, tensors[20:40] // 8]))
    labels, ids = np.repeat([0, 1, 2], 20), np.array([str(i) for i in range(60)])
    split = np.where(np.arange(60) % 2, "val", "test")
    np.savez(run / "eval.npz", tensors=tensors, labels=labels, split=split, groups=ids, ids=ids)
    files = {"heart.dcm": {"family": "heart", "frames": 10, "passed": 1}}
    (run / "metrics.json").write_text(json.dumps({"gate": {"files": files}}))
    recipe = load_classifier("folder")
    preprocess = msgspec.structs.replace(recipe.preprocess, width=SIDE, height=SIDE, crop="full")
    recipe = msgspec.structs.replace(recipe, preprocess=preprocess)
    write_record(run, ClassifierRecord(recipe=recipe, git_revision="", created="2026-01-01", task="t", classes=CLASSES))
    return run


def test_its_gate_refuses_on_a_device_and_needs_no_permission(gated_run, tmp_path, capsys):
    path = tmp_path / "gated.tflite"
    make_classifier_bundle(open_classifier_run(gated_run), path, lambda _: None, name="g", version="1")
    bundle = load_bundle(path)
    assert bundle.manifest.gate == "anatomy"
    assert list(bundle.manifest.heads) == [LABELS, ANATOMY]
    assert bundle.manifest.labels.anatomy > 0
    figures = {metric.name: metric.value for metric in bundle.manifest.metrics}
    assert figures["own pictures refused by the gate"] <= 0.1
    assert figures["other anatomy passed"] == 0.1
    assert figures["accuracy"] == 1.0
    assert "is not judged (wrong anatomy)" in bundle.card
    rng = np.random.default_rng(1)
    for name, level, spread in (("known", 200, 12), ("other", 8, 6)):
        picture = np.clip(rng.normal(level, spread, (200, 200)), 0, 255).astype(np.uint8)
        picture[::20] = 120  # lines, so that it is neither black nor flat
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    pictures = [str(tmp_path / "known.png"), str(tmp_path / "other.png")]
    assert edge_cli(["infer", *pictures, "--model", str(path), "--json"]) == 0
    known, other = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (known["status"], known["found"], known["gate"]) == ("finding", ["bright"], "anatomy")
    assert (other["status"], other["reason"]) == ("abstained", "wrong_anatomy")


@pytest.mark.parametrize("rows", [5, 6, 10, 12, 20, 24])
def test_bands_of_depth_are_three_whatever_the_number_of_rows(rows):
    values = np.arange(rows, dtype=np.float32)[None, :, None, None] * np.ones((1, rows, 7, 2), np.float32)
    source = keras.Input(values.shape[1:])
    found = keras.Model(source, band_means(source, "m"))(values).numpy().reshape(3, 2)
    step = rows // 3
    size = rows - 2 * step
    expected = [np.arange(rows)[k * step : k * step + size].mean() for k in range(3)]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)


def test_negatives_of_any_folder_are_read_and_what_cannot_be_is_told(tmp_path):
    heart = tmp_path / "heart"
    heart.mkdir()
    cv2.imwrite(str(heart / "a.png"), np.random.default_rng(0).integers(0, 255, (90, 90), np.uint8))
    (heart / "b.png").write_bytes(b"no picture")
    (heart / "c").write_bytes(b"no DICOM file")
    lines: list[str] = []
    (found,) = [each for each in from_folder(tmp_path, lines.append) if not each.photograph]
    assert (found.file, found.family, found.evaluated) == ("a.png", "heart", True)
    assert len(lines) == 2
    assert all("left out" in line for line in lines)
    (heart / "a.png").unlink()
    with pytest.raises(ConfigError, match="no picture that can be read"):
        from_folder(tmp_path, lines.append)


def test_networks_that_no_gate_can_be_fitted_on_are_refused_before_training():
    check_gate_possible(load_classifier("folder"))
    for name in ("text-cnn", "phantom"):
        with pytest.raises(UsageError, match="wants the backbone lite0"):
            check_gate_possible(load_classifier(name))
