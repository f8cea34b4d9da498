"""Regions: where the scan is, and millimetres only where the file gives centimetres that can be true."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread

from edge.contracts.region import MAX_FIELD_MM, MIN_FIELD_MM, PIXEL_MM, Region
from edge.dicom.regions import read_regions

GOOD = {
    "RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0,
    "RegionLocationMinX0": 10, "RegionLocationMinY0": 20, "RegionLocationMaxX1": 109, "RegionLocationMaxY1": 219,
    "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3, "PhysicalDeltaX": 0.01, "PhysicalDeltaY": 0.02,
}  # fmt: skip


def regions(*items: dict[str, Any], width: int = 640, height: int = 480) -> tuple[Region, ...]:
    data = Dataset()
    sequence = []
    for elements in items:
        item = Dataset()
        for keyword, value in elements.items():
            if value is not None:
                setattr(item, keyword, value)
        sequence.append(item)
    data.SequenceOfUltrasoundRegions = sequence
    return read_regions(data, width, height)


def test_a_calibrated_region() -> None:
    (region,) = regions(GOOD)
    assert region == Region(box=(10, 20, 100, 200), mm_x=0.1, mm_y=0.2, source="dicom")
    assert region.calibrated


def test_both_corners_belong_to_it() -> None:
    (region,) = regions(GOOD | {"RegionLocationMaxX1": 10, "RegionLocationMaxY1": 20})
    assert region.box == (10, 20, 1, 1)


def test_colour_flow_is_an_image_too() -> None:
    assert regions(GOOD | {"RegionDataType": 2})[0].calibrated


def test_all_images_of_a_picture_are_there_in_order() -> None:
    right = GOOD | {"RegionLocationMinX0": 300, "RegionLocationMaxX1": 399}
    assert [region.box[0] for region in regions(right, GOOD)] == [300, 10]


@pytest.mark.parametrize(
    "change",
    [
        {"RegionSpatialFormat": 2},  # M-mode
        {"RegionSpatialFormat": 3, "RegionDataType": 3},  # spectral Doppler
        {"RegionSpatialFormat": 4, "RegionDataType": 10},  # ECG
        {"RegionSpatialFormat": 0, "RegionDataType": 13},  # grey bar
        {"RegionDataType": 3},
        {"RegionSpatialFormat": None},
        {"RegionDataType": None},
        {"RegionLocationMinX0": None},
        {"RegionLocationMaxX1": 5},
        {"RegionLocationMinX0": 640, "RegionLocationMaxX1": 641},
    ],
)
def test_what_is_no_image_is_left_out(change: dict[str, Any]) -> None:
    assert regions(GOOD | change) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"PhysicalUnitsXDirection": 4},  # seconds
        {"PhysicalUnitsYDirection": 0},
        {"PhysicalUnitsYDirection": None},
        {"PhysicalDeltaX": 0.0},
        {"PhysicalDeltaY": math.nan},
        {"PhysicalDeltaY": math.inf},
        {"PhysicalDeltaX": None},
        {"PhysicalDeltaX": 1e-9},
        {"PhysicalDeltaX": 25.4},
    ],
)
def test_without_centimetres_on_both_axes_nothing_is_calibrated(change: dict[str, Any]) -> None:
    (region,) = regions(GOOD | change)
    assert region.box == (10, 20, 100, 200)
    assert region.mm_x is None
    assert region.mm_y is None


@pytest.mark.parametrize(
    ("cm_x", "cm_y", "field"),
    [
        (0.9, 0.9, "900 x 1800 mm"),  # millimetres written as centimetres, or worse
        (0.2, 0.3, "200 x 600 mm"),  # deeper than sound comes back from
        (0.29, 0.01, None),
        (0.0001, 0.0001, "0.1 x 0.2 mm"),  # metres written as centimetres
        (0.4, 0.0001, "400 x 0.2 mm"),  # a pixel of 4 mm
    ],
)
def test_a_field_of_view_that_no_scanner_has_gives_no_millimetres(cm_x: float, cm_y: float, field: str | None) -> None:
    (region,) = regions(GOOD | {"PhysicalDeltaX": cm_x, "PhysicalDeltaY": cm_y})
    assert region.box == (10, 20, 100, 200)
    assert region.calibrated is (field is None)
    assert (region.uncalibrated is None) is (field is None)
    assert field is None or field in (region.uncalibrated or "")


def test_it_is_the_field_that_counts_not_the_pixel() -> None:
    """0.2 cm a pixel: 2 cm of an inset may be; of a whole screen it is nearly a metre."""
    inset = GOOD | {"PhysicalDeltaX": 0.2, "PhysicalDeltaY": 0.2, "RegionLocationMaxX1": 19, "RegionLocationMaxY1": 29}
    screen = inset | {"RegionLocationMaxX1": 480, "RegionLocationMaxY1": 450}
    assert [region.calibrated for region in regions(inset, screen)] == [True, False]


def test_a_negative_delta_is_a_direction() -> None:
    assert regions(GOOD | {"PhysicalDeltaY": -0.02})[0].mm_y == 0.2


def test_a_corner_just_outside_is_clipped() -> None:
    """Some scanners write the width where the last column is meant."""
    (region,) = regions(GOOD | {"RegionLocationMaxX1": 640, "RegionLocationMaxY1": 480})
    assert region.box == (10, 20, 630, 460)
    assert region.calibrated


def test_a_region_of_a_picture_before_it_was_resized_is_left_out() -> None:
    assert regions(GOOD | {"RegionLocationMaxX1": 700}) == ()
    real = get_testdata_file("examples_ybr_color.dcm", download=False, read=True)  # 320 x 240, region up to 595 x 414
    assert read_regions(real, 320, 240) == ()
    assert len(read_regions(real, 640, 480)) == 1, "as it was when it was scanned"


def test_pixel_spacing_is_not_asked() -> None:
    data = Dataset()
    data.PixelSpacing = [0.1, 0.1]
    assert read_regions(data, 640, 480) == ()


def test_a_sequence_that_is_none() -> None:
    data = Dataset()
    data.add_new(0x00186011, "LO", "no sequence")
    assert read_regions(data, 640, 480) == ()


CODES = st.one_of(st.none(), st.integers(0, 20))
PLACES = st.one_of(st.none(), st.integers(0, 2**32 - 1), st.integers(0, 700))
DELTAS = st.one_of(st.none(), st.floats())
SIDES = st.integers(1, 4000)


@given(
    items=st.lists(
        st.fixed_dictionaries(
            {
                **dict.fromkeys(("RegionSpatialFormat", "RegionDataType"), st.sampled_from([None, 0, 1, 2, 3])),
                **{f"RegionLocation{name}": PLACES for name in ("MinX0", "MinY0", "MaxX1", "MaxY1")},
                **dict.fromkeys(("PhysicalUnitsXDirection", "PhysicalUnitsYDirection"), CODES),
                **dict.fromkeys(("PhysicalDeltaX", "PhysicalDeltaY"), DELTAS),
            }
        ),
        max_size=4,
    ),
    width=SIDES,
    height=SIDES,
)
def test_whatever_a_file_says_boxes_are_in_the_picture_and_millimetres_can_be_true(
    items: list[dict[str, Any]], width: int, height: int
) -> None:
    for region in regions(*items, width=width, height=height):
        x, y, w, h = region.box
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= width
        assert y + h <= height
        assert (region.mm_x is None) == (region.mm_y is None)
        if region.mm_x is not None and region.mm_y is not None:
            assert max(w * region.mm_x, h * region.mm_y) >= MIN_FIELD_MM
            assert w * region.mm_x <= MAX_FIELD_MM[0]
            assert h * region.mm_y <= MAX_FIELD_MM[1]
            assert PIXEL_MM[0] <= min(region.mm_x, region.mm_y) <= max(region.mm_x, region.mm_y) <= PIXEL_MM[1]


@given(
    x=st.integers(0, 600), y=st.integers(0, 400), w=st.integers(20, 40), h=st.integers(40, 80),
    cm=st.floats(0.01, 0.1), flow=st.booleans(),
)  # fmt: skip
def test_a_good_region_comes_back_as_it_was_written(x: int, y: int, w: int, h: int, cm: float, flow: bool) -> None:
    item = GOOD | {
        "RegionLocationMinX0": x, "RegionLocationMinY0": y,
        "RegionLocationMaxX1": x + w - 1, "RegionLocationMaxY1": y + h - 1,
        "PhysicalDeltaX": cm, "RegionDataType": 2 if flow else 1,
    }  # fmt: skip
    (region,) = regions(item)
    assert region.box == (x, y, w, h)
    assert region.mm_x == pytest.approx(cm * 10)


def test_real_regions() -> None:
    real = dcmread(get_testdata_file("examples_palette.dcm", download=False), stop_before_pixels=True)
    (region,) = read_regions(real, 800, 600)  # the picture as it was before its lower part was cut off
    assert region.box == (120, 60, 680, 459)
    assert region.mm_x == pytest.approx(0.2622878766)
