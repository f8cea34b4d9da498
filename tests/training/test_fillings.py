"""Fillings in training: what is pasted where, and that erased and kept lesions are filled at the same rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from edge.contracts.errors import ConfigError, EdgeError
from training.augment.fillings import Filling, Fillings, paste, write_fillings
from training.augment.views import ViewRow, Views, make_sample
from training.datasets import UNLABELLED
from training.gan.fill_pictures import fill_pictures, hole_beside, hole_over
from training.gan.fillers import copy_beside, inpaint
from training.phantoms import phantom
from training.recipe import load_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from training.datasets import Item
    from training.recipe import Recipe

FILLERS = [inpaint, copy_beside]


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return [phantom(5, number) for number in range(12)]


def mixed(path: Path, share: float = 0.5) -> Recipe:
    recipe = load_recipe("breast")
    mix = msgspec.structs.replace(recipe.mix, erased=share, fillings=str(path), crop_every=0, phantoms=0)
    return msgspec.structs.replace(recipe, mix=mix)


@pytest.mark.parametrize("filler", FILLERS)
def test_a_lesion_is_gone_and_all_else_stays(items: list[Item], filler: object) -> None:
    found = fill_pictures(items, filler, 2, 1)  # type: ignore[arg-type]
    assert {kind for _, kind, _ in found} == {"erased", "beside"}
    by_id = {item.id: item for item in items}
    for (name, kind, _), filling in found.items():
        item = by_id[name]
        filled = paste(item.image, filling)
        assert filled.shape == item.image.shape
        changed = filled != item.image
        far = np.ones_like(item.mask)
        h, w = filling.weight.shape
        far[filling.y : filling.y + h, filling.x : filling.x + w] = filling.weight == 0
        assert not changed[far > 0].any()
        if kind == "erased":
            seen_alone = np.zeros_like(item.mask)
            seen_alone[filling.y : filling.y + h, filling.x : filling.x + w] = filling.weight == 255
            assert seen_alone[item.mask > 0].all()
        else:
            assert not (changed & (item.mask > 0)).any()


def test_holes_beside_a_lesion_never_touch_it(items: list[Item]) -> None:
    shape = np.ones((40, 60), np.uint8)
    placed = 0
    for number, item in enumerate(items):
        hole = hole_beside(np.random.default_rng(number), item, shape, item.image.shape[1])
        if hole is not None:
            placed += 1
            assert not (hole & hole_over(item.mask)).any()
    assert placed > len(items) // 2


def test_copied_tissue_is_of_the_same_depth_and_of_no_lesion(items: list[Item]) -> None:
    item = next(one for one in items if one.mask.any())
    rows = np.repeat(np.arange(item.image.shape[0]) % 251, item.image.shape[1]).reshape(item.image.shape)
    filling = copy_beside(rows.astype(np.uint8), hole_over(item.mask), hole_over(item.mask), np.random.default_rng(0))
    assert filling is not None
    assert np.array_equal(paste(rows.astype(np.uint8), filling), rows)


def test_fillings_are_read_as_they_were_written(tmp_path: Path, items: list[Item]) -> None:
    path = tmp_path / "deep" / "fillings.npz"
    found = fill_pictures(items, inpaint, 2, 1)
    write_fillings(path, found, "inpaint", ["b", "a"])
    read = Fillings(path)
    assert (read.method, read.learnt_from, read.variants) == ("inpaint", {"a", "b"}, 2)
    for (name, kind, variant), filling in found.items():
        same = read.get(name, kind, variant + 2)  # an epoch may be later than there are variants
        assert same is not None
        assert (same.x, same.y) == (filling.x, filling.y)
        assert np.array_equal(same.pixels, filling.pixels)
        assert np.array_equal(same.weight, filling.weight)
    assert read.get("nobody", "erased", 0) is None
    assert read.items_with("erased") == {item.id for item in items if item.mask.any()}


def test_a_view_erases_lesions_and_fills_as_many_beside(tmp_path: Path, items: list[Item]) -> None:
    path = tmp_path / "fillings.npz"
    found = fill_pictures(items, inpaint, 1, 1)
    write_fillings(path, found, "inpaint", [])
    recipe, read = mixed(path), Fillings(path)
    views = Views(items, recipe, tmp_path / "cache")
    erased = [row for view in range(40) for row in views.plan(view) if row.kind == "erased"]
    lesions = sum(bool(item.mask.any()) for item in items)
    assert 0.4 < len(erased) / (40 * lesions) < 0.6
    sample = make_sample(erased[0], items, recipe, read)
    assert not sample.mask.any()
    assert sample.label == UNLABELLED
    number = erased[0].number
    rows = [ViewRow("picture", number, view) for view in range(40)]
    filled = sum(
        not np.array_equal(make_sample(row, items, recipe, read).tensor, make_sample(row, items, recipe).tensor)
        for row in rows
    )
    assert 0.25 < filled / len(rows) < 0.75
    assert all(make_sample(row, items, recipe, read).mask.any() for row in rows[:5])


def test_other_fillings_make_other_views(tmp_path: Path, items: list[Item]) -> None:
    folders = set()
    for name, filler in (("a", inpaint), ("b", copy_beside)):
        write_fillings(tmp_path / name, fill_pictures(items, filler, 1, 1), name, [])
        (tmp_path / f"{name}.npz").rename(tmp_path / f"{name}-renamed.npz")
        folders.add(Views(items, mixed(tmp_path / f"{name}-renamed.npz"), tmp_path).folder)
    folders.add(Views(items, mixed(tmp_path / "none", share=0.0), tmp_path).folder)
    assert len(folders) == 3


def test_what_is_no_file_of_fillings_is_refused(tmp_path: Path, items: list[Item]) -> None:
    (tmp_path / "other.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "array.npz", x=np.zeros(3))
    for name in ("missing.npz", "other.npz", "array.npz"):
        with pytest.raises(ConfigError) as caught:
            Fillings(tmp_path / name)
        assert caught.value.hint
    with pytest.raises(EdgeError):
        write_fillings(tmp_path / "none.npz", {}, "inpaint", [])
    recipe = mixed(tmp_path / "x")
    unnamed = msgspec.structs.replace(recipe, mix=msgspec.structs.replace(recipe.mix, fillings=""))
    with pytest.raises(ConfigError, match=r"erased = 0\.5, drawn = 0, and no fillings"):
        Views(items, unnamed, tmp_path)


def test_a_run_refuses_fillings_whose_generator_saw_its_test_pictures(tmp_path: Path, items: list[Item]) -> None:
    from dataclasses import replace

    pytest.importorskip("tensorflow", reason="training needs TensorFlow: make test-training has it")
    from training.breast.cross_validation import _check_fillings

    one = Filling(0, 0, np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))
    write_fillings(tmp_path / "f.npz", {(items[0].id, "erased", 0): one}, "generator", [items[3].id])
    sided = [replace(item, split="test" if number == 3 else "train") for number, item in enumerate(items)]
    with pytest.raises(ConfigError, match="learnt from 1 test pictures"):
        _check_fillings(mixed(tmp_path / "f.npz"), sided)
    _check_fillings(mixed(tmp_path / "f.npz"), [one for one in sided if one.split == "train"])
