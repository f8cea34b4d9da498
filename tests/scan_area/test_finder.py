"""Scans are found on rendered screens of many layouts, tightened where a source gives a box, and never guessed."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.screens.training_layouts import training_screens
from benchmarks.screens.unseen_layouts import unseen_screens
from edge.contracts.region import Region
from edge.scan_area.blackout import outline_mask
from edge.scan_area.finder import find_scan_regions, find_scans, tighten
from edge.scan_area.polygon import clip
from edge.scan_area.texture import reduced, reduction

SCREENS = [*training_screens(20), *unseen_screens(28)]


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float(((mask > 0) & (truth > 0)).sum() / max(((mask > 0) | (truth > 0)).sum(), 1))


@pytest.mark.parametrize("screen", SCREENS, ids=[f"{n}-{s.name}-{s.shapes[0]}" for n, s in enumerate(SCREENS)])
def test_scans_of_all_shapes_and_layouts_are_found(screen: object) -> None:
    """All views, none else, to within a twentieth of their area, with the right shape."""
    frames = [screen.frame(number) for number in (0, 3, 6)]  # type: ignore[attr-defined]
    found = find_scan_regions(frames)
    assert len(found) == len(screen.scans)  # type: ignore[attr-defined]
    height, width = frames[0].shape[:2]
    assert overlap(outline_mask(found, width, height), screen.mask()) >= 0.95  # type: ignore[attr-defined]
    for region in found:
        assert region.source == "detected"
        xs, ys = zip(*region.outline, strict=True)
        x, y, w, h = region.box
        assert (min(xs), min(ys), max(xs), max(ys)) == (x, y, x + w - 1, y + h - 1)
        assert min(x, y) >= 0
        assert x + w <= width
        assert y + h <= height


def test_grey_and_colour_pictures_give_the_same() -> None:
    """A grabber's grey picture and the same in RGB."""
    picture = training_screens(1)[0].frame()
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert find_scan_regions([grey]) == find_scan_regions([np.repeat(grey[:, :, None], 3, 2)])


def test_a_box_that_the_source_gives_is_tightened() -> None:
    """A region that declares the whole screen keeps its box and its millimetres, and has the scan's outline."""
    screen = training_screens(4)[3]
    picture = screen.frame()
    height, width = picture.shape[:2]
    given_region = Region(box=(0, 0, width, height), mm_x=0.1, mm_y=0.1, source="dicom")
    found = tighten(picture, [reduced(picture, reduction(height, width))], given_region)
    assert found is not None
    assert msgspec.structs.replace(found.region, outline=None, shape=None) == given_region
    assert overlap(outline_mask([found.region], width, height), screen.mask()) >= 0.95


def test_two_views_in_two_boxes() -> None:
    """Each box of a source is searched for itself, and gets its own view's outline."""
    screen = training_screens(3)[2]
    picture = screen.frame()
    height, width = picture.shape[:2]
    small = reduced(picture, reduction(height, width))
    halves = [Region(box=(x, 0, width // 2, height), source="dicom") for x in (0, width // 2)]
    outlined = [tighten(picture, [small], half) for half in halves]
    assert all(each is not None for each in outlined)
    for each, place in zip(outlined, screen.scans, strict=True):
        mask = outline_mask([each.region], width, height)  # type: ignore[union-attr]
        x, y, w, h = place[0].box
        truth = np.zeros_like(mask)
        truth[y : y + h, x : x + w][place[0].inside] = 255
        assert overlap(mask, truth) >= 0.93


def bars() -> np.ndarray:
    """Colour bars of a grabber without a signal."""
    colours = np.array(
        [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0)], np.uint8
    )
    return np.repeat(np.repeat(colours[None], 80, 1), 400, 0)


def menu() -> np.ndarray:
    """A page of text."""
    page = np.zeros((480, 640, 3), np.uint8)
    for row in range(20):
        cv2.putText(page, "Patient  Exam  Report  1234 mm  Left", (20, 30 + row * 22), 0, 0.6, (230, 230, 230), 1)
    return page


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((480, 640), 128, np.uint8),
        np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1)),
        bars(),
        menu(),
    ],
    ids=["black", "grey", "gradient", "bars", "menu"],
)
def test_nothing_is_found_where_there_is_no_scan(picture: np.ndarray) -> None:
    """It is never guessed."""
    assert find_scan_regions([picture]) == ()


@settings(max_examples=30)
@given(st.integers(1, 90), st.integers(1, 90), st.booleans(), st.integers(0, 2**31))
def test_pictures_of_any_size_are_searched(width: int, height: int, colour: bool, seed: int) -> None:
    """Noise of any size and kind: no error, and outlines within the picture."""
    shape = (height, width, 3) if colour else (height, width)
    picture = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    small = reduced(picture, reduction(height, width))
    found = [each.region for each in find_scans(picture, [small])]
    for box in ((0, 0, width, height), (-5, -5, 2 * width, height), (width, height, 4, 4)):
        each = tighten(picture, [small], Region(box=box))
        found += [each.region] if each is not None else []
    for region in found:
        assert all(0 <= x < width and 0 <= y < height for x, y in region.outline or ())


def test_clipping_a_polygon() -> None:
    """What lies within stays, what lies outside goes."""
    square = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], np.float64)
    assert clip(square, 2, -5, 20, 20).min(axis=0).tolist() == [2, 0]
    assert len(clip(square, 20, 20, 30, 30)) == 0
