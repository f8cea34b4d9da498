"""Shapes over a picture: the axes are those that are measured, and the drawing stays where the shapes are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.contracts.region import Region
from edge.contracts.results import Lesion
from edge.picture.shapes import axes, draw_shapes, scale_bar, shapes_of
from edge.postprocess.measure import measure

ELLIPSE = [
    (200 + 60 * math.cos(t) * 0.9 - 25 * math.sin(t) * 0.4, 150 + 60 * math.cos(t) * 0.4 + 25 * math.sin(t) * 0.9)
    for t in np.linspace(0, 2 * math.pi, 80, endpoint=False)
]
SHOWN = (0, 0, 400, 300)


def lesion(**more: object) -> Lesion:
    values = {"box": (140, 110, 120, 80), "outline": ELLIPSE, "centre": (200.0, 150.0), "score": 0.9}
    return Lesion(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("mm", [(0.1, 0.1), (0.1, 0.25), (0.3, 0.08)])
def test_callipers_are_as_long_as_what_was_measured(mm: tuple[float, float]) -> None:
    measured = measure(np.array(ELLIPSE), *mm, cell=(1.0, 1.0), area=1.0, score=0.9)
    for ends, length in zip(axes(ELLIPSE, *mm), (measured.long_axis_mm, measured.short_axis_mm), strict=True):
        (x1, y1), (x2, y2) = ends
        assert math.hypot((x1 - x2) * mm[0], (y1 - y2) * mm[1]) == pytest.approx(length, abs=0.05)


def test_without_a_calibration_there_are_no_callipers_and_no_scale() -> None:
    region = Region(box=SHOWN)
    kinds = [each.kind for each in shapes_of([lesion()], region, SHOWN, suspicious=True, uncertain=False)]
    assert kinds == ["outline"]


def test_two_lesions_are_numbered_beside_them() -> None:
    shapes = shapes_of([lesion(), lesion(box=(5, 5, 20, 20))], None, SHOWN, suspicious=False, uncertain=True)
    numbers = [each for each in shapes if each.kind == "number"]
    assert [each.text for each in numbers] == ["1", "2"]
    assert all(0 < x < 400 for each in numbers for x, _ in each.points)
    assert all(each.dashed for each in shapes)


@pytest.mark.parametrize(("mm", "text"), [(0.05, "5 mm"), (0.1, "10 mm"), (1.0, "100 mm"), (10.0, "100 mm")])
def test_the_scale_bar_is_as_long_as_it_says(mm: float, text: str) -> None:
    bar = scale_bar(mm, SHOWN)
    assert bar.text == text
    assert (bar.points[1][0] - bar.points[0][0]) * mm == pytest.approx(float(text.split()[0]), rel=0.02)


def test_what_is_drawn_lies_on_the_shapes() -> None:
    region = Region(box=SHOWN, mm_x=0.1, mm_y=0.1)
    shapes = shapes_of([lesion()], region, SHOWN, suspicious=False, uncertain=False)
    picture = np.full((300, 400, 3), 90, np.uint8)
    draw_shapes(picture, shapes[:1])
    ys, xs = np.nonzero((picture > 200).all(2))
    assert len(xs) > 100
    outline = np.array(ELLIPSE)
    distance = np.hypot(xs[:, None] + 0.5 - outline[None, :, 0], ys[:, None] + 0.5 - outline[None, :, 1]).min(1)
    assert distance.max() < 4  # half of the distance of two corners
    moved = np.full((300, 400, 3), 90, np.uint8)
    draw_shapes(moved, [each for each in shapes if each.kind == "outline"], origin=(50, 20))
    assert (moved[:200, :300] == picture[20:220, 50:350]).all()
