"""Blackout: not one pixel outside of the outlines is left, and no name that stood there can be read any more."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from benchmarks.screens.training_layouts import training_screens
from benchmarks.screens.unseen_layouts import unseen_screens
from edge.contracts.region import Region
from edge.scan_area.blackout import black_out, has_outline, outline_mask
from edge.scan_area.finder import find_scan_regions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.screens.screen import RenderedScreen

NAMES = ("ANDERSON", "KOWALSKI", "MUELLER", "GARCIA", "TANAKA", "BRANDT", "IVANOVA", "JOHNSON", "PETERSEN", "ROSSI")
points = st.tuples(st.integers(0, 79), st.integers(0, 59))


@given(st.lists(st.lists(points, min_size=3, max_size=8), max_size=3), st.booleans(), st.integers(0, 2**31))
def test_all_is_black_outside_and_as_it_was_inside(
    outlines: list[list[tuple[int, int]]], grey: bool, seed: int
) -> None:
    """Whatever the outlines are; and the picture itself is not changed."""
    picture = np.random.default_rng(seed).integers(1, 256, (60, 80) if grey else (60, 80, 3), np.uint8)
    before = picture.copy()
    regions = [Region(box=(0, 0, 80, 60), outline=tuple(outline)) for outline in outlines]
    shown = black_out(picture, [*regions, Region(box=(0, 0, 80, 60))])
    inside = outline_mask(regions, 80, 60) > 0
    assert (shown[~inside] == 0).all()
    assert (shown[inside] == before[inside]).all()
    assert (picture == before).all()
    assert inside.any() == bool(outlines)


def test_without_an_outline_all_is_black() -> None:
    """A box is no mask: a file may declare the whole screen, names included."""
    picture = np.full((40, 50, 3), 200, np.uint8)
    regions = (Region(box=(0, 0, 50, 40), source="dicom"),)
    assert not has_outline(regions)
    assert not black_out(picture, regions).any()
    assert not black_out(picture, ()).any()


def fonts() -> list[str]:
    """Fonts of this machine, of several families."""
    found = sorted(glob.glob("/usr/share/fonts/truetype/*/*.ttf"))
    chosen = [one for one in found if one.endswith(("Sans.ttf", "Serif.ttf", "Mono.ttf", "-Regular.ttf", "-Bold.ttf"))]
    return chosen[:: max(1, len(chosen) // 6)][:6]


def read_back(strips: list[np.ndarray], folder: Path) -> str:
    """Text that tesseract reads in pictures, put below each other: it is made for pages, and slow on speckle."""
    width = max(strip.shape[1] for strip in strips)
    page = np.concatenate([np.pad(strip, ((8, 8), (8, width - strip.shape[1] + 8), (0, 0))) for strip in strips])
    large = cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "read.png"), 255 - cv2.cvtColor(large, cv2.COLOR_RGB2GRAY))
    command = ["tesseract", str(folder / "read.png"), "-", "--psm", "6"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env=environment
    ).stdout.upper()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="needs tesseract: apt install tesseract-ocr")
@pytest.mark.skipif(not fonts(), reason="needs fonts: apt install fonts-dejavu-core")
@pytest.mark.parametrize("screens", [training_screens, unseen_screens], ids=["training", "unseen"])
def test_names_outside_cannot_be_read_any_more(
    screens: Callable[[int, int], list[RenderedScreen]], tmp_path: Path
) -> None:
    """Names in several fonts around found scans: read before (nine of ten at least), and none afterwards."""
    rng = np.random.default_rng(5)
    names, before, after = [], [], []
    for number, screen in enumerate(screens(8, 3)):
        clean = screen.frame()
        height, width = clean.shape[:2]
        picture = Image.fromarray(clean)
        draw = ImageDraw.Draw(picture)
        size = max(22, height // 22)
        near = cv2.dilate(screen.mask(), np.ones((9, 9), np.uint8))
        places = []
        for name in rng.permutation(NAMES)[:4]:
            typeface = ImageFont.truetype(fonts()[len(names) % len(fonts())], size)
            for _ in range(400):  # somewhere outside, where nothing else stands
                x, y = int(rng.integers(4, width - 8 * size)), int(rng.integers(4, height - 2 * size))
                place = (slice(y - 4, y + size + 10), slice(x - 4, x + 7 * size))
                if not near[place].any() and np.asarray(picture)[place].max() < 40:
                    draw.text((x, y), name, font=typeface, fill=(235, 235, 235))
                    names.append(str(name))
                    places.append(place)
                    break
        pixels = np.array(picture)
        shown = black_out(pixels, find_scan_regions([pixels]))
        assert number or shown.any()
        before += [pixels[place] for place in places]
        after += [shown[place] for place in places]
    assert len(names) >= 15
    text = read_back(before, tmp_path)
    assert sum(name in text for name in names) >= 0.9 * len(names), text
    text = read_back(after, tmp_path)
    assert not any(name in text for name in names), text
