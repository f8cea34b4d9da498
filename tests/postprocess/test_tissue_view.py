"""Proof that tissue was seen: each way to lose a part of the scan shows in its measure, and a whole scan in none."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.contracts.region import Region
from edge.postprocess.abstention_rules import MIN_SHARPNESS, blurred, tissue_not_seen
from edge.postprocess.frame_context import FrameContext
from edge.postprocess.gate_picture import GatePicture
from edge.postprocess.tissue_proof import cut_away, hides_tissue
from edge.postprocess.tissue_view import TissueView

HEIGHT, WIDTH = 192, 160
SIZE = (480, 576)
WHOLE = (0, 0, *SIZE)


def tissue(seed=0):
    """Speckle in layers, brighter near the probe, at the model's size."""
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.rayleigh(60, (HEIGHT, WIDTH)).astype(np.float32), (0, 0), 0.8)
    depth = np.linspace(1.3, 0.4, HEIGHT)[:, None]
    return np.clip(grain * depth, 0, 255).astype(np.uint8)


def not_seen(grey, crop=WHOLE, regions=(), lesions=()):
    view = TissueView(grey, crop, SIZE, regions)
    return tissue_not_seen(SimpleNamespace(context=FrameContext(view=view), nothing_found=not lesions))


def shadowed(share):
    grey = tissue()
    grey[12:, : int(share * WIDTH)] //= 20
    return grey


def lost(rows=slice(None), columns=slice(None)):
    grey = tissue()
    grey[rows, columns] = 0
    return grey


def covered(grey, rows=slice(None), columns=slice(None)):
    picture = tissue()
    picture[rows, columns] = grey
    return picture


def without_a_corner():
    """A scan that is black above its diagonal."""
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    return np.where(across / WIDTH + down / HEIGHT < 0.9, 0, tissue()).astype(np.uint8)


def test_a_scan_that_is_stretched_is_not_seen():
    assert not_seen(tissue(), (0, 0, 480, 180))
    assert not not_seen(tissue(), (0, 0, 480, 220), (Region((0, 0, 480, 220), source="config"),))


def test_a_whole_scan_is_seen():
    assert not any(not_seen(tissue(seed)) for seed in range(5))
    assert not not_seen(shadowed(0.15)), "a narrow shadow hides little"
    deep = tissue()
    deep[120:] //= 10
    assert not not_seen(deep), "sound is used up in the depth"


@pytest.mark.parametrize(
    "grey",
    [
        shadowed(0.35),
        lost(columns=slice(100, None)),
        lost(rows=slice(0, 70)),
        lost(rows=slice(20, 80)),
        covered(90, columns=slice(0, 80)),
        covered(np.linspace(40, 120, 80).astype(np.uint8), columns=slice(80, None)),
        covered(90, rows=slice(0, 96)),
        tissue()[::-1].copy(),
        (tissue() * 0.15).astype(np.uint8),
        np.clip(tissue().astype(int) * 4, 0, 255).astype(np.uint8),
        np.clip(tissue().astype(int) + 120, 0, 255).astype(np.uint8),
        without_a_corner(),
        without_a_corner()[:, ::-1].copy(),
        (tissue() * 0.25 + 90).astype(np.uint8),
    ],
    ids=[
        "shadow",
        "right",
        "top",
        "band",
        "grey half",
        "slope half",
        "grey top",
        "upside down",
        "dark",
        "white",
        "pale",
        "upper left corner",
        "upper right corner",
        "little contrast",
    ],
)
def test_what_is_not_seen_makes_a_clear_impossible_and_a_finding_not(grey):
    assert not_seen(grey)
    assert not not_seen(grey, lesions=["one"])


