"""Preprocessing: geometry, scan area, and bytes that are equal on every machine."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.manifest import PreprocessRecipe
from edge.contracts.region import Region
from edge.postprocess.abstention_rules import MIN_SIDE
from edge.preprocess.crop import clip_box, find_crop, largest_region
from edge.preprocess.letterbox import fit
from edge.preprocess.preprocessor import Preprocessor, plan

sides = st.integers(MIN_SIDE, 900)
targets = st.integers(32, 256)


@given(sides, sides, targets, targets)
def test_the_crop_keeps_its_aspect_and_lies_within_the_tensor(w, h, width, height):
    box = fit((3, 5, w, h), width, height)
    x, y, iw, ih = box.inner
    assert x >= 0
    assert y >= 0
    assert x + iw <= width
    assert y + ih <= height
    assert iw == width or ih == height
    sx, sy = box.scale
    assert abs(iw - w * min(sx, sy)) <= 1 + 1e-9 or abs(ih - h * min(sx, sy)) <= 1 + 1e-9


@given(sides, sides, targets, targets, st.floats(0, 1), st.floats(0, 1))
def test_places_go_to_the_tensor_and_back(w, h, width, height, u, v):
    box, _ = plan((7, 11, w, h), width, height)
    x, y = 7 + u * w, 11 + v * h
    back = box.to_source(*box.to_tensor(x, y))
    assert back == pytest.approx((x, y), abs=1e-6)


@given(sides, sides, targets, targets)
def test_what_halving_cuts_off_is_less_than_one_tensor_pixel(w, h, width, height):
    box, halvings = plan((0, 0, w, h), width, height)
    assert box.crop[2] % (1 << halvings) == 0
    assert box.crop[3] % (1 << halvings) == 0
    sx, sy = box.scale
    assert (w - box.crop[2]) * sx < 1.0 + 1e-9
    assert (h - box.crop[3]) * sy < 1.0 + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(120, 700), st.integers(120, 700), st.integers(0, 2**31))
def test_a_bright_square_is_found_where_the_geometry_says(w, h, seed):
    rng = np.random.default_rng(seed)
    side = int(rng.integers(24, min(w, h) // 2))
    x, y = int(rng.integers(0, w - side)), int(rng.integers(0, h - side))
    picture = np.full((h, w), 60, np.uint8)
    picture[y : y + side, x : x + side] = 250
    tensor, box = Preprocessor(PreprocessRecipe(width=160, height=160, crop="full"))(picture)
    rows, cols = np.nonzero(tensor[0, :, :, 0] > 155)
    left, top = box.to_source(cols.min(), rows.min())
    right, bottom = box.to_source(cols.max() + 1, rows.max() + 1)
    step = 1.0 / min(box.scale) + 1.0
    for got, expected in ((left, x), (top, y), (right, x + side), (bottom, y + side)):
        assert abs(got - expected) <= step


def test_the_bytes_are_the_same_on_every_machine():
    """The digest was made on x86-64; another architecture that computes another one must not run the model."""
    rng = np.random.Generator(np.random.PCG64(7))
    picture = rng.integers(0, 256, (481, 643, 3), np.uint8)
    recipe = PreprocessRecipe(width=160, height=160, median=3, contrast=[min(255, v * 5 // 4) for v in range(256)])
    tensor, _ = Preprocessor(recipe)(picture)
    assert hashlib.sha256(tensor.tobytes()).hexdigest() == DIGEST


DIGEST = "9e5d054812d636b6d75a4ac609f2d91451f3ade2ba0f642f7eeaf74d53c5b2b9"


def test_grey_and_colour_pictures_of_the_same_greys_give_the_same_tensor():
    grey = np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8)
    run = Preprocessor(PreprocessRecipe(width=64, height=64))
    np.testing.assert_array_equal(run(grey)[0], run(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB))[0])


def test_a_buffer_used_before_leaves_no_trace():
    run = Preprocessor(PreprocessRecipe(width=64, height=64, crop="full"))
    out = np.full((1, 64, 64, 3), 99, np.uint8)
    wide = np.random.default_rng(0).integers(0, 256, (50, 200), np.uint8)
    again, _ = run(wide, (), out)
    assert again is out
    np.testing.assert_array_equal(out, run(wide)[0])


def test_the_source_is_not_changed():
    picture = np.random.default_rng(0).integers(0, 256, (100, 100), np.uint8)
    before = picture.copy()
    Preprocessor(PreprocessRecipe(width=64, height=64, median=3))(picture)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("table", [[0] * 255, [0] * 257, [256] * 256])
def test_a_contrast_table_that_is_none_is_refused(table):
    with pytest.raises(ValueError, match="256 values"):
        Preprocessor(PreprocessRecipe(width=8, height=8, contrast=table))


def test_the_scan_area_is_found_beside_text_and_noise():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 6, (480, 640), np.uint8)
    picture[40:440, 120:520] = rng.integers(30, 200, (400, 400), np.uint8)
    cv2.putText(picture, "12.3 cm", (8, 470), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255)
    x, y, w, h = find_crop(picture, 12)
    assert abs(x - 120) <= 8
    assert abs(y - 40) <= 8
    assert abs(x + w - 520) <= 8
    assert abs(y + h - 440) <= 8


@pytest.mark.parametrize("picture", [np.zeros((100, 100), np.uint8), np.zeros((9, 300), np.uint8)])
def test_without_a_scan_area_it_is_the_whole_picture(picture):
    assert find_crop(picture, 12) == (0, 0, picture.shape[1], picture.shape[0])


box_values = st.tuples(*[st.integers(-2000, 2000)] * 4)


@given(st.lists(box_values, max_size=5))
def test_regions_of_any_kind_give_a_crop_within_the_picture_or_none(boxes):
    region = largest_region(tuple(Region(box=b) for b in boxes), 640, 480)
    if region is None:
        assert all(clip_box(b, 640, 480) is None for b in boxes)
    else:
        x, y, w, h = region.box
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= 640
        assert y + h <= 480


def test_a_changed_recipe_has_another_hash():
    one = PreprocessRecipe(width=160, height=160)
    assert one.digest() == PreprocessRecipe(width=160, height=160).digest()
    assert one.digest() != PreprocessRecipe(width=160, height=160, median=3).digest()


def test_grey_of_the_crop_is_kept_for_pictures_of_usual_size_only():
    rng = np.random.default_rng(0)
    preprocess = Preprocessor(PreprocessRecipe(width=160, height=160))
    assert preprocess.crop_grey is None
    for height, kept in ((480, True), (2500, False), (300, True)):
        pixels = rng.integers(20, 200, (height, 2000, 3), dtype=np.uint8)
        before = pixels.copy()
        _, box = preprocess(pixels)
        x, y, w, h = box.crop
        wanted = cv2.cvtColor(before[y : y + h, x : x + w], cv2.COLOR_RGB2GRAY)
        assert (preprocess.crop_grey is not None) is kept
        assert preprocess.crop_grey is None or np.array_equal(preprocess.crop_grey, wanted)
    filtered = Preprocessor(PreprocessRecipe(width=160, height=160, median=3, contrast=[255 - v for v in range(256)]))
    filtered(pixels)
    assert np.array_equal(filtered.crop_grey, wanted), "as it was before any filter"
