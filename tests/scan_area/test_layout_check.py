"""Layout check: dialogues over the scan are noticed at once, and tissue that moves is not taken for one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.screens.unseen_layouts import unseen_screens
from edge.scan_area.finder import find_scan_regions
from edge.scan_area.layout_check import LayoutCheck

SCREENS = [screen for screen in unseen_screens(24) if len(screen.scans) == 1][:6]


def with_dialogue(pixels: np.ndarray, box: tuple[int, int, int, int], ground: int, quality: int | None) -> np.ndarray:
    """The screen with a field of text over the middle of its scan, after a JPEG codec where ``quality`` is given."""
    (x, y, w, h), shown = box, pixels.copy()
    left, top, right, bottom = x + w // 4, y + h // 3, x + 3 * w // 4, y + 2 * h // 3
    shown[top:bottom, left:right] = ground
    ink = [240 if ground < 128 else 10] * 3
    for line, text in enumerate(("MUELLER, ANNA", "12.03.1961", "Save images?")):
        at = (left + 6, top + int((line + 1) * (bottom - top) / 3.6))
        cv2.putText(shown[:bottom, :right], text, at, 0, max(0.35, (bottom - top) / 180), ink, 2)
    return coded(shown, quality)


def coded(pixels: np.ndarray, quality: int | None) -> np.ndarray:
    """The picture as a JPEG codec gives it back."""
    if quality is None:
        return pixels
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 1))


@pytest.mark.parametrize("quality", [None, 75])
@pytest.mark.parametrize("ground", [0, 60, 200])
def test_a_dialogue_over_the_scan_is_another_layout(ground: int, quality: int | None) -> None:
    """Nothing has changed around the scan then."""
    for screen in SCREENS:
        first = coded(screen.frame(0), quality)
        regions = find_scan_regions([first])
        check = LayoutCheck(first, regions)
        shown = with_dialogue(screen.frame(3), regions[0].box, ground, quality)
        assert check.is_another(shown), screen


def test_tissue_that_moves_is_the_same_layout() -> None:
    """Whatever the probe passes."""
    for screen in SCREENS:
        first = screen.frame(0)
        check = LayoutCheck(first, find_scan_regions([first]))
        assert not any(check.is_another(screen.frame(number)) for number in (1, 5, 20)), screen
