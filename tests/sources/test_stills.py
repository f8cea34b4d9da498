"""Which frames are stills, and where frames stand in the time of their clip: what lesions are tracked by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import dicom_source_files
import image_files
import numpy as np
import pytest
from dicom_source_files import cine, write_dicom

from edge.contracts.frames import Frame, FrameOrigin

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = np.full((40, 50), 90, np.uint8)


@pytest.mark.parametrize(("pages", "still"), [(1, True), (3, False)])
def test_an_image_file_of_one_page_is_a_still_one_of_several_is_no_clip_of_stills(tmp_path: Path, pages, still):
    path = tmp_path / "a.tif"
    assert cv2.imwritemulti(str(path), [PIXELS + page for page in range(pages)])
    frames, _ = image_files.read_all(path)
    assert [frame.origin.still for frame in frames] == [still] * pages
    assert [frame.clip_ns for frame in frames] == [page * 100_000_000 for page in range(pages)]  # ten a second


@pytest.mark.parametrize(("number", "still"), [(1, True), (3, False)])
def test_a_dicom_file_of_one_frame_is_a_still(tmp_path: Path, number, still):
    frames, _ = dicom_source_files.read_all(write_dicom(tmp_path / "a.dcm", cine(number)))
    assert [frame.origin.still for frame in frames] == [still] * number


def test_time_is_the_files_own_and_that_of_capture_for_what_is_live():
    assert Frame("s", 5, 77, 1234, PIXELS).clip_ns == 1234
    assert Frame("s", 5, 77, None, PIXELS).clip_ns == 77
    assert Frame("s", 5, 77, None, PIXELS, (), FrameOrigin(path="x", frame_index=7)).clip_ns == 700_000_000
