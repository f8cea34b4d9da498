"""How many bits of a 16-bit picture count: what the file says, else what all but a few samples need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.contracts.errors import SourceError
from edge.images.sample_depth import (
    OUTLIERS,
    PROBED,
    check_depth,
    probed_pages,
    significant_depth,
    to_8_bits,
    used_depth,
)

BASE = (np.arange(100 * 100).reshape(100, 100) % 200 * 4).astype(np.uint16)
"""10 bits."""


@pytest.mark.parametrize("corner", [0, 1023, 1024, 4095, 65535])
def test_one_pixel_in_a_corner_decides_nothing(corner: int) -> None:
    image = BASE.copy()
    image[0, 0] = corner
    assert used_depth(image) == 10
    np.testing.assert_array_equal(to_8_bits(image).ravel()[1:], BASE.ravel()[1:] >> 2)
    assert to_8_bits(image)[0, 0] == min(corner >> 2, 255)


@pytest.mark.parametrize(("factor", "depth"), [(1, 8), (4, 10), (16, 12), (64, 16), (256, 16)])
def test_what_more_pixels_need_counts(factor: int, depth: int) -> None:
    image = np.full((100, 100), 3, np.uint16)
    image[0, : int(image.size * OUTLIERS) + 1] = 255 * factor
    assert used_depth(image) == depth


@pytest.mark.parametrize("bits", [10, 12])
def test_significant_bits_that_were_scaled_by_the_standard(bits: int) -> None:
    low = BASE.astype(np.uint32) * ((1 << bits) - 1) // int(BASE.max())
    shifted = (low << (16 - bits)).astype(np.uint16)
    repeated = (shifted | low >> (2 * bits - 16)).astype(np.uint16)
    assert significant_depth(shifted, bits) == significant_depth(repeated, bits) == 16
    assert significant_depth(low.astype(np.uint16), bits) == bits, "left as they were"
    assert significant_depth((BASE // 8) | 1, bits) == bits, "however dark"


@pytest.mark.parametrize("bits", [0, 5, 16, 200])
def test_significant_bits_that_say_nothing(bits: int) -> None:
    assert significant_depth(BASE, bits) == 16


@given(count=st.integers(1, 10_000))
def test_pages_that_are_looked_at(count: int) -> None:
    pages = probed_pages(count)
    assert pages == sorted(set(pages))
    assert len(pages) == min(count, PROBED)
    assert pages[0] == 0
    assert pages[-1] == count - 1


@given(depth=st.integers(8, 16), values=st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_brighter_than_the_depth_is_white(depth: int, values: list[int]) -> None:
    got = to_8_bits(np.array(values, np.uint16), depth).tolist()
    assert got == [min(255, value >> (depth - 8)) for value in values]


def test_a_few_pixels_may_be_brighter_than_the_clip() -> None:
    image = BASE.copy()
    allowed = int(image.size * OUTLIERS)
    image.ravel()[:allowed] = 4095
    check_depth(image, 10)
    image.ravel()[allowed] = 1024
    check_depth(image, 12)
    check_depth(image.astype(np.uint8), 8)
    with pytest.raises(SourceError, match=r"0\.1 % of its samples need more than the 10 bits"):
        check_depth(image, 10)
