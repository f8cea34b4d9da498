"""A run's folder with a tiny network, never trained: it calls dark patches lesions, and large ones malignant.

``export`` is not in the wheel: it comes from the checkout, after all that is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:
    sys.path.append(ROOT)  # at the end: ``edge`` stays the installed one

RECIPE = """\
git_revision = "0123456789abcdef"
created = "2026-01-02T03:04:05Z"
task = "breast-lesion"
epochs_done = 1

[recipe]
name = "fake"
body_part = "BREAST"
fold = 1

[recipe.preprocess]
width = 160
height = 160

[[recipe.data]]
name = "Painted ellipses"
licence = "Apache-2.0"
citation = "the tests of export"
used_for = "nothing: the network was not trained"
"""


def paint(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int8]]:
    """Tensors (n, 160, 160, 3), masks (n, 160, 160) and labels (n,): a dark ellipse each, large ones malignant."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:160, :160]
    tensors, masks, labels = [], [], []
    for i in range(count):
        label = i % 2
        radius = rng.uniform(24, 34) if label else rng.uniform(12, 22)
        cx, cy = rng.uniform(50, 110, 2)
        mask = ((x - cx) / radius) ** 2 + ((y - cy) / (0.8 * radius)) ** 2 < 1
        grey = np.clip(rng.normal(np.where(mask, 25, 130), 25), 0, 255).astype(np.uint8)
        grey[:8], grey[-8:] = 0, 0  # as beside a scan
        tensors.append(np.repeat(grey[..., None], 3, axis=2))
        masks.append(mask.astype(np.uint8))
        labels.append(label)
    return np.stack(tensors), np.stack(masks), np.array(labels, np.int8)


def write_data(path: Path) -> Path:
    """All of the folder but the model."""
    path.mkdir(parents=True)
    (path / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    shown = paint(20, 1)[0]
    shown[:4] //= 4  # dark ones too, or quantisation knows no logit of what the gate refuses
    np.savez(path / "representative.npz", tensors=shown)
    tensors, masks, labels = paint(80, 2)
    groups = np.array([f"paint/{i // 4 * 2 + i % 2}" for i in range(80)])  # two pictures of one label a patient
    split = np.array(["val"] * 40 + ["test"] * 40)
    ids = np.array([str(i) for i in range(80)])
    np.savez(path / "eval.npz", tensors=tensors, masks=masks, labels=labels, groups=groups, split=split, ids=ids)
    return path


def write_model(path: Path, gate: bool = True) -> None:
    """The model of the folder; needs TensorFlow. ``gate``: with an anatomy head."""
    import keras
    from keras import layers

    image = keras.Input((160, 160, 3), name="image")
    grey = layers.AveragePooling2D(4)(image)
    smooth = layers.AveragePooling2D(5, strides=1, padding="same")(grey)
    dark = layers.Conv2D(1, 1, name="dark")(smooth)
    mask = layers.Activation("sigmoid", name="lesion_mask")(dark)
    share = layers.GlobalAveragePooling2D()(mask)
    malignancy = layers.Dense(2, activation="softmax", name="malignancy")(share)
    anatomy = layers.Dense(1, activation="sigmoid", name="anatomy")(layers.GlobalAveragePooling2D()(grey))
    heads = {"malignancy": malignancy, "lesion_mask": mask, **({"anatomy": anatomy} if gate else {})}
    model = keras.Model(image, heads)
    model.get_layer("dark").set_weights([np.full((1, 1, 3, 1), -0.03, np.float32), np.array([4.3], np.float32)])
    model.get_layer("malignancy").set_weights(
        [np.array([[-60.0, 60.0]], np.float32), np.array([6.0, -6.0], np.float32)]
    )
    if gate:
        # Even odds at grey 75: sectors stand on black and are darker, what is painted is brighter.
        model.get_layer("anatomy").set_weights([np.full((3, 1), 0.05, np.float32), np.array([-11.25], np.float32)])
    model.export(str(path / "saved_model"), verbose=False)


@pytest.fixture
def run_data(tmp_path: Path) -> Path:
    """A run whose saved_model is an empty folder."""
    path = write_data(tmp_path / "run")
    (path / "saved_model").mkdir()
    return path


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a whole run; needs TensorFlow."""

    def make(gate: bool = True) -> Path:
        path = write_data(tmp_path / "run")
        write_model(path, gate)
        return path

    return make
