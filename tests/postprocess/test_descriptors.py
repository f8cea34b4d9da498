"""Lesion descriptors on painted pictures: they say what was painted."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.contracts.results import Lesion
from edge.postprocess.descriptors import describe

SCAN = (0, 0, 400, 300)
CENTRE = (200, 130)
AXES = (50, 30)
rng = np.random.default_rng(3)


def lesion(centre=CENTRE, axes=AXES) -> Lesion:
    turn = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    outline = [(centre[0] + axes[0] * np.cos(t), centre[1] + axes[1] * np.sin(t)) for t in turn]
    box = (centre[0] - axes[0], centre[1] - axes[1], 2 * axes[0], 2 * axes[1])
    return Lesion(box=box, outline=outline, centre=centre, score=0.9)


def painted(inside=40, outside=100, blur=0.0, noise=0.0, scale=1) -> np.ndarray:
    grey = np.full((300 * scale, 400 * scale), outside, np.uint8)
    cv2.ellipse(grey, tuple(c * scale for c in CENTRE), tuple(a * scale for a in AXES), 0, 0, 360, inside, -1)
    if blur:
        grey = cv2.GaussianBlur(grey, (0, 0), blur)
    return np.clip(grey + rng.normal(0, noise or 1e-9, grey.shape), 0, 255).astype(np.uint8)


def test_taller_than_wide_counts_in_millimetres():
    assert describe(lesion(), painted(), SCAN)["taller_than_wide"] == pytest.approx(0.6)
    assert describe(lesion(axes=(30, 60)), painted(), SCAN)["taller_than_wide"] == pytest.approx(2.0)
    assert describe(lesion(), painted(), SCAN, aspect=2.0)["taller_than_wide"] == pytest.approx(1.2)


@pytest.mark.parametrize(("inside", "ratio"), [(40, 0.4), (100, 1.0), (150, 1.5), (0, 0.0)])
def test_echogenicity(inside, ratio):
    assert describe(lesion(), painted(inside), SCAN)["echogenicity"] == pytest.approx(
        ratio, abs=0.06
    )  # the rim's pixels are mixed


def test_colour_and_grey_are_described_alike():
    grey = painted(noise=10)
    assert describe(lesion(), np.repeat(grey[:, :, None], 3, axis=2), SCAN) == describe(lesion(), grey, SCAN)


@pytest.mark.parametrize(("below", "ratio"), [(150, 1.5), (50, 0.5), (100, 1.0)])
def test_posterior_compares_at_one_depth(below, ratio):
    attenuated = np.linspace(1.0, 0.5, 300)[:, None]
    grey = painted().astype(float)
    grey[160:, 170:230] = below
    grey = (grey * attenuated).astype(np.uint8)
    assert describe(lesion(), grey, SCAN)["posterior"] == pytest.approx(ratio, rel=0.06)


def test_sharp_margins_are_sharper_than_blurred_ones_whatever_the_gain():
    sharp = describe(lesion(), painted(noise=15), SCAN)["margin_sharpness"]
    soft = describe(lesion(), painted(blur=6, noise=15), SCAN)["margin_sharpness"]
    dim = describe(lesion(), painted(20, 50, noise=7), SCAN)["margin_sharpness"]
    assert sharp > 0.75
    assert soft < 0.6
    assert dim == pytest.approx(sharp, abs=0.15)


def test_no_margin_no_sharpness():
    assert "margin_sharpness" not in describe(lesion(), painted(100, 100), SCAN)


def test_what_is_not_seen_is_absent():
    for bottom in (300, 298):  # nothing, or next to nothing, lies below
        low = lesion(centre=(200, bottom - AXES[1]))
        assert "posterior" not in describe(low, painted(), SCAN)
    assert "posterior" in describe(lesion(), painted(), SCAN)
    full = Lesion(box=SCAN, outline=[(0, 0), (400, 0), (400, 300), (0, 300)], centre=(200, 150), score=1.0)
    assert set(describe(full, painted(), SCAN)) == {"taller_than_wide"}


def test_black_surroundings_give_no_ratio():
    assert "echogenicity" not in describe(lesion(), painted(40, 0), SCAN)
    assert "posterior" not in describe(lesion(), painted(40, 0), SCAN)


def test_the_scan_ends_where_the_scan_ends():
    grey = painted()
    grey[:, 251:] = 255  # a caption beside the scan
    told = describe(lesion(), grey, (0, 0, 251, 300))
    assert told["echogenicity"] == pytest.approx(0.4, abs=0.03)
    assert told["posterior"] == pytest.approx(1.0, abs=0.02)


def test_large_pictures_are_described_like_small_ones():
    small = describe(lesion(), painted(), SCAN)
    big_lesion = lesion(centre=(2000, 1300), axes=(500, 300))
    big = describe(big_lesion, painted(scale=10), (0, 0, 4000, 3000))
    assert big == pytest.approx(small, abs=0.12)


@pytest.mark.parametrize("side", [1, 2, 3])
def test_tiny_lesions_do_not_break_it(side):
    tiny = Lesion(
        box=(10, 10, side, side), outline=[(10, 10), (10 + side, 10), (10, 10 + side)], centre=(10, 10), score=1
    )
    assert describe(tiny, painted(), SCAN)["taller_than_wide"] == 1


def test_an_outline_without_extent_does_not_break_it():
    point = Lesion(box=(10, 10, 1, 1), outline=[(10.0, 10.0)] * 3, centre=(10, 10), score=1)
    assert describe(point, painted(), SCAN)["taller_than_wide"] == 1
