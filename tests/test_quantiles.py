"""The nearest-rank rule, held against NumPy's ``inverted_cdf`` and against the rule without room for rounding."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.quantiles import nearest_rank_index, percentile

SHARES = (0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


@pytest.mark.parametrize("share", SHARES)
def test_the_index_is_the_plain_nearest_rank_for_every_share_that_is_reported(share: float) -> None:
    for n in range(1, 20_000):
        assert nearest_rank_index(n, share) == max(0, math.ceil(share * n) - 1)


def test_a_product_that_is_rounded_up_does_not_shift_the_rank() -> None:
    assert 0.07 * 100 > 7.0  # in floating point
    assert nearest_rank_index(100, 0.07) == 6


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=200), st.sampled_from(SHARES))
def test_a_percentile_is_a_sample_and_the_one_that_numpy_names(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert found == float(np.quantile(values, share, method="inverted_cdf"))


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(IndexError):
        percentile([], 0.5)
