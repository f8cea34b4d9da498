"""A `RangeSet` behaves as the set of its integers does."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.fleet.ranges import RangeSet

pairs = st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
several = st.lists(pairs, max_size=15)


def numbers(ranges: RangeSet | list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(several)
def test_what_is_put_in_is_in_it(ranges: list[tuple[int, int]]) -> None:
    found, expected = RangeSet(), set()
    for first, last in ranges:
        new = set(range(first, last + 1)) - expected
        assert found.add(first, last) == len(new)
        expected |= new
    assert numbers(found) == expected
    assert found.count() == len(expected)
    assert {number for number in range(-2, 80) if number in found} == expected


@given(several)
def test_ranges_are_in_order_and_never_touch(ranges: list[tuple[int, int]]) -> None:
    found = list(RangeSet(ranges))
    assert all(first <= last for first, last in found)
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(found))


@given(several, several, pairs)
def test_gaps_parts_and_differences(
    ranges: list[tuple[int, int]], others: list[tuple[int, int]], window: tuple[int, int]
) -> None:
    one, other = RangeSet(ranges), RangeSet(others)
    wanted = set(range(window[0], window[1] + 1))
    assert numbers(one.gaps(*window)) == wanted - numbers(one)
    assert numbers(one.within(*window)) == wanted & numbers(one)
    assert numbers(one.minus(other)) == numbers(one) - numbers(other)


@given(st.permutations(range(1, 40)))
def test_order_does_not_matter(order: list[int]) -> None:
    found = RangeSet()
    for number in order:
        assert found.add(number) == 1
    assert found == RangeSet([(1, 39)])
    assert len(found) == 1


def test_a_range_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="expected first <= last, got 3, 2"):
        RangeSet().add(3, 2)