def receiver_noise(height, width, gain=50):
    """Grain of a pixel or two, as bright at all depths."""
    grain = [
        cv2.GaussianBlur(each, (0, 0), 0.5) for each in np.random.default_rng(9).standard_normal((2, height, width))
    ]
    envelope = np.hypot(*grain)
    return np.clip(envelope / envelope.mean() * gain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gain", [25, 50, 100])
@pytest.mark.parametrize(("rows", "columns"), [((0, 192), (0, 80)), ((0, 192), (80, 160)), ((0, 96), (0, 160))])
def test_half_a_scan_of_a_receivers_noise_is_not_seen(rows, columns, gain):
    noise = receiver_noise(rows[1] - rows[0], columns[1] - columns[0], gain)
    assert not_seen(covered(noise, slice(*rows), slice(*columns)))


@pytest.mark.parametrize("aside", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_half_a_scan_that_is_the_mirror_image_of_the_other_is_not_seen(turned, aside):
    grey = tissue() if not turned else tissue().T[:, : WIDTH - 2]
    half = grey[:, : grey.shape[1] // 2]
    mirrored = np.hstack((half[:, aside:], half[:, ::-1]))
    assert not_seen(np.ascontiguousarray(mirrored.T if turned else mirrored))


def test_even_speckle_that_is_no_mirror_image_is_seen():
    """A phantom without structures has halves alike, and speckle that is not."""
    even = np.clip(tissue().mean(axis=1, keepdims=True) * receiver_noise(HEIGHT, WIDTH) / 60, 0, 255).astype(np.uint8)
    assert TissueView(even, WHOLE, SIZE).asymmetry > 0.6
    assert not not_seen(even)


def test_a_wide_scan_is_seen_unless_it_is_drawn_out():
    wide = cv2.resize(tissue(), (160, 76), interpolation=cv2.INTER_AREA)
    drawn_out = cv2.resize(tissue()[:76, :40], (160, 76), interpolation=cv2.INTER_LINEAR)
    crop = (0, 0, 480, 230)
    for grey, is_hidden in ((wide, False), (drawn_out, True)):
        view = TissueView(grey, crop, crop[2:])
        assert cut_away(view) is is_hidden
        assert not cut_away(TissueView(grey, (0, 0, 480, 400), (480, 400))), "of that shape it is no question"


@pytest.mark.parametrize("fades", [True, False])
@pytest.mark.parametrize("share", [0.8, 0.7, 0.55])
def test_black_in_the_depth_is_no_part_that_was_cut_off_if_the_scan_fades(share, fades):
    grey = (tissue() * np.clip(np.linspace(3, 0, HEIGHT), 0, 1)[:, None] ** 2).astype(np.uint8) if fades else tissue()
    crop, hidden = (0, 0, 480, int(share * 576)), share < 0.6 or (share < 0.75 and not fades)
    assert cut_away(TissueView(grey, crop, SIZE)) is hidden
    outline = ((0, 0), (479, 0), (479, 575), (0, 575))
    scan = Region(WHOLE, source="detected", outline=outline, shape="linear")
    assert cut_away(TissueView(grey, crop, SIZE, (scan,))) is hidden


@pytest.mark.parametrize("crop", [(0, 0, 480, 288), (0, 288, 480, 288), (240, 0, 240, 576), (0, 0, 300, 576)])
def test_a_scan_that_is_cut_off_at_one_side_is_not_seen(crop):
    assert not_seen(tissue(), crop)
    assert not_seen(tissue(), crop, (Region(crop, source="detected"),))
    assert crop[2] < crop[3] / 2 or not not_seen(tissue(), crop, (Region(crop, source="config"),)), "that is the scan"


def test_a_scan_amid_a_screen_is_whole():
    assert not not_seen(tissue(), (100, 100, 280, 380))


def test_half_a_narrow_scan_is_too_narrow_wherever_it_lies():
    assert not_seen(tissue(), (100, 60, 150, 400))


def test_only_what_is_inside_of_the_outline_must_show_tissue():
    grey, corners = tissue(), np.zeros((HEIGHT, WIDTH), np.uint8)
    outline = ((200, 0), (280, 0), (479, 575), (0, 575))
    cv2.fillPoly(corners, [np.array([(x // 3, y // 3) for x, y in outline], np.int32)], 1)
    fan = Region(WHOLE, source="detected", outline=outline, shape="trapezoid")
    assert not not_seen(grey * corners, WHOLE, (fan,))
    half = grey * corners
    half[:, 80:] = 0
    assert not_seen(half, WHOLE, (fan,))


def test_what_the_crop_leaves_off_of_a_known_outline_is_not_seen():
    outline = ((100, 60), (380, 60), (380, 500), (100, 500))
    scan = Region((100, 60, 280, 440), source="detected", outline=outline, shape="linear")
    assert not not_seen(tissue(), (100, 60, 280, 440), (scan,))
    assert not not_seen(tissue(), (100, 60, 280, 380), (scan,)), "black in the depth"
    assert not_seen(tissue(), (100, 240, 280, 260), (scan,))


def test_a_bright_cover_that_an_outline_leaves_off_is_not_seen():
    outline = ((0, 290), (480, 290), (480, 576), (0, 576))
    found = Region((0, 290, 480, 286), source="detected", outline=outline, shape="linear")
    assert not_seen(covered(90, rows=slice(0, 96)), WHOLE, (found,))


def test_an_outline_beside_the_crop_hides_nothing():
    beside = Region((0, 0, 100, 100), source="detected", outline=((0, 0), (40, 0), (40, 40)))
    assert not not_seen(tissue(), (100, 100, 280, 380), (beside,))


@pytest.mark.parametrize("sigma", [2.0, 3.0, 5.0])
def test_blur_is_told_at_the_models_scale_unless_the_picture_was_enlarged(sigma):
    soft = cv2.GaussianBlur(tissue(), (0, 0), sigma)
    picture = GatePicture(soft, WHOLE, None, TissueView(soft, WHOLE, SIZE))
    assert blurred(picture)
    assert picture.view.sharpness < MIN_SHARPNESS < TissueView(tissue(), WHOLE, SIZE).sharpness
    small = (0, 0, 80, 96)
    assert not blurred(GatePicture(soft, small, None, TissueView(soft, small, (80, 96))))


@pytest.mark.parametrize("shape", [(16, 16), (192, 16), (16, 160)])
@pytest.mark.parametrize("grey", [0, 90, 255])
def test_flat_and_narrow_views_have_measures(shape, grey):
    view = TissueView(np.full(shape, grey, np.uint8), (0, 0, shape[1], shape[0]), (shape[1], shape[0]))
    for name in (
        "sharpness",
        "layering",
        "columns_lost",
        "rows_lost",
        "near_field",
        "evenness",
        "asymmetry",
        "steepness",
    ):
        assert np.isfinite(getattr(view, name)), name
    assert all(np.isfinite(view.grey_range))
    assert hides_tissue(view) in (False, True)
