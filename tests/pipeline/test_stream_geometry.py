"""Rotate, flip and crop: pictures and their scan regions stay together, and millimetres stay with their axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.settings import CalibrationSettings, StreamSettings
from edge.contracts.errors import SourceError
from edge.contracts.frames import Frame
from edge.contracts.region import Region
from edge.pipeline.stream_geometry import StreamGeometry
from edge.pipeline.stream_metadata import add_stream_metadata

ROTATIONS = (0, 90, 180, 270)
FLIPS = (None, "horizontal", "vertical")


def a_frame(pixels, regions=()):
    return Frame("cart", 0, 1, None, pixels, regions)


def a_stream(**fields):
    return StreamSettings(name="cart", source="camera://0", **fields)


@st.composite
def pictures(draw):
    """A picture, a box in it, and settings whose crop fits."""
    width, height = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = (x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y)))
    rotate, flip = draw(st.sampled_from(ROTATIONS)), draw(st.sampled_from(FLIPS))
    turned = (height, width) if rotate in (90, 270) else (width, height)
    left, top = draw(st.integers(0, turned[0] - 1)), draw(st.integers(0, turned[1] - 1))
    crop = (left, top, draw(st.integers(1, turned[0] - left)), draw(st.integers(1, turned[1] - top)))
    return (width, height), box, a_stream(rotate=rotate, flip=flip, crop=draw(st.sampled_from([None, crop])))


@given(pictures(), st.booleans())
def test_a_region_covers_the_same_pixels_before_and_after(case, colour):
    (width, height), box, stream = case
    pixels = np.zeros((height, width, 3) if colour else (height, width), np.uint8)
    pixels[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 255
    made = StreamGeometry(stream).apply(a_frame(pixels, (Region(box, 0.1, 0.2, "phantom"),)))
    covered = np.zeros(made.pixels.shape[:2], bool)
    for region in made.regions:
        x, y, w, h = region.box
        assert min(x, y) >= 0
        assert x + w <= made.pixels.shape[1]
        assert y + h <= made.pixels.shape[0]
        covered[y : y + h, x : x + w] = True
    lit = made.pixels.any(axis=2) if colour else made.pixels > 0
    assert np.array_equal(covered, lit)
    assert bool(made.regions) == bool(lit.any())


@given(pictures())
def test_millimetres_stay_with_their_axis(case):
    size, box, stream = case
    region = Region(box, 0.1, 0.2, "dicom", uncalibrated="a reason")
    made = StreamGeometry(stream).apply(a_frame(np.zeros(size[::-1], np.uint8), (region,)))
    for found in made.regions:
        turned = stream.rotate in (90, 270)
        assert (found.mm_x, found.mm_y) == ((0.2, 0.1) if turned else (0.1, 0.2))
        assert (found.source, found.uncalibrated) == ("dicom", "a reason")
        if stream.crop is None:
            assert found.box[2:] == (box[3:1:-1] if turned else box[2:])


@given(pictures())
def test_what_is_undone_is_as_it_was(case):
    size, box, stream = case
    pixels = np.arange(size[0] * size[1], dtype=np.uint16).astype(np.uint8).reshape(size[::-1])
    frame = a_frame(pixels, (Region(box, 0.1, 0.2),))
    there = StreamGeometry(a_stream(rotate=stream.rotate)).apply(frame)
    back = StreamGeometry(a_stream(rotate=(360 - stream.rotate) % 360)).apply(there)
    assert np.array_equal(back.pixels, pixels)
    assert back.regions == frame.regions
    mirror = StreamGeometry(a_stream(flip=stream.flip))
    twice = mirror.apply(mirror.apply(frame))
    assert np.array_equal(twice.pixels, pixels)
    assert twice.regions == frame.regions


def test_turns_go_clockwise_and_crop_comes_last():
    pixels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)

    def made(**fields):
        return StreamGeometry(a_stream(**fields)).apply(a_frame(pixels)).pixels.tolist()

    assert made(rotate=90) == [[4, 1], [5, 2], [6, 3]]
    assert made(rotate=90, flip="horizontal") == [[1, 4], [2, 5], [3, 6]]
    assert made(rotate=90, flip="vertical") == [[6, 3], [5, 2], [4, 1]]
    assert made(rotate=90, flip="horizontal", crop=(1, 0, 1, 2)) == [[4], [5]]


def test_a_region_without_millimetres_stays_without():
    made = StreamGeometry(a_stream(rotate=90)).apply(a_frame(np.zeros((4, 6), np.uint8), (Region((0, 0, 6, 4)),)))
    assert made.regions == (Region((0, 0, 4, 6)),)


def test_a_crop_outside_of_the_picture_is_refused_with_both_sizes():
    with pytest.raises(SourceError, match=r"crop \[0, 0, 7, 4\] is not within the picture of 6 x 4 pixels") as error:
        StreamGeometry(a_stream(crop=(0, 0, 7, 4))).apply(a_frame(np.zeros((4, 6), np.uint8)))
    assert "rotate and flip" in error.value.hint


def test_the_configured_calibration_is_in_the_pixels_that_come_out():
    calibration = CalibrationSettings(box=(0, 0, 40, 50), mm_x=0.5, mm_y=0.2)
    stream = a_stream(rotate=90, crop=(0, 0, 40, 50), calibration=calibration)
    regions = (Region((0, 0, 10, 10), 0.1, 0.1, "igtl"),)
    made = add_stream_metadata([stream])(a_frame(np.zeros((60, 80), np.uint8), regions))
    assert made.pixels.shape == (50, 40)
    assert made.regions == (Region((0, 0, 40, 50), 0.5, 0.2, "config"),)


def test_a_frame_without_settings_is_passed_on_as_it_is():
    """But for its scan area, which was looked for; and that of another stream is not touched at all."""
    frame = a_frame(np.zeros((4, 6), np.uint8))
    passed = add_stream_metadata([a_stream()])(frame)
    assert passed.pixels is frame.pixels
    assert (passed.regions, passed.geometry) == ((), 0)
    assert add_stream_metadata([])(frame) is frame
