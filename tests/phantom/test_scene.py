"""The phantom: what it says of its lesions is what it shows, and the same everywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.phantom.echo import insonify
from edge.phantom.noise import generator
from edge.phantom.scene import LOOP, NOISE, PhantomPicture, PhantomScene, PhantomSpec
from edge.phantom.tissue import Tissue

if TYPE_CHECKING:
    from edge.contracts.region import Box

GEOMETRIES = ("linear", "sector")
FEW = settings(max_examples=10, deadline=None, derandomize=True)
specs = st.builds(
    PhantomSpec,
    seed=st.integers(0, 10_000),
    width=st.integers(240, 400),
    height=st.integers(200, 320),
    geometry=st.sampled_from(GEOMETRIES),
    lesions=st.integers(1, 4),
)


@lru_cache(maxsize=8)
def scene(seed: int = 1, geometry: str = "linear", lesions: int = 1) -> PhantomScene:
    return PhantomScene(PhantomSpec(seed=seed, width=320, height=240, geometry=geometry, lesions=lesions))


def filled(picture: PhantomPicture, index: int) -> np.ndarray:
    """The outline, drawn by OpenCV: a second opinion on the mask."""
    canvas = np.zeros_like(picture.mask)
    corners = np.rint((picture.lesions[index].outline_px - 0.5) * 16).astype(np.int32)
    return cv2.fillPoly(canvas, [corners], 255, shift=4)


def within(box: Box, region: Box) -> bool:
    (x, y, w, h), (rx, ry, rw, rh) = box, region
    return rx <= x and ry <= y and x + w <= rx + rw and y + h <= ry + rh


# --- truth -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@FEW
@given(spec=specs, index=st.integers(0, 300))
def test_what_it_says_of_its_lesions_is_what_it_shows(spec: PhantomSpec, index: int) -> None:
    made = PhantomScene(spec)
    picture = made.render(index)
    mm = picture.region.mm_x
    assert picture.pixels.shape == picture.mask.shape == (spec.height, spec.width)
    assert picture.pixels.dtype == picture.mask.dtype == np.uint8
    assert set(np.unique(picture.mask)) == {0, 255}
    assert len(picture.lesions) == spec.lesions

    perimeter = sum(np.hypot(*np.diff(o.outline_px, axis=0, append=o.outline_px[:1]).T).sum() for o in picture.lesions)
    area_px = sum(lesion.area_mm2 for lesion in picture.lesions) / mm**2
    # Counting pixel centres is off by about the square root of the margin's length.
    assert abs(np.count_nonzero(picture.mask) - area_px) <= 4 * np.sqrt(perimeter)

    for k, lesion in enumerate(picture.lesions):
        assert within(lesion.box, picture.region.box)
        x, y, w, h = lesion.box
        assert (lesion.outline_px >= (x, y)).all()
        assert (lesion.outline_px <= (x + w, y + h)).all()
        drawn = filled(picture, k)
        here = picture.mask[y : y + h, x : x + w] > 0
        # Spikes are thinner than the pixels that OpenCV draws beside its polygon.
        assert np.count_nonzero(here & (drawn[y : y + h, x : x + w] > 0)) >= 0.97 * np.count_nonzero(here)
        ys, xs = np.nonzero(cv2.bitwise_and(picture.mask, drawn))
        assert abs(xs.mean() + 0.5 - lesion.centre[0]) < 0.5
        assert abs(ys.mean() + 0.5 - lesion.centre[1]) < 0.5
        points = np.stack([xs, ys], axis=1)
        hull = cv2.convexHull(points)[:, 0].astype(np.float64)
        longest = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1)).max()
        assert abs(longest * mm - lesion.long_axis_mm) < 2.5 * mm
        assert 0 < lesion.short_axis_mm <= lesion.long_axis_mm
        assert lesion.area_mm2 <= lesion.long_axis_mm * lesion.short_axis_mm


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_lesion_is_darker_than_what_is_around_it(seed: int, geometry: str) -> None:
    picture = scene(seed, geometry).render(0)
    x, y, w, h = picture.lesions[0].box
    wide = np.zeros_like(picture.mask)
    wide[max(0, y - 10) : y + h + 10, max(0, x - 10) : x + w + 10] = 255
    around = picture.pixels[(wide > 0) & (picture.mask == 0) & (picture.pixels > 0)]
    assert picture.pixels[picture.mask > 0].mean() < around.mean() - 15


def test_measures_do_not_depend_on_the_size_of_a_pixel() -> None:
    coarse = PhantomScene(PhantomSpec(seed=3, width=320, height=240)).render(0).lesions[0]
    fine = PhantomScene(PhantomSpec(seed=3, width=640, height=480)).render(0).lesions[0]
    assert fine.long_axis_mm == pytest.approx(coarse.long_axis_mm, rel=1e-6)
    assert fine.area_mm2 == pytest.approx(coarse.area_mm2, rel=1e-6)
    assert fine.box[2] == pytest.approx(2 * coarse.box[2], abs=3)


def test_an_ellipse_is_measured_as_geometry_says() -> None:
    from edge.phantom.lesions import POINTS, measure

    angle = np.arange(POINTS) * (2 * np.pi / POINTS)
    lesion = measure(100 + 40 * np.cos(angle), 80 + 20 * np.sin(angle), 0.1, "smooth")
    assert lesion.long_axis_mm == pytest.approx(8.0, rel=1e-3)
    assert lesion.short_axis_mm == pytest.approx(4.0, rel=1e-3)
    assert lesion.area_mm2 == pytest.approx(np.pi * 4 * 2, rel=1e-3)
    assert lesion.centre == pytest.approx((100, 80))
    assert lesion.box == (60, 60, 80, 40)


def test_without_lesions_it_is_the_same_breast() -> None:
    without, with_one = scene(2, lesions=0), scene(2, lesions=1)
    picture, other = without.render(0), with_one.render(0)
    assert picture.lesions == ()
    assert not picture.mask.any()
    x, _, w, _ = other.lesions[0].box
    assert x > 40 or x + w < 280
    far = np.ones(320, bool)
    far[max(0, x - 40) : x + w + 40] = False  # neither the lesion nor its shadow reaches there
    np.testing.assert_array_equal(picture.pixels[:, far], other.pixels[:, far])
    assert (picture.pixels != other.pixels).any()


@pytest.mark.parametrize("margin", ["smooth", "spiculated"])
def test_the_margin_can_be_chosen(margin: str) -> None:
    lesions = [
        PhantomScene(PhantomSpec(seed=s, width=160, height=120, margin=margin)).render(0).lesions[0] for s in (0, 1, 2)
    ]
    assert {lesion.margin for lesion in lesions} == {margin}
    solidity = []
    for lesion in lesions:
        hull = cv2.contourArea(cv2.convexHull(lesion.outline_px.astype(np.float32)))
        solidity.append(cv2.contourArea(lesion.outline_px.astype(np.float32)) / hull)
    assert min(solidity) > 0.97 if margin == "smooth" else max(solidity) < 0.97


# --- looks -----------------------------------------------------------------------------------------------------------


def test_speckle_is_rayleigh() -> None:
    """Two looks, averaged in power: mean / standard deviation of the amplitude is 2.75 (one look: 1.91)."""
    flat = np.zeros((600, 600))
    envelope = insonify(generator(1, 0), Tissue(flat, flat, flat), np.zeros((600, 1)), 0.05, 0.1)
    inner = envelope[20:-20, 20:-20]
    assert np.sqrt(np.square(inner).mean()) == pytest.approx(1.0, abs=0.03)
    assert inner.mean() / inner.std() == pytest.approx(2.754, abs=0.12)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_around_the_scan_it_is_black_and_inside_it_is_not(geometry: str) -> None:
    picture = scene(4, geometry).render(11)
    x, y, w, h = picture.region.box
    outside = picture.pixels.copy()
    outside[y : y + h, x : x + w] = 0
    assert not outside.any()
    inside = picture.pixels[y : y + h, x : x + w]
    assert 50 < np.median(inside[inside > 0]) < 180
    assert (inside > 0).mean() > (0.99 if geometry == "linear" else 0.5)
    for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
        assert edge.any(), "the box is no larger than the scan"


def test_a_fan_has_black_corners() -> None:
    picture = scene(4, "sector").render(0)
    x, y, w, h = picture.region.box
    for corner in ((y, x), (y, x + w - 1), (y + h - 1, x), (y + h - 1, x + w - 1)):
        assert picture.pixels[corner] == 0


# --- movement --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_lesion_moves_some_millimetres_and_stays_in_the_scan(geometry: str) -> None:
    made = scene(5, geometry, 2)
    centres = []
    for index in range(0, LOOP, 3):
        picture = made.render(index)
        assert all(within(lesion.box, picture.region.box) for lesion in picture.lesions)
        centres.append(picture.lesions[0].centre)
    travel = np.ptp(np.array(centres), axis=0) * made.region.mm_x
    assert 2 < travel[0] < 7
    assert 0.2 < travel[1] < 4


def test_speckle_moves_with_the_tissue() -> None:
    """Frames i and LOOP - i are pressed alike and slid to opposite sides: but for noise, one is the other, shifted."""
    made = scene(6)
    one, other = made.render(10), made.render(LOOP - 10)
    shift = round(other.lesions[0].centre[0] - one.lesions[0].centre[0])
    assert shift > 5
    x, y, w, h = made.region.box
    left = one.pixels[y : y + h, x : x + w - shift].astype(int)
    right = other.pixels[y : y + h, x + shift : x + w].astype(int)
    assert np.abs(left - right).max() <= NOISE


def test_no_two_frames_are_equal_and_the_movement_is_a_loop() -> None:
    made = scene(6)
    digests = {made.pixels(k).tobytes() for k in range(2 * LOOP)}
    assert len(digests) == 2 * LOOP
    again = np.abs(made.pixels(7).astype(int) - made.pixels(7 + LOOP)).max()
    assert 0 < again <= NOISE


# --- the same everywhere ---------------------------------------------------------------------------------------------

DIGESTS = """
import hashlib
from edge.phantom.scene import PhantomScene, PhantomSpec
for geometry in ("linear", "sector"):
    picture = PhantomScene(PhantomSpec(seed=9, width=320, height=240, geometry=geometry)).render(33)
    print(hashlib.sha256(picture.pixels.tobytes() + picture.mask.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_another_process_on_another_kind_of_cpu_makes_the_same_bytes() -> None:
    import edge

    here = [
        hashlib.sha256(p.pixels.tobytes() + p.mask.tobytes()).hexdigest()
        for p in (scene(9, geometry).render(33) for geometry in GEOMETRIES)
    ]
    root = os.path.dirname(os.path.dirname(edge.__file__))
    plain_cpu = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F X86_V3 X86_V4", "OPENCV_CPU_DISABLE": "AVX2,FMA3"}
    there = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, **plain_cpu, "PYTHONPATH": root, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert there.stdout.split() == here
    assert here[0] != here[1]


def test_seeds_differ_and_rendering_leaves_no_trace() -> None:
    assert scene(1).pixels(0).tobytes() != scene(2).pixels(0).tobytes()
    made = scene(1)
    first = made.pixels(3).tobytes()
    made.render(50)
    assert made.pixels(3).tobytes() == first
    made.pixels(3)[:] = 0  # a caller's own copy
    assert made.pixels(3).tobytes() == first
