"""What is said of the scanner and the body part that a DICOM frame came from, and not of the patient."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pydicom.dataset import Dataset

from edge.contracts.frames import Equipment, FrameOrigin
from edge.dicom.frame_origin import read_frame_origin
from edge.dicom.header import KEYWORDS
from edge.dicom.suppress_warnings import suppress_pydicom_warnings


def elements(**values: Any) -> Dataset:
    """Whatever is given, also what pydicom warns of."""
    data = Dataset()
    with suppress_pydicom_warnings():
        for keyword, value in values.items():
            setattr(data, keyword, value)
    return data


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
    origin = read_frame_origin(said, "x.dcm")
    assert origin == FrameOrigin(
        path="x.dcm",
        sop_instance_uid="1.2.3",
        study=hashlib.sha256(uid.encode()).hexdigest()[:16],
        body_part="BREAST",
        laterality="L",
        equipment=Equipment("ACME", "Scan 1", "L12-5"),
    )


def test_what_is_not_said_is_not_guessed() -> None:
    assert read_frame_origin(elements(), "x") == FrameOrigin(path="x")
    empty = elements(BodyPartExamined="", Laterality="", Manufacturer=" ", TransducerData=["", ""], StudyInstanceUID="")
    assert read_frame_origin(empty, "x") == FrameOrigin(path="x")


@pytest.mark.parametrize(("said", "side"), [("L", "L"), ("R", "R"), ("B", None), ("U", None), ("left", None)])
def test_sides(said: str, side: str | None) -> None:
    assert read_frame_origin(elements(Laterality=said), "x").laterality == side


def test_another_side_word_falls_back_to_the_series() -> None:
    assert read_frame_origin(elements(Laterality="R", ImageLaterality="U"), "x").laterality == "R"


def test_long_or_unprintable_text_is_cut() -> None:
    maker = read_frame_origin(elements(Manufacturer="A\x1b[31m" + "B" * 200), "x").equipment.manufacturer
    assert maker is not None
    assert maker.isprintable()
    assert len(maker) == 64


def test_no_element_of_the_patient_is_among_those_that_are_read() -> None:
    of_people = ("Patient", "Referring", "Accession", "Institution", "Operators", "Study", "Series")
    of_times = ("Name", "Date", "Time")
    fine = {"StudyInstanceUID", "ManufacturerModelName", "FrameTime"}
    assert not {keyword for keyword in KEYWORDS if keyword.startswith(of_people) or keyword.endswith(of_times)} - fine
