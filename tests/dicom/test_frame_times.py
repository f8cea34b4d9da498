"""Frame times in all the ways that DICOM writes them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from edge.dicom.frame_times import frame_times
from edge.dicom.suppress_warnings import suppress_pydicom_warnings


def elements(**values: Any) -> Dataset:
    """Whatever is given, also what pydicom warns of."""
    data = Dataset()
    with suppress_pydicom_warnings():
        for keyword, value in values.items():
            setattr(data, keyword, value)
    return data


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"FrameTime": "40"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTime": "33.333"}, [0, 33_333_000, 66_666_000]),
        ({"FrameTimeVector": ["0", "10", "30.5"]}, [0, 10_000_000, 40_500_000]),
        ({"FrameTimeVector": ["25", "10", "30"]}, [0, 10_000_000, 40_000_000]),
        ({"FrameTimeVector": ["0", "10", "30", "99"]}, [0, 10_000_000, 40_000_000]),
        ({"CineRate": "50"}, [0, 20_000_000, 40_000_000]),
        ({"RecommendedDisplayFrameRate": "25"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTime": "40", "CineRate": "50"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTimeVector": ["0", "10"], "FrameTime": "40"}, [0, 40_000_000, 80_000_000]),  # too short
        ({"FrameTimeVector": ["0", "-10", "10"], "FrameTime": "40"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTime": "0", "CineRate": "50"}, [0, 20_000_000, 40_000_000]),
        ({"FrameTime": "-3", "CineRate": "0"}, None),
        ({"FrameTime": ""}, None),
        ({}, None),
    ],
)
def test_frame_times(values: dict[str, Any], expected: list[int] | None) -> None:
    times = frame_times(elements(**values), 3)
    assert (None if times is None else list(times)) == expected


def test_a_single_frame_is_at_the_beginning() -> None:
    assert frame_times(elements(FrameTime="40"), 1) == (0,)
    assert frame_times(elements(), 1) == (0,)


@given(
    step=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    vector=st.lists(st.floats(-10, 1e6, width=32), max_size=5),
    rate=st.one_of(st.none(), st.integers(-5, 10**9)),
    frames=st.integers(1, 2**31 - 1),
)
def test_times_never_go_back(step: float | None, vector: list[float], rate: int | None, frames: int) -> None:
    values = {"FrameTime": step, "FrameTimeVector": vector, "CineRate": rate}
    times = frame_times(elements(**{k: v for k, v in values.items() if v is not None}), frames)
    if times is not None:
        assert len(times) == frames
        some = [times[index] for index in sorted({0, frames // 3, frames // 2, frames - 1})]
        assert some == sorted(some)
        assert some[0] == 0
