"""Drawn organs: pictures that keep the skin of a breast, and none of its layers."""

from __future__ import annotations

import numpy as np
import pytest

from training.gate.organ_negatives import ORGANS


def breast(height: int = 300, width: int = 260) -> np.ndarray:
    return np.random.default_rng(4).integers(60, 190, (height, width)).astype(np.uint8)


@pytest.mark.parametrize("family", sorted(ORGANS))
def test_an_organ_is_a_picture_of_the_same_size_and_another_every_time(family):
    made = [ORGANS[family](np.random.default_rng(seed), breast()) for seed in range(4)]
    assert all(each.dtype == np.uint8 and each.shape == breast().shape for each in made)
    assert not np.array_equal(made[0], made[1])


@pytest.mark.parametrize("family", sorted(ORGANS))
def test_below_the_skin_little_of_the_breast_is_left(family):
    """Two breasts that differ in their lower half alone give organs that hardly differ there."""
    other = breast()
    other[150:] = 255 - other[150:]
    differ = []
    for seed in range(6):
        one, two = (ORGANS[family](np.random.default_rng(seed), each).astype(int) for each in (breast(), other))
        differ.append(np.abs(one - two)[240:].mean() / np.abs(breast().astype(int) - other)[240:].mean())
    assert np.median(differ) < 0.5


def test_a_narrow_picture_is_drawn_as_well():
    for make in ORGANS.values():
        assert make(np.random.default_rng(1), breast(64, 48)).shape == (64, 48)
