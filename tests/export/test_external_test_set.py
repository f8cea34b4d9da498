"""An external test set is read as it is on disk, and judged as a device would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.contracts.errors import UsageError
from edge.models.bundle import load_bundle
from edge.preprocess.preprocessor import Preprocessor
from export.external_test_set import mask_to_grid, measure_external, read_busi

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight pictures, of other sizes than the tensor, one of them in a group with two labels."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    lines = ["id,label,group,group_has_two_labels"]
    for i, label in enumerate(
        ["normal", "normal", "benign", "benign", "malignant", "malignant", "malignant", "benign"]
    ):
        picture = np.clip(rng.normal(120, 25, (240, 320)), 0, 255).astype(np.uint8)
        mask = np.zeros_like(picture)
        if label != "normal":
            cv2.ellipse(mask, (160, 120), (50, 30 + 4 * i), 0, 0, 360, 255, -1)
            picture[mask > 0] //= 4
            cv2.imwrite(str(tmp_path / "masks" / f"{label}_{i}.png"), mask)
        cv2.imwrite(str(tmp_path / "images" / f"{label}_{i}.jpg"), picture)
        lines.append(f"{label}_{i},{label},{i // 2},{int(i == 7)}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    return tmp_path


def test_masks_lie_where_their_pictures_do(folder):
    manifest = load_bundle().manifest
    data = read_busi(folder, Preprocessor(manifest.recipe))
    assert data.labels.tolist().count("normal") == 2
    assert len(data.labels) == 7, "a group under two labels is left out"
    assert data.tensors.shape[1:] == manifest.input.shape[1:]
    for tensor, mask, label in zip(data.tensors, data.masks, data.labels, strict=True):
        assert mask.any() == (label != "normal")
        if label != "normal":
            scan = tensor.any(axis=(1, 2))  # its rows: above and below is padding
            assert tensor[mask > 0].mean() < 60 < tensor[scan][mask[scan] == 0].mean()


def test_a_mask_keeps_its_area_on_the_grid():
    manifest = load_bundle().manifest
    picture = np.full((300, 400), 120, np.uint8)
    _, placement = Preprocessor(manifest.recipe)(picture)
    mask = np.zeros(picture.shape, bool)
    mask[100:200, 100:300] = True
    grid = mask_to_grid(mask, placement, manifest.recipe.width, manifest.recipe.height)
    scale = placement.scale
    assert grid.sum() == pytest.approx(mask.sum() * scale[0] * scale[1], rel=0.03)


def test_the_figures_count_what_they_say(folder):
    bundle = load_bundle()
    data = read_busi(folder, Preprocessor(bundle.manifest.recipe))
    figures = {m.name: m for m in measure_external(bundle.model_bytes, bundle.manifest, data)}
    assert figures["malignancy AUC, BUSI"].n == 5
    assert figures["normal with a lesion, BUSI"].n == 2
    assert figures["abstentions, BUSI"].n == 7
    assert all(0 <= m.low <= m.value <= m.high <= 1 for m in figures.values())
    assert all("BUSI" in m.data and "look-alikes" in m.method for m in figures.values())


@pytest.mark.parametrize("name", ["labels.csv", "images/benign_2.jpg", "masks/benign_2.png"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UsageError, match=name.rpartition("/")[2]) as caught:
        read_busi(folder, Preprocessor(load_bundle().manifest.recipe))
    assert "--busi" in caught.value.hint
