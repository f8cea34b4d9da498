"""A run's folder with a tiny network, never trained: it calls dark patches lesions, and large ones malignant.

Its tensors are taller than wide, as the breast recipe's, so that a width that stands for a height is found out.

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

WIDTH, HEIGHT = 160, 192
CELL = 4
"""Tensor pixels to a cell of the mask, on a side."""
EDGE = 32
"""Tensor rows at the top and at the bottom that are never lesion: a linear phantom leaves up to 24 of them black."""
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
width = {width}
height = {height}

[[recipe.data]]
name = "Painted ellipses"
licence = "Apache-2.0"
citation = "the tests of export"
used_for = "nothing: the network was not trained"
"""


def paint(
    count: int, seed: int, width: int = WIDTH, height: int = HEIGHT
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int8]]:
    """Paint tensors (n, height, width, 3), masks (n, height, width), labels (n,): a dark ellipse each, large malignant.

    Scans are about as bright as linear phantoms: the gate's limit is chosen on these, and must not refuse those.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    tensors, masks, labels = [], [], []
    for i in range(count):
        label = i % 2
        radius = rng.uniform(24, 34) if label else rng.uniform(12, 22)
        cx, cy = rng.uniform(50, width - 50), rng.uniform(EDGE + 28, height - EDGE - 28)
        mask = ((x - cx) / radius) ** 2 + ((y - cy) / (0.8 * radius)) ** 2 < 1
        grey = np.clip(rng.normal(np.where(mask, 10, rng.uniform(100, 150)), 25), 0, 255).astype(np.uint8)
        grey[:16], grey[-16:] = 0, 0  # as above and below a scan
        tensors.append(np.repeat(grey[..., None], 3, axis=2))
        masks.append(mask.astype(np.uint8))
        labels.append(label)
    return np.stack(tensors), np.stack(masks), np.array(labels, np.int8)


def write_data(path: Path, width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> Path:
    """Write all files of a run's folder but the model."""
    path.mkdir(parents=True)
    (path / "recipe.toml").write_text(RECIPE.format(width=width, height=height), encoding="utf-8")
    shown = paint(20, seed + 1, width, height)[0]
    shown[:4] //= 4  # dark ones too, or quantisation knows no logit of what the gate refuses
    np.savez(path / "representative.npz", tensors=shown)
    tensors, masks, labels = paint(80, seed + 2, width, height)
    groups = np.array([f"paint/{i // 4 * 2 + i % 2}" for i in range(80)])  # two pictures of one label a patient
    split = np.array(["val"] * 40 + ["test"] * 40)
    ids = np.array([str(i) for i in range(80)])
    np.savez(path / "eval.npz", tensors=tensors, masks=masks, labels=labels, groups=groups, split=split, ids=ids)
    return path


def write_model(path: Path, gate: bool = True) -> None:
    """Write the SavedModel of a run's folder; needs TensorFlow. ``gate``: with an anatomy head."""
    import keras
    from keras import layers

    image = keras.Input((HEIGHT, WIDTH, 3), name="image")
    grey = layers.AveragePooling2D(CELL)(image)
    smooth = layers.AveragePooling2D(5, strides=1, padding="same")(grey)
    # How much darker than grey 60. Rows that no scan reaches are black; they count as bright, or no mask were empty.
    dark = layers.Conv2D(1, 1, activation="relu", name="dark")(smooth)
    rows = ((EDGE // CELL, EDGE // CELL), (0, 0))
    inner = layers.ZeroPadding2D(rows)(layers.Cropping2D(rows)(dark))
    mask = layers.Conv2D(1, 1, activation="sigmoid", name="lesion_mask")(inner)
    share = layers.GlobalAveragePooling2D()(mask)
    malignancy = layers.Dense(2, activation="softmax", name="malignancy")(share)
    anatomy = layers.Dense(1, activation="sigmoid", name="anatomy")(layers.GlobalAveragePooling2D()(grey))
    heads = {"malignancy": malignancy, "lesion_mask": mask, **({"anatomy": anatomy} if gate else {})}
    model = keras.Model(image, heads)
    model.get_layer("dark").set_weights([np.full((1, 1, 3, 1), -1 / 180, np.float32), np.array([1.0], np.float32)])
    model.get_layer("lesion_mask").set_weights([np.full((1, 1, 1, 1), 14.0, np.float32), np.array([-5.6], np.float32)])
    model.get_layer("malignancy").set_weights(
        [np.array([[-60.0, 60.0]], np.float32), np.array([3.0, -3.0], np.float32)]
    )
    if gate:
        # Even odds at grey 61: sectors stand on black and are darker, linear phantoms and what is painted are brighter.
        model.get_layer("anatomy").set_weights([np.full((3, 1), 0.05, np.float32), np.array([-9.15], np.float32)])
    model.export(str(path / "saved_model"), verbose=False)


@pytest.fixture
def run_data(tmp_path: Path) -> Path:
    """A run whose saved_model is an empty folder."""
    path = write_data(tmp_path / "run")
    (path / "saved_model").mkdir()
    return path


@pytest.fixture
def shipped_data(tmp_path: Path) -> Path:
    """As ``run_data``, with tensors of the size that the shipped model takes."""
    from edge.models.bundle import load_bundle

    recipe = load_bundle().manifest.recipe
    path = write_data(tmp_path / "run", recipe.width, recipe.height)
    (path / "saved_model").mkdir()
    return path


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Makes a whole run; needs TensorFlow."""

    def make(gate: bool = True, seed: int = 0) -> Path:
        path = write_data(tmp_path / "run", seed=seed)
        write_model(path, gate)
        return path

    return make
