"""Masks become lesions at the right place and of the right size."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge.contracts.region import Region
from edge.postprocess.lesions import MAX_LESIONS, MAX_POINTS, find_lesions
from edge.postprocess.measure import UNSURE
from edge.preprocess.letterbox import Letterbox
from edge.preprocess.preprocessor import plan

FULL = Letterbox((0, 0, 160, 160), (0, 0, 160, 160))
"""Tensor and source are the same: coordinates can be read off."""


@st.composite
def scenes(draw, smallest: float = 3.0):
    """A crop of a picture, and an ellipse in it whose semi-axes have ``smallest`` mask cells and more."""
    width, height = draw(st.integers(64, 2000)), draw(st.integers(64, 2000))
    w, h = draw(st.integers(48, width)), draw(st.integers(48, height))
    assume(1 / 3 <= w / h <= 3)
    crop = (draw(st.integers(0, width - w)), draw(st.integers(0, height - h)), w, h)
    box, _ = plan(crop, 160, 160)
    cell = 4 / min(box.scale)
    room = min(w, h) / 2 - cell
    assume(room > smallest * cell)
    unit = st.floats(0, 1, allow_nan=False)
    a = smallest * cell + draw(unit) * (room - smallest * cell)
    b = smallest * cell + draw(unit) * (a - smallest * cell)
    cx = crop[0] + a + draw(unit) * (w - 2 * a - cell)
    cy = crop[1] + a + draw(unit) * (h - 2 * a - cell)
    return (width, height), box, (cx, cy, a, b, draw(unit) * math.pi)


def ellipse_and_outline_iou(ellipse, outline, size) -> float:
    """Overlap of the true ellipse and a polygon, on a raster about 500 pixels wide around the ellipse."""
    zoom = 200 / ellipse.a
    origin = np.array((ellipse.cx, ellipse.cy)) - 1.25 * ellipse.a
    side = round(2.5 * ellipse.a * zoom)
    at = (np.arange(side) + 0.5) / zoom
    truth = ellipse.contains(*np.meshgrid(at + origin[0], at + origin[1]))
    drawn = np.zeros((side, side), np.uint8)
    cv2.fillPoly(drawn, [np.round((np.array(outline) - origin) * zoom - 0.5).astype(np.int32)], 1)
    return np.count_nonzero(truth & (drawn > 0)) / np.count_nonzero(truth | (drawn > 0))


@settings(max_examples=120, deadline=None)
@given(scene=scenes())
def test_a_perfect_mask_comes_back_where_it_was_drawn(kit, scene):
    size, box, shape = scene
    ellipse = kit.Ellipse(*shape)
    found = find_lesions(kit.perfect_mask(ellipse, box), box, kit.thresholds(), (160, 160))
    assert len(found) == 1
    lesion = found[0]
    assert ellipse_and_outline_iou(ellipse, lesion.outline, size) > 0.9
    x, y, w, h = lesion.box
    left, top, cw, ch = box.crop
    assert left <= x < x + w <= left + cw
    assert top <= y < y + h <= top + ch
    assert all(x <= px <= x + w and y <= py <= y + h for px, py in lesion.outline)
    assert math.dist(lesion.centre, (ellipse.cx, ellipse.cy)) < 4 / min(box.scale)
    assert 3 <= len(lesion.outline) <= MAX_POINTS
    assert lesion.long_axis_mm is None
    assert lesion.mm_uncertainty is None


@settings(max_examples=120, deadline=None)
@given(scene=scenes(), mm_x=st.floats(0.02, 0.5), stretch=st.floats(0.7, 1.4))
def test_measures_of_ellipses_are_within_their_uncertainty(kit, scene, mm_x, stretch):
    size, box, shape = scene
    ellipse = kit.Ellipse(*shape)
    mm_y = mm_x * stretch
    region = Region((0, 0, *size), mm_x, mm_y, "dicom")
    (lesion,) = find_lesions(kit.perfect_mask(ellipse, box), box, kit.thresholds(), (160, 160), [region])
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    u, v = ellipse.a * np.cos(turn), ellipse.b * np.sin(turn)
    x = (u * np.cos(ellipse.angle) - v * np.sin(ellipse.angle)) * mm_x
    y = (u * np.sin(ellipse.angle) + v * np.cos(ellipse.angle)) * mm_y
    # An ellipse stretched along the picture's axes is one again; its axes are singular values.
    axes = 2 * np.linalg.svd(np.stack((x, y)) / math.sqrt(len(turn) / 2), compute_uv=False)
    assert lesion.long_axis_mm == pytest.approx(axes[0], abs=lesion.mm_uncertainty)
    assert lesion.short_axis_mm == pytest.approx(axes[1], abs=lesion.mm_uncertainty)
    area = math.pi * ellipse.a * ellipse.b * mm_x * mm_y
    assert lesion.area_mm2 == pytest.approx(area, abs=math.pi / 2 * axes.sum() / 2 * lesion.mm_uncertainty)
    cell = 4 / np.array(box.scale) * (mm_x, mm_y)
    assert lesion.mm_uncertainty == pytest.approx(max(cell.max(), UNSURE * (1 - lesion.score) * axes[0]), rel=0.1)


def test_the_less_sure_a_mask_is_the_less_sure_its_millimetres_are(kit):
    """The same outline of a fainter mask: nothing else tells how far it may be from what people would draw."""
    sure, faint = (
        find_lesions(blob(20, 20, 8, top), FULL, kit.thresholds(lesion=level), (160, 160), [WHOLE])[0]
        for top, level in ((1.0, 0.5), (0.7, 0.35))
    )
    assert faint.long_axis_mm == sure.long_axis_mm
    assert sure.mm_uncertainty == pytest.approx(max(0.4, UNSURE * (1 - sure.score) * sure.long_axis_mm), abs=0.02)
    assert faint.mm_uncertainty > 2 * sure.mm_uncertainty


def blob(cx: float, cy: float, radius: float, top: float = 1.0) -> np.ndarray:
    """(40, 40): a soft round spot; centre and radius in mask cells."""
    ys, xs = np.mgrid[:40, :40] + 0.5
    return (np.clip(radius + 0.5 - np.hypot(xs - cx, ys - cy), 0, 1) * top).astype(np.float32)


def test_several_lesions_come_the_surest_first(kit):
    mask = np.maximum(blob(10, 10, 4, 0.8), blob(30, 28, 3, 0.97))
    first, second = find_lesions(mask, FULL, kit.thresholds(), (160, 160))
    assert first.centre == pytest.approx((120, 112), abs=1)
    assert second.centre == pytest.approx((40, 40), abs=1)
    assert 0.8 < first.score <= 0.97
    assert 0.6 < second.score <= 0.8


def test_an_empty_mask_has_no_lesion(kit):
    assert find_lesions(np.zeros((40, 40), np.float32), FULL, kit.thresholds(), (160, 160)) == []


def test_too_small_and_too_unsure_ones_are_left_out(kit):
    mask = np.maximum(blob(10, 10, 1, 1.0), blob(28, 28, 6, 0.6))
    both = find_lesions(mask, FULL, kit.thresholds(lesion_min_area=0.0, lesion_score=0.0), (160, 160))
    assert len(both) == 2
    large = find_lesions(mask, FULL, kit.thresholds(lesion_min_area=0.01, lesion_score=0.0), (160, 160))
    assert [round(each.centre[0]) for each in large] == [112]
    sure = find_lesions(mask, FULL, kit.thresholds(lesion_min_area=0.0, lesion_score=0.6), (160, 160))
    assert [round(each.centre[0]) for each in sure] == [40]


def test_a_lesion_at_the_edge_reaches_the_edge_and_no_further(kit):
    (lesion,) = find_lesions(blob(0, 20, 5), FULL, kit.thresholds(), (160, 160))
    assert lesion.box[0] == 0
    assert min(x for x, _ in lesion.outline) == 0
    (whole,) = find_lesions(np.ones((40, 40), np.float32), FULL, kit.thresholds(), (160, 160))
    assert whole.box == (0, 0, 160, 160)
    assert whole.score == 1


def test_what_lies_in_the_padding_is_no_lesion(kit):
    box, _ = plan((0, 0, 400, 200), 160, 160)  # 40 tensor rows of padding above and below
    assert find_lesions(blob(20, 4, 4), box, kit.thresholds(), (160, 160)) == []
    (lesion,) = find_lesions(blob(20, 10, 6), box, kit.thresholds(), (160, 160))
    assert lesion.box[1] == 0


def test_a_mask_in_pieces_does_not_flood(kit):
    mask = np.zeros((40, 40), np.float32)
    mask[::2, ::2] = 1.0
    found = find_lesions(mask, FULL, kit.thresholds(lesion_min_area=0.0, lesion_score=0.0), (160, 160))
    assert len(found) == MAX_LESIONS


@pytest.mark.parametrize("shape", [(1, 160), (160, 1), (1, 1)])
def test_slivers_still_have_an_outline(kit, shape):
    mask = np.zeros((160, 160), np.float32)
    mask[50 : 50 + shape[0], : shape[1]] = 1.0
    (lesion,) = find_lesions(mask, FULL, kit.thresholds(lesion_min_area=0.0), (160, 160))
    assert len(lesion.outline) >= 3
    assert lesion.box[2] >= shape[1]
    assert lesion.box[3] >= 1


WHOLE = Region((0, 0, 160, 160), 0.1, 0.1, "dicom")


@pytest.mark.parametrize(
    ("regions", "measured"),
    [
        ([WHOLE], True),
        ([Region((0, 0, 160, 160))], False),
        ([Region((0, 0, 160, 160), 0.1, None)], False),
        ([Region((0, 0, 100, 160), 0.1, 0.1)], False),  # the lesion lies half in it
        ([Region((90, 70, 10, 20), 0.1, 0.1)], False),  # it holds the centre but not the lesion
        ([Region((0, 0, 160, 160), 0.1, 0.1), Region((60, 40, 100, 100), 0.2, 0.2)], False),  # which is on top?
        ([Region((0, 0, 160, 160), 0.1, 0.1), Region((60, 40, 100, 100), 0.1, 0.1)], True),
        ([Region((0, 0, 20, 20), 0.3, 0.3), WHOLE], True),  # the other one is elsewhere
        ([], False),
    ],
)
def test_millimetres_only_where_one_calibration_covers_the_lesion(kit, regions, measured):
    (lesion,) = find_lesions(blob(24, 20, 5), FULL, kit.thresholds(), (160, 160), regions)
    got = (lesion.long_axis_mm, lesion.short_axis_mm, lesion.area_mm2, lesion.mm_uncertainty)
    if measured:
        unsure = max(0.4, UNSURE * (1 - lesion.score) * 4.0)
        assert got == pytest.approx((4.0, 4.0, math.pi * 4, unsure), rel=0.03)
    else:
        assert got == (None, None, None, None)
