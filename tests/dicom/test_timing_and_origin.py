"""Frame times in all the ways that DICOM writes them, and what is said of the scanner and not of the patient."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from edge.contracts.frames import Equipment, FrameOrigin
from edge.dicom.header import KEYWORDS
from edge.dicom.origin import read_origin
from edge.dicom.suppress_warnings import suppress_pydicom_warnings
from edge.dicom.timing import frame_times


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


def test_the_origin_says_what_the_file_says() -> None:
    uid = "1.2.840.113619.2.5"
    said = elements(
        SOPInstanceUID="1.2.3",
        StudyInstanceUID=uid,
        BodyPartExamined="Breast ",
        Laterality="R",
        ImageLaterality="L",
        Manufacturer="ACME",
        ManufacturerModelName="Scan 1",
        TransducerData=["L12-5", "UNUSED"],
    )
    origin = read_origin(said, "x.dcm")
    assert origin == FrameOrigin(
        path="x.dcm",
        sop_instance_uid="1.2.3",
        study=hashlib.sha256(uid.encode()).hexdigest()[:16],
        body_part="BREAST",
        laterality="L",
        equipment=Equipment("ACME", "Scan 1", "L12-5"),
    )


def test_what_is_not_said_is_not_guessed() -> None:
    assert read_origin(elements(), "x") == FrameOrigin(path="x")
    empty = elements(BodyPartExamined="", Laterality="", Manufacturer=" ", TransducerData=["", ""], StudyInstanceUID="")
    assert read_origin(empty, "x") == FrameOrigin(path="x")


@pytest.mark.parametrize(("said", "side"), [("L", "L"), ("R", "R"), ("B", None), ("U", None), ("left", None)])
def test_sides(said: str, side: str | None) -> None:
    assert read_origin(elements(Laterality=said), "x").laterality == side


def test_another_side_word_falls_back_to_the_series() -> None:
    assert read_origin(elements(Laterality="R", ImageLaterality="U"), "x").laterality == "R"


def test_long_or_unprintable_text_is_cut() -> None:
    maker = read_origin(elements(Manufacturer="A\x1b[31m" + "B" * 200), "x").equipment.manufacturer
    assert maker is not None
    assert maker.isprintable()
    assert len(maker) == 64


def test_no_element_of_the_patient_is_among_those_that_are_read() -> None:
    of_people = ("Patient", "Referring", "Accession", "Institution", "Operators", "Study", "Series")
    of_times = ("Name", "Date", "Time")
    fine = {"StudyInstanceUID", "ManufacturerModelName", "FrameTime"}
    assert not {keyword for keyword in KEYWORDS if keyword.startswith(of_people) or keyword.endswith(of_times)} - fine
