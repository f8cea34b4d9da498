"""Rounding: a number keeps what it means, and a probability never changes sides."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.contracts import precision

UNIT = st.floats(0.0, 1.0)


@given(value=UNIT, threshold=UNIT)
@example(value=0.49996, threshold=0.5)
@example(value=0.41236, threshold=0.41237)
@example(value=0.41238, threshold=0.41237)
@example(value=0.123456, threshold=0.1234561)
def test_a_probability_stays_near_itself_and_on_its_side_of_the_threshold(value: float, threshold: float) -> None:
    rounded = precision.probability(value, threshold)
    assert 0.0 <= rounded <= 1.0
    assert abs(rounded - value) <= 1e-4
    assert (rounded >= threshold) == (value >= threshold)


@given(value=UNIT, threshold=UNIT, ends=st.tuples(UNIT, UNIT))
@example(value=0.28395, threshold=0.5, ends=(0.28398, 0.7))
@example(value=0.70001, threshold=0.5, ends=(0.2, 0.70002))
@example(value=0.28398, threshold=0.5, ends=(0.28398, 0.7))
@example(value=0.500004, threshold=0.500003, ends=(0.500002, 0.500005))
def test_a_probability_goes_neither_into_an_interval_nor_out_of_it(
    value: float, threshold: float, ends: tuple[float, float]
) -> None:
    rounded = precision.probability(value, threshold, ends)
    assert abs(rounded - value) <= 1e-4
    assert (rounded >= threshold) == (value >= threshold)
    assert (ends[0] < rounded < ends[1]) == (ends[0] < value < ends[1])


@given(UNIT)
def test_a_probability_has_four_decimals(value: float) -> None:
    assert precision.probability(value, 0.5) == float(f"{precision.probability(value, 0.5):.4f}")
    assert precision.probability(precision.probability(value)) == precision.probability(value)


@pytest.mark.parametrize(
    ("rounded", "expected"),
    [
        (precision.millimetres(9.61234), 9.61),
        (precision.milliseconds(8.1234567), 8.123),
        (precision.frames_per_second(27.43219), 27.43),
        (precision.pixel_spacing(0.0447213595), 0.044721),
        (precision.pixel_spacing(None), None),
        (precision.pixels(12.34), 12.3),
    ],
)
def test_each_kind_of_number_has_its_decimals(rounded: float | None, expected: float | None) -> None:
    assert rounded == expected
