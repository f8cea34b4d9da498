"""Synthetic negatives of the anatomy gate."""

from __future__ import annotations

import numpy as np
import pytest

from training.gate import synthetic_negatives


def scan(height: int = 300, width: int = 240) -> np.ndarray:
    return np.random.default_rng(4).integers(40, 160, (height, width)).astype(np.uint8)


@pytest.mark.parametrize("family", sorted(synthetic_negatives.DISTORTIONS))
def test_bent_pictures_are_pictures_and_differ_from_what_they_were_made_of(family):
    for seed in range(8):
        out = synthetic_negatives.DISTORTIONS[family](np.random.default_rng(seed), scan())
        assert out.dtype == np.uint8
        assert out.ndim == 2
        assert min(out.shape) >= 32
        assert out.shape != scan().shape or (out != scan()).mean() > 0.2


def test_under_the_pleural_line_nothing_of_the_tissue_is_left():
    """Two scans alike in their upper part and different below give lungs that hardly differ."""
    one, two = scan(), scan()
    two[200:] = 255 - two[200:]
    a, b = (synthetic_negatives.lung(np.random.default_rng(3), p).astype(int) for p in (one, two))
    assert a.shape == b.shape
    assert np.abs(a - b).mean() < 2


def test_cards_are_of_many_kinds():
    cards = [synthetic_negatives.test_card(np.random.default_rng(seed)) for seed in range(40)]
    assert all(c.dtype == np.uint8 and c.ndim == 2 for c in cards)
    spreads = [float(c.std()) for c in cards]
    assert min(spreads) < 10
    assert max(spreads) > 50
