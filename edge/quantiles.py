"""Nearest-rank percentiles: the one rule by which all of sonoedge picks a percentile from samples.

The percentile at ``share`` is the smallest sample that at least that share of all samples do not exceed (NumPy calls
it ``inverted_cdf``): a value that was really measured, never one between two. NumPy is not needed here: the pipeline
keeps plain lists, and the benchmark picks the same place from its arrays.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDING = 1e-9
"""A product of share and number that lies over a whole number by no more than this is that whole number."""


def nearest_rank_index(n: int, share: float) -> int:
    """Index (from 0) of the ``share`` percentile among ``n`` sorted samples; ``share`` from 0 to 1, ``n`` above 0."""
    return max(0, math.ceil(share * n - ROUNDING) - 1)


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest-rank percentile of unsorted, non-empty ``values``; ``share`` from 0 to 1.

    Raises:
        IndexError: ``values`` is empty.
    """
    return sorted(values)[nearest_rank_index(len(values), share)]
