"""The pixel gate refuses what is no picture, and lets scans pass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.contracts.results import Reason
from edge.postprocess.abstention_rules import MIN_SIDE, SIZE_RULES, first_reason, pixel_gate
from edge.preprocess.crop import find_crop

rng = np.random.default_rng(7)


def whole(pixels):
    return (0, 0, pixels.shape[1], pixels.shape[0])


def speckle(height=480, width=640):
    return np.clip(rng.rayleigh(45, (height, width)), 0, 255).astype(np.uint8)


def rgb(grey):
    return np.repeat(grey[:, :, None], 3, axis=2)


def test_speckle_passes_in_grey_and_in_colour():
    assert pixel_gate(speckle(), (0, 0, 640, 480)) is None
    assert pixel_gate(rgb(speckle()), (0, 0, 640, 480)) is None
    assert pixel_gate(speckle(16, 16), (0, 0, 16, 16)) is None


def test_both_minimal_sides_are_one():
    for side, expected in ((MIN_SIDE - 1, Reason.TOO_SMALL), (MIN_SIDE, None)):
        box = (0, 0, side, 300)
        assert first_reason(SIZE_RULES, box) is expected, "of the whole picture, before it is preprocessed"
        assert pixel_gate(speckle(300, side), box) is expected, "of the crop"


@pytest.mark.parametrize("size", [(15, 300), (300, 15), (1, 1)])
def test_too_small(size):
    assert pixel_gate(speckle(), (0, 0, *size)) is Reason.TOO_SMALL


@pytest.mark.parametrize("grey", [0, 5, 12])
def test_black(grey):
    noise = rng.integers(0, 3, (480, 640), dtype=np.uint8)
    pixels = np.minimum(np.full((480, 640), grey, np.uint8) + noise, 12).astype(np.uint8)
    assert pixel_gate(pixels, whole(pixels)) is Reason.BLACK
    assert pixel_gate(rgb(pixels), whole(pixels)) is Reason.BLACK


def test_black_with_a_line_of_text_is_black():
    pixels = np.zeros((480, 640), np.uint8)
    cv2.putText(pixels, "NO SIGNAL", (250, 240), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2)
    assert pixel_gate(pixels, whole(pixels)) is Reason.BLACK


def test_flat_grey_gradients_and_bars_are_flat():
    flat = np.full((480, 640), 128, np.uint8)
    gradient = np.repeat(np.linspace(20, 255, 640).astype(np.uint8)[None], 480, axis=0)
    bars = np.repeat((np.arange(640) // 80 * 30 + 30).astype(np.uint8)[None], 480, axis=0)
    for pixels in (flat, gradient, bars):
        assert pixel_gate(pixels, whole(pixels)) is Reason.FLAT
        jpeg = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], cv2.IMREAD_GRAYSCALE)
        assert pixel_gate(jpeg, whole(jpeg)) is Reason.FLAT


def test_colour_bars_are_no_signal_and_a_coloured_photograph_is_no_ultrasound():
    colours = np.array([(255, 255, 0), (0, 255, 255), (0, 255, 0), (255, 0, 255), (255, 0, 0), (0, 0, 255)], np.uint8)
    bars = np.repeat(np.repeat(colours, 100, axis=0)[None], 480, axis=0)
    assert pixel_gate(bars, whole(bars)) is Reason.NO_SIGNAL
    photo = np.stack([speckle() // 2 + 120, speckle() // 4 + 30, speckle() // 8], axis=2).astype(np.uint8)
    assert pixel_gate(photo, whole(photo)) is Reason.NOT_ULTRASOUND


@pytest.mark.parametrize("colour", [(220, 40, 10), (20, 60, 220), (30, 160, 230)])
def test_a_doppler_box_is_named(colour):
    doppler = rgb(speckle())
    doppler[100:200, 150:300] = colour
    assert pixel_gate(doppler, whole(doppler)) is Reason.COLOUR_DOPPLER


def test_marks_in_colours_and_a_tinted_picture_pass():
    marked = rgb(speckle())
    for at, colour in ((100, (255, 255, 0)), (200, (0, 255, 0)), (300, (255, 60, 30))):
        cv2.line(marked, (50, at), (500, at + 20), colour, 2)
    assert pixel_gate(marked, whole(marked)) is None
    tinted = (rgb(speckle()) * (1.0, 0.85, 0.65)).astype(np.uint8)
    assert pixel_gate(tinted, whole(tinted)) is None


TINTS = {"copper": (1.0, 0.62, 0.4), "ice": (0.75, 0.9, 1.0), "blue": (0.55, 0.7, 1.0)}


@pytest.mark.parametrize("tint", TINTS)
def test_a_tint_of_the_whole_picture_is_no_flow_and_flow_over_it_is(tint):
    tinted = (rgb(speckle()) * TINTS[tint]).astype(np.uint8)
    assert pixel_gate(tinted, whole(tinted)) is None
    for colour in ((200, 20, 10), (20, 60, 220)):
        doppler = tinted.copy()
        doppler[100:200, 150:300] = colour
        assert pixel_gate(doppler, whole(doppler)) in (Reason.COLOUR_DOPPLER, Reason.NOT_ULTRASOUND)


def test_only_the_crop_counts():
    pixels = np.zeros((480, 640), np.uint8)
    pixels[100:300, 100:300] = speckle(200, 200)
    assert pixel_gate(pixels, (100, 100, 200, 200)) is None
    assert pixel_gate(pixels, (320, 0, 320, 480)) is Reason.BLACK


@pytest.mark.data
def test_real_scans_pass(data_dir):
    paths = sorted((data_dir / "bus-bra" / "images").glob("*"))[::60] + sorted(
        (data_dir / "busi" / "originals").glob("*")
    )
    assert len(paths) > 30
    for path in paths:
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        crop = find_crop(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 12)
        assert pixel_gate(pixels, crop) is None, path
