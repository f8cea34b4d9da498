"""Frame times in all the ways that DICOM writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from edge.dicom.frame_reader import DicomFrameReader
from edge.dicom.frame_times import frame_times
from edge.dicom.suppress_warnings import suppress_pydicom_warnings

if TYPE_CHECKING:
    from pathlib import Path


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
        # an absolute time for each frame
        ({"FrameTimeVector": ["0", "40", "80"]}, [0, 40_000_000, 80_000_000]),
        ({"FrameTimeVector": ["1000", "1040", "1081"]}, [0, 40_000_000, 81_000_000]),
        ({"FrameTimeVector": ["0", "10", "30.5"], "FrameTime": "15"}, [0, 10_000_000, 30_500_000]),
        ({"FrameTimeVector": ["0", "33", "34"]}, [0, 33_000_000, 67_000_000]),  # a rate that varies
        # seconds, or what else no scanner has
        ({"FrameTime": "0.033", "CineRate": "30"}, [0, 33_333_333, 66_666_667]),
        ({"FrameTime": "0.04", "RecommendedDisplayFrameRate": "25"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTime": "2", "CineRate": "30"}, [0, 2_000_000, 4_000_000]),  # shown slower than it was scanned
        ({"FrameTime": "5", "RecommendedDisplayFrameRate": "0.2"}, [0, 5_000_000_000, 10_000_000_000]),
        ({"FrameTime": "0.033"}, None),
        ({"FrameTime": "33333333", "CineRate": "30"}, [0, 33_333_333, 66_666_667]),
        ({"FrameTimeVector": ["0", "0.04", "0.04"], "CineRate": "25"}, [0, 40_000_000, 80_000_000]),
        ({"FrameTimeVector": ["0", "0.04", "0.08"]}, None),
        ({"FrameTimeVector": ["0", "0", "0"], "FrameTime": "40"}, [0, 40_000_000, 80_000_000]),
        ({"CineRate": "100000"}, None),
        ({"ActualFrameDuration": "40"}, [0, 40_000_000, 80_000_000]),
        ({"ActualFrameDuration": "0"}, None),
        ({"ActualFrameDuration": "-40"}, None),
        ({"FrameTime": "50", "ActualFrameDuration": "40"}, [0, 50_000_000, 100_000_000]),
        # which of both counts
        (
            {"FrameTime": "40", "FrameTimeVector": ["0", "10", "30"], "FrameIncrementPointer": 0x00181063},
            [0, 40_000_000, 80_000_000],
        ),
        (
            {"FrameTime": "40", "FrameTimeVector": ["0", "10", "30"], "FrameIncrementPointer": 0x00181065},
            [0, 10_000_000, 40_000_000],
        ),
        ({"FrameTime": ""}, None),
        ({}, None),
    ],
)
def test_frame_times(values: dict[str, Any], expected: list[int] | None) -> None:
    times = frame_times(elements(**values), 3)
    assert (None if times is None else [round(time, -1) for time in times]) == (
        None if expected is None else [round(time, -1) for time in expected]
    )


def test_a_single_frame_is_at_the_beginning() -> None:
    assert frame_times(elements(FrameTime="40"), 1) == (0,)
    assert frame_times(elements(), 1) == (0,)


@pytest.mark.parametrize("value", ["NaN", "inf", "-inf", "1e400", "forty"])
@pytest.mark.parametrize("keyword", ["FrameTime", "CineRate", "RecommendedDisplayFrameRate", "ActualFrameDuration"])
def test_what_is_no_number_is_no_time(keyword: str, value: str) -> None:
    data = Dataset()
    data.add_new(keyword, "LO", value)
    assert frame_times(data, 3) is None


def test_absolute_times_with_a_pause() -> None:
    times = frame_times(elements(FrameTimeVector=["0", "40", "80", "80", "5000", "5040", "5080"]), 7)
    assert times is not None
    assert [round(time / 1e6) for time in times] == [0, 40, 80, 80, 5000, 5040, 5080]


@given(
    steps=st.lists(st.floats(20, 60), min_size=2, max_size=40),
    first=st.sampled_from([0.0, 1.0, 86_399_000.0]),
)
def test_a_vector_of_times_gives_those_times(steps: list[float], first: float) -> None:
    absolute = [first + sum(steps[:index]) for index in range(len(steps) + 1)]
    times = frame_times(
        elements(FrameTime=str(sorted(steps)[len(steps) // 2]), FrameTimeVector=absolute), len(absolute)
    )
    if len(steps) > 4 or max(steps) < 1.1 * min(steps):
        assert times is not None
        assert times[-1] / 1e6 == pytest.approx(absolute[-1] - first, abs=1.0)


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
        assert times[-1] <= (frames - 1) * 3_600_000_000_000


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "step_ms"), [("d3_vector_abs", 40), ("d6_ft_seconds", 1000 / 30), ("d7_actualduration", 40)]
)
def test_the_cases(name: str, step_ms: float, cases_dir: Path) -> None:
    with DicomFrameReader(cases_dir / "dcm" / f"{name}.dcm") as clip:
        assert clip.times is not None
        assert [time / 1e6 for time in clip.times] == pytest.approx([k * step_ms for k in range(5)])
