"""The search for markers itself: if it were blind, the other tests here would show nothing."""

from __future__ import annotations

import pytest
from privacy.basic_profile import KEYWORDS
from privacy.marked import IMAGE_UID, Markers, marked_file
from pydicom import dcmread

from edge.dicom.suppress_warnings import suppress_pydicom_warnings


def test_every_marker_is_found_in_the_file_itself(tmp_path):
    markers = Markers()
    data = marked_file(tmp_path / "a.dcm", markers).read_bytes()
    # DICOM packs values without anything between: give each a place of its own, as JSON and logs do.
    found = set()
    with suppress_pydicom_warnings():
        for item in dcmread(tmp_path / "a.dcm", stop_before_pixels=True).iterall():
            if item.VR != "SQ":
                value = item.value if isinstance(item.value, bytes) else str(item.value).encode()
                found |= markers.found_in(b'"' + value + b'"').keys()
    found |= markers.found_in(data).keys()
    assert set(markers.made) <= found
    assert IMAGE_UID in found
    assert len(KEYWORDS) > 390


@pytest.mark.parametrize("text", ['{{"at":"{}"}}', "x {} y", "'{}'", "name={}, ", "/data/{}/a", "[{}]", "{}\n"])
def test_dates_are_found_however_they_are_written(text):
    markers = Markers()
    day, time, name = markers.of("DA", "d"), markers.of("TM", "t"), markers.of("PN", "n")
    iso = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    assert markers.found_in(text.format(day).encode()) == {day: "d"}
    assert markers.found_in(text.format(iso).encode()) == {day: "d"}
    assert markers.found_in(text.format(f"{time[:2]}:{time[2:4]}:{time[4:]}").encode()) == {time: "t"}
    assert len(markers.found_in(text.format(name).encode())) == 2


def test_other_numbers_are_no_markers():
    markers = Markers()
    markers.of("DA", "d")
    assert markers.found_in(b'{"mono_ns":118020304118,"id":"18020304-1aa1"}') == {}
