"""Lesion-free crops: clear of the lesion, the same in every run, of test pictures alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fake_predictions import write_single

from edge.contracts.errors import ConfigError
from training.augment.geometry import lesion_free_window
from training.datasets import Item
from training.evaluation.lesion_free import CROPS, write_lesion_free
from training.recipe import RunRecord, load_recipe
from training.run_record import write_record


def item(key: str, lesion: bool = True) -> Item:
    """A picture that is bright in its lesion and grey elsewhere."""
    image, mask = np.full((300, 400), 90, np.uint8), np.zeros((300, 400), np.uint8)
    image += np.random.default_rng(1).integers(0, 30, image.shape).astype(np.uint8)
    if lesion:
        cv2.circle(mask, (60, 60), 30, 1, -1)
        image[mask > 0] = 255
    return Item(
        id=key, group=f"g{key}", source="BUS-BRA", split="test", label=0 if lesion else -1, image=image, mask=mask
    )


@pytest.fixture
def run(tmp_path):
    path = write_single(tmp_path / "run")
    record = RunRecord(recipe=load_recipe("breast"), git_revision="", created="", epochs_done=1, anatomy_threshold=0.0)
    write_record(path, record)
    return path


def test_crops_are_clear_of_the_lesion_and_of_test_pictures(run):
    with np.load(run / "predictions.npz") as file:
        test, val = (file["ids"][file["split"] == split].tolist() for split in ("test", "val"))
    items = [item(test[0]), item(test[1]), item(val[0]), item(test[2], lesion=False), item("another")]
    assert write_lesion_free(run, items) == 2
    with np.load(run / CROPS) as file:
        assert file["ids"].tolist() == test[:2]
        assert file["groups"].tolist() == [f"g{each}" for each in test[:2]]
        assert file["tensors"].dtype == np.uint8
        assert file["tensors"].max() < 200
        first = file["tensors"]
    write_lesion_free(run, items[:1])
    with np.load(run / CROPS) as file:
        assert np.array_equal(file["tensors"][0], first[0])
    assert lesion_free_window(np.random.default_rng(0), items[0].mask) is not None


def test_a_run_of_other_pictures_is_refused(run):
    with pytest.raises(ConfigError, match=r"none of its .* test pictures has room"):
        write_lesion_free(run, [item("another")])
