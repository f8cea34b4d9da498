"""Contact sheets of a folder and of the breast sets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sample_dataset import make_dataset

from edge.contracts.errors import ConfigError
from training.inspect.contact_sheet import OUTLINE, contact_sheet
from training.inspect.sample_pictures import choose


def test_a_sheet_shows_every_picture_with_its_mask(tmp_path):
    items, names, recipe = choose(make_dataset(tmp_path / "sample_dataset", 3, masks=True), "folder", 6, 1)
    assert sorted(set(names)) == ["cyst", "solid"]
    sheet = contact_sheet(items, names, recipe, 1, augmented=False)
    assert sheet.shape == (2 * (160 + 18) + 4, 3 * 164 + 4, 3)
    for number in range(6):
        y, x = 4 + number // 3 * 178, 4 + number % 3 * 164
        cell = sheet[y : y + 160, x : x + 160]
        outline = (cell == OUTLINE).all(axis=2)
        _, _, width, height = cv2.boundingRect(outline.astype(np.uint8))
        assert width == pytest.approx(44, abs=3), "the circle of radius 22, at the size of 160 for 160"
        assert height == pytest.approx(44, abs=3)


def test_augmentation_changes_pictures_and_the_seed_decides_how(tmp_path):
    items, names, recipe = choose(make_dataset(tmp_path / "sample_dataset", 2), "folder", 4, 1)
    one, again, other = (contact_sheet(items, names, recipe, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, contact_sheet(items, names, recipe, 1, augmented=False))


def test_the_breast_sets_are_shown_with_what_they_say(tiny_bus_bra, tiny_busi):
    items, names, recipe = choose(tiny_bus_bra.parent, "breast", 99, 1)
    assert tiny_busi.parent == tiny_bus_bra.parent
    assert {item.source for item in items} == {"BUS-BRA", "BUSI"}
    names_by_id = {item.id: name for item, name in zip(items, names, strict=True)}
    shown = [names_by_id[key] for key in ("normal_001", "benign_001", "malignant_001")]
    assert shown == ["no lesion", "benign", "malignant"]
    assert names_by_id["bus_0001-l"] == "malignant"
    assert recipe.width == 160


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="holds no pictures"):
        choose(tmp_path, "folder", 4, 1)
