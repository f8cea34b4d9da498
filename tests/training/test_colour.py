"""Classifiers in colour: what only colour tells apart is learnt, quantised, proved and judged as on a device."""

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

from sample_dataset import speckle

from edge.contracts.errors import ConfigError, UsageError
from edge.models.bundle import load_bundle
from edge.preprocess.recipes import make_preprocessor as device_preprocessor
from export.classifier_bundle import make_classifier_bundle
from export.classifier_run import open_classifier_run
from training.augment.samples import augment as augment_grey
from training.classify.gate_stage import check_gate_possible
from training.classify.item_sample import augment, make_preprocessor, make_sample
from training.classify.recipe import load_classifier
from training.classify.run import collect_pictures, run_classifier
from training.datasets import Item
from training.inspect.evaluate_table import evaluate_table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Keras 3.15 with NumPy 2.4, and TensorFlow's own
    pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning"),  # its own converter uses it
]

TINY = """
kind = "classifier"
name = "tiny"
colour = "rgb"
augment = false
[preprocess]
width = 64
height = 64
[network]
backbone = "small"
dropout = 0.0
[optimiser]
epochs = 12
batch = 8
learning_rate = 3e-3
[split]
val = 0.25
test = 0.25
group = '^([^/]+/p\\d+)'
"""
WARM, COLD = (1.0, 0.62, 0.42), (0.42, 0.73, 1.0)
"""Red, green and blue of the two tints, whose grey is the same."""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "tiny.toml").write_text(TINY)
    return load_classifier(str(tmp_path / "tiny.toml"))


def tinted(root, patients=8):
    """Pictures of two tints: the same speckle, equal in grey."""
    for name, tint in (("cold", COLD), ("warm", WARM)):
        (root / name).mkdir(parents=True)
        for number in range(2 * patients):
            picture = speckle(number)[..., None] * np.array(tint)
            cv2.imwrite(str(root / name / f"p{number // 2}-{number % 2}.png"), picture[..., ::-1].astype(np.uint8))
    return root


def test_colour_is_learnt_and_judged_as_on_a_device(tmp_path, recipe):
    data, out, lines = tinted(tmp_path / "d"), tmp_path / "run", []
    run_classifier(recipe, data, out, lines.append)
    assert json.loads((out / "metrics.json").read_text())["test"]["accuracy"]["value"] > 0.9
    path = tmp_path / "m.tflite"
    made = make_classifier_bundle(open_classifier_run(out), path, lines.append, name="m", version="1")
    assert made.agree == 1.0
    manifest = load_bundle(path).manifest
    assert (manifest.recipe.version, manifest.recipe.colour) == (2, "rgb")
    golden = load_bundle(path).golden
    assert any((tensor[..., 0] != tensor[..., 2]).any() for tensor in golden.tensors), "golden vectors show colour"

    pictures, _ = collect_pictures(recipe, data, tmp_path / "x", lambda line: None)
    on_device = device_preprocessor(manifest)
    for picture in pictures[:3]:
        item = picture.load()
        assert item.image.shape[2] == 3
        wanted = on_device(item.image)[0][0]
        assert (make_sample(item, make_preprocessor(recipe)).tensor == wanted).all()
        assert (wanted[..., 0] != wanted[..., 2]).any()

    rows = [f"d/{name}/p{n}-0.png,{name}" for name in ("cold", "warm") for n in range(8)]
    (tmp_path / "held.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    for model in (out, path):
        assert evaluate_table(model, tmp_path / "held.csv")[0]["accuracy"]["value"] > 0.9
    command = ["infer", str(data / "warm" / "p0-0.png"), "--model", str(path), "--allow-no-gate", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli.main", *command], capture_output=True, text=True, check=False
    )
    assert json.loads(done.stdout.splitlines()[0])["found"] == ["warm"], done.stderr


def test_augmentation_moves_all_channels_alike():
    grey = speckle(3)
    mask = np.zeros_like(grey)
    mask[40:80, 50:90] = 1
    item = Item("a", "a", "set", "train", 0, grey, mask)
    in_colour = with_image(item, np.stack([grey, grey, grey], axis=2))
    for seed in range(6):
        one, other = augment_grey(np.random.default_rng(seed), item), augment(np.random.default_rng(seed), in_colour)
        assert all((other.image[..., channel] == one.image).all() for channel in range(3))
        assert (other.mask == one.mask).all()


def with_image(item, image):
    return Item(item.id, item.group, item.source, item.split, item.label, image, item.mask)


def test_colour_is_refused_where_nothing_is_made_of_it(tmp_path, recipe):
    with pytest.raises(UsageError, match="grey pictures"):
        check_gate_possible(msgspec.structs.replace(load_classifier("folder"), colour="rgb"))
    (tmp_path / "one.toml").write_text(TINY.replace("height = 64", "height = 64\nchannels = 1"))
    with pytest.raises(ConfigError, match="colour wants channels = 3"):
        load_classifier(str(tmp_path / "one.toml"))
