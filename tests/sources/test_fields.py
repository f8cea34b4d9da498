"""Interlaced pictures: one field is kept, whatever the number of lines and colours."""

from __future__ import annotations

import numpy as np
import pytest

from edge.sources.live.fields import one_field


@pytest.mark.parametrize("shape", [(480, 640), (481, 640), (480, 640, 3), (1, 4), (2, 3, 3)])
def test_the_lines_of_the_second_field_leave_no_trace(shape):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    other = pixels.copy()
    other[1::2] = rng.integers(0, 256, other[1::2].shape, dtype=np.uint8)
    whole = one_field(pixels)
    assert np.array_equal(whole, one_field(other))
    assert np.array_equal(whole[::2], pixels[::2])
    assert whole.shape == pixels.shape


def test_a_picture_without_movement_stays_nearly_the_same():
    slope = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None], 50, axis=1)
    assert np.abs(one_field(slope).astype(int) - slope)[:-1].max() <= 1
