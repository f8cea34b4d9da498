"""Augmentation of appearance: values change, places do not."""

from __future__ import annotations

import numpy as np
import pytest

from training.augment import appearance


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(20, 220, (130, 170)).astype(np.uint8)


@pytest.mark.parametrize("change", [appearance.vary_gain, appearance.vary_speckle, appearance.resample_and_compress])
def test_appearance_changes_values_and_never_places(change):
    image = picture()
    kept = image.copy()
    results = [change(np.random.default_rng(seed), image) for seed in range(30)]
    assert all(r.shape == image.shape and r.dtype == np.uint8 for r in results)
    assert any((r != image).any() for r in results)
    assert (image == kept).all()


def test_equal_seeds_give_equal_pictures():
    one, two = (appearance.vary_gain(np.random.default_rng(7), picture()) for _ in range(2))
    assert (one == two).all()


def test_marks_are_burned_in_on_a_copy():
    image = np.full((200, 200), 60, np.uint8)
    mask = np.zeros_like(image)
    mask[80:120, 70:130] = 1
    marked = [appearance.burn_in_marks(np.random.default_rng(seed), image, mask) for seed in range(30)]
    assert (image == 60).all()
    assert sum((m > 140).any() for m in marked) > 15


def test_marks_stand_on_pictures_without_lesion_too():
    image = np.full((200, 200), 60, np.uint8)
    marked = [appearance.burn_in_marks(np.random.default_rng(seed), image, np.zeros_like(image)) for seed in range(30)]
    assert sum((m > 140).any() for m in marked) > 15


def test_the_screen_tells_where_the_scan_lies():
    image = picture()
    for seed in range(20):
        screen, (x, y) = appearance.place_on_screen(np.random.default_rng(seed), image)
        assert (screen[y : y + 130, x : x + 170] == image).all()
