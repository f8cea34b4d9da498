"""Quick post-processing gives what plain code gives: the same bytes of a lesion, the same numbers of the gate."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import msgspec
import numpy as np
import plain_descriptors
import plain_lesions
import pytest

from edge.contracts.region import Region
from edge.contracts.results import Status
from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from edge.postprocess import pixel_gate
from edge.postprocess.decide import decide
from edge.postprocess.model_outputs import JudgedOutputs
from edge.preprocess.preprocessor import plan, to_grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.contracts.region import Box

SEEDS = range(6)
MASKS = 32
"""Masks of each seed."""
KINDS = ("noise", "soft noise", "ellipses", "soft ellipses", "rough ellipses", "rings", "lines", "ends of the scale")


def random_mask(rng: np.random.Generator, kind: str, side: int) -> NDArray[np.float32]:
    """(side, side) float32, 0 to 1: one of all kinds of masks, likely or not."""
    mask = rng.random((side, side)).astype(np.float32)
    if kind == "soft noise":
        return np.clip(cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 4))) * 1.1, 0, 1)
    if kind == "noise":
        return mask
    mask = np.zeros((side, side), np.float32)
    for _ in range(rng.integers(1, 4)):
        centre = [int(value) for value in rng.integers(-3, side + 3, 2)]  # some over the edge
        axes = [int(value) for value in rng.integers(0, 2 if kind == "lines" else side // 2, 2)]
        level = 1.0 if kind == "ends of the scale" else float(rng.uniform(0.3, 1))
        thickness = 1 if kind == "rings" else -1
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 360)), 0, 360, level, thickness)
    if kind in ("soft ellipses", "rough ellipses"):
        mask = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.3, 3)))
    if kind == "rough ellipses":
        mask += rng.normal(0, 0.05, mask.shape).astype(np.float32)
    return np.clip(mask, 0, 1)


@cache
def grey_pictures() -> list[NDArray[np.uint8]]:
    """Grey pictures of tissue, noise, and next to nothing."""
    rng = np.random.default_rng(1)
    return [
        PhantomScene(PhantomSpec(seed=1, lesions=1)).pixels(0),
        cv2.GaussianBlur(rng.integers(0, 256, (700, 900), dtype=np.uint8), (0, 0), 4),
        rng.integers(0, 30, (100, 130), dtype=np.uint8),
        np.zeros((333, 222), np.uint8),
    ]


def random_picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Picture of tissue, noise, or next to nothing; grey or RGB."""
    grey = grey_pictures()[rng.integers(len(grey_pictures()))]
    if rng.random() < 0.5:
        return grey
    colour = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    return colour if rng.random() < 0.5 else cv2.add(colour, rng.integers(0, 90, colour.shape, dtype=np.uint8))


def random_crop(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> Box:
    """Crop of the picture, sometimes all of it."""
    height, width = pixels.shape[:2]
    if rng.random() < 0.2:
        return (0, 0, width, height)
    w, h = int(rng.integers(20, width + 1)), int(rng.integers(20, height + 1))
    return (int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1)), w, h)


def random_regions(rng: np.random.Generator, crop: Box) -> tuple[Region, ...]:
    """Regions that hold all lesions, some or none, or contradict each other."""
    x, y, w, h = crop
    half = (x + w // 4, y + h // 4, max(1, w // 2), max(1, h // 2))
    choices = (
        (),
        (Region(crop, 0.1, 0.12, "dicom"),),
        (Region(half, 0.1, 0.1, "dicom"), Region(crop, 0.1004, 0.1, "config")),
        (Region(half, 0.1, 0.1, "dicom"), Region(crop, 0.2, 0.1, "config")),
        (Region(crop),),
    )
    return choices[rng.integers(len(choices))]


@pytest.mark.parametrize("seed", SEEDS)
def test_lesions_and_descriptors_are_those_of_plain_code(kit, seed):
    rng, manifest = np.random.default_rng(seed), kit.make_manifest()
    pixels, findings = random_picture(rng), 0
    for number in range(MASKS):
        crop, kind = random_crop(rng, pixels), KINDS[number % len(KINDS)]
        placement, _ = plan(crop, kit.side, kit.side)
        x, y, w, h = placement.crop
        regions, grey = random_regions(rng, crop), to_grey(pixels[y : y + h, x : x + w])
        mask = random_mask(rng, kind, kit.cells)[None, :, :, None]
        stored = mask if number % 3 == 0 else (mask * 255).astype(np.uint8)
        outputs = {
            "malignancy": np.array([[226, 30]], np.uint8),
            "anatomy": np.array([[250]], np.uint8),
            "lesion_mask": stored,
        }
        shown = plain_lesions.presence(stored, manifest)
        size = (kit.side, kit.side)
        plain = plain_lesions.find_lesions(shown, placement, manifest.thresholds, size, regions)
        found = JudgedOutputs(outputs, manifest, placement, regions).lesions
        assert msgspec.json.encode(found) == msgspec.json.encode(plain), f"mask {number}, {kind}"
        if not plain:
            continue
        findings += 1
        measured = plain_lesions.calibration_for(np.array(plain[0].outline), regions)
        aspect = 1.0 if measured is None else measured.mm_y / measured.mm_x
        described = [plain_descriptors.describe(each, pixels, placement.crop, aspect) for each in plain]
        for given in (None, grey):
            verdict = decide(outputs, manifest, placement, regions, pixels, crop_grey=given)
            assert verdict.status is Status.FINDING
            told = [each.descriptors for each in verdict.lesions]
            assert msgspec.json.encode(told) == msgspec.json.encode(described), f"mask {number}, {kind}"
    assert findings > MASKS // 4


def plain_gate(sample: NDArray[np.uint8]) -> tuple[int, float, float]:
    """The gate's three numbers, of a sample (h, w) grey or (h, w, 3) RGB."""
    grey = to_grey(sample)
    coloured = 0.0
    if sample.ndim == 3:
        top, low = sample.max(axis=2).astype(float), sample.min(axis=2).astype(float)
        strong = (top - low >= pixel_gate.COLOUR_SPAN) & (top - low >= pixel_gate.COLOUR_SHARE * top)
        coloured = float(strong.mean())
    v = grey.astype(int)
    bends = (np.abs(v[:, :-2] - 2 * v[:, 1:-1] + v[:, 2:]), np.abs(v[:-2] - 2 * v[1:-1] + v[2:]))
    texture = min(float((bend > pixel_gate.TEXTURE_STEP).mean()) for bend in bends)
    return int((grey > pixel_gate.BACKGROUND).sum()), coloured, texture


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gate_measures_what_plain_code_measures(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        pixels = random_picture(rng)
        if rng.random() < 0.3:  # every value beside every other
            pixels = rng.choice(np.array((0, 4, 5, 12, 13, 64, 255), np.uint8), pixels.shape)
        x, y, w, h = crop = random_crop(rng, pixels)
        part = pixels[y : y + h, x : x + w]
        wanted = plain_gate(part[:: max(1, h // pixel_gate.SAMPLES), :: max(1, w // pixel_gate.SAMPLES)].copy())
        for grey in (None, to_grey(part)):
            sample = pixel_gate.PixelSample(pixels, crop, grey)
            measured = (
                pixel_gate.bright_pixels(sample),
                pixel_gate.coloured_share(sample),
                pixel_gate.texture_share(sample),
            )
            assert measured == wanted
