"""Cache of augmented views."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from training.augment import views
from training.augment.views import ViewRow, Views, cell_shares, make_sample
from training.datasets import bus_bra
from training.recipe import load_recipe


@pytest.fixture
def recipe():
    chosen = load_recipe("breast")
    return msgspec.structs.replace(chosen, mix=msgspec.structs.replace(chosen.mix, phantoms=2))


def taps(tensors):
    return tensors[:, ::4, ::4, :2] / 255, tensors[:, ::8, ::8, :1] / 255


@pytest.mark.slow
def test_a_view_holds_each_picture_once_some_crops_and_phantoms(tiny_bus_bra, recipe, tmp_path):
    items, lines = bus_bra(tiny_bus_bra), []
    made = Views(items, recipe, tmp_path / "cache")
    place = made.ensure(0, taps, lines.append)
    rows = dict(np.load(place / "rows.npz"))
    assert sorted(rows["id"][rows["kind"] == "picture"]) == sorted(item.id for item in items)
    assert (rows["kind"] == "phantom").sum() == 2
    assert set(rows["label"][rows["kind"] != "picture"]) <= {-1, 0, 1}
    width, height = recipe.preprocess.width, recipe.preprocess.height
    assert np.load(place / "tap4.npy").shape == (len(rows["id"]), height // 4, width // 4, 2)
    assert np.load(place / "tap8.npy").dtype == np.float16
    assert np.load(place / "masks.npy").max() == 255
    assert made.ensure(0, taps, lines.append) == place
    assert len(lines) == 1, "what is there is not made again"


def test_a_sample_depends_on_seed_item_and_view_alone(tiny_bus_bra, recipe):
    items = bus_bra(tiny_bus_bra)
    first = make_sample(ViewRow("picture", 3, 1), items, recipe)
    again = make_sample(ViewRow("picture", 0, 1), [items[3]], recipe)
    other = make_sample(ViewRow("picture", 3, 2), items, recipe)
    assert np.array_equal(first.tensor, again.tensor)
    assert not np.array_equal(first.tensor, other.tensor)


def test_other_pictures_or_another_seed_are_other_views(tiny_bus_bra, recipe, tmp_path):
    items = bus_bra(tiny_bus_bra)
    folder = Views(items, recipe, tmp_path).folder
    assert Views(items[1:], recipe, tmp_path).folder != folder
    assert Views(items, msgspec.structs.replace(recipe, seed=2), tmp_path).folder != folder
    assert Views(items, msgspec.structs.replace(recipe, protocol="all"), tmp_path).folder == folder


def test_other_masks_labels_or_network_code_are_other_views(tiny_bus_bra, recipe, tmp_path, monkeypatch):
    items = bus_bra(tiny_bus_bra)
    folder = Views(items, recipe, tmp_path).folder
    for changes in ({"label": 1 - items[0].label}, {"mask": 1 - items[0].mask}):
        assert Views([dataclasses.replace(items[0], **changes), *items[1:]], recipe, tmp_path).folder != folder
    assert {"network.py", "weights.py"} <= set(views.MAKERS)
    monkeypatch.setattr(views, "MAKERS", views.MAKERS[:-1])
    assert Views(items, recipe, tmp_path).folder != folder


def test_of_two_runs_that_make_one_view_the_first_ones_stays(tiny_bus_bra, recipe, tmp_path):
    items = bus_bra(tiny_bus_bra)[:2]
    made = Views(items, recipe, tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, alive = (made.place(0).with_suffix(f".{pid}") for pid in (gone.pid, os.getppid()))
    for folder in (left, alive):
        folder.mkdir(parents=True)

    def slow(tensors):
        made.place(0).mkdir(exist_ok=True)
        (made.place(0) / "rows.npz").write_text("the other run's")
        return taps(tensors)

    place = made.ensure(0, slow, lambda line: None)
    assert (place / "rows.npz").read_text() == "the other run's"
    assert sorted(path.name for path in place.parent.iterdir()) == sorted([place.name, alive.name])


def test_cells_hold_the_share_of_lesion():
    mask = np.zeros((8, 8), np.uint8)
    mask[:4, :2] = 1
    assert cell_shares(mask).tolist() == [[128, 0], [0, 0]]


def test_a_crop_is_clear_of_the_lesion(tiny_bus_bra, recipe):
    item = bus_bra(tiny_bus_bra)[0]
    mask = np.zeros((300, 300), np.uint8)
    mask[:60, :60] = 1
    image = np.full_like(mask, 200)
    image[mask == 1] = 10
    wide = dataclasses.replace(item, image=image, mask=mask)
    crop = make_sample(ViewRow("crop", 0, 0), [wide], recipe)
    assert crop.label == -1
    assert not crop.mask.any()
    assert crop.tensor.shape == (recipe.preprocess.height, recipe.preprocess.width, 3)
