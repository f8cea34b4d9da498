"""Geometric augmentation: picture and mask stay together."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.contracts.manifest import PreprocessRecipe
from edge.preprocess.preprocessor import Preprocessor
from training.augment import geometry
from training.augment.samples import augment, lesion_free, to_sample
from training.datasets import Item

SEEDS = st.integers(0, 2**32 - 1)


def blob(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """A mask with one ellipse well inside."""
    mask = np.zeros((height, width), np.uint8)
    centre = (int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65)))
    axes = (int(width * rng.uniform(0.08, 0.2)), int(height * rng.uniform(0.08, 0.2)))
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1, -1)
    return mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / max(1, (a | b).sum())


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(100, 400), st.integers(100, 400))
def test_picture_and_mask_go_through_the_same_geometry(seed, width, height):
    """The picture *is* its mask here: wherever it goes, the mask must lie on it."""
    rng = np.random.default_rng(seed)
    mask = blob(height, width, rng)
    matrix, size = geometry.random_matrix(rng, width, height)
    moved, moved_mask = geometry.warp(mask * 255, mask, matrix, size)
    assert moved.shape == moved_mask.shape == size[::-1]
    assert iou(moved >= 128, moved_mask > 0) > 0.9


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(100, 500), st.integers(100, 500))
def test_the_mask_in_the_tensor_lies_on_the_lesion_in_the_tensor(seed, width, height):
    rng = np.random.default_rng(seed)
    mask = blob(height, width, rng)
    picture = np.where(mask > 0, 255, 60).astype(np.uint8)
    tensor, box = Preprocessor(PreprocessRecipe(width=160, height=160))(picture)
    placed = geometry.mask_to_tensor(mask, box, 160, 160)
    assert iou(tensor[0, :, :, 0] > 158, placed > 0) > 0.85


def test_warp_honours_pixel_centres():
    """Twice the size: each pixel becomes exactly a block of four, not a block shifted by half a pixel."""
    mask = np.zeros((6, 6), np.uint8)
    mask[2, 3] = 1
    matrix = np.array([[2.0, 0, 0], [0, 2.0, 0]])
    _, grown = geometry.warp(mask * 255, mask, matrix, (12, 12))
    assert np.argwhere(grown).tolist() == [[4, 6], [4, 7], [5, 6], [5, 7]]


def test_scans_are_never_turned_upside_down():
    for seed in range(50):
        matrix, _ = geometry.random_matrix(np.random.default_rng(seed), 200, 300)
        assert matrix[1, 1] > 0


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_an_augmented_item_keeps_its_lesion_and_label(seed):
    rng = np.random.default_rng(seed)
    mask = blob(240, 300, rng)
    item = Item("a", "g", "s", "train", 1, rng.integers(40, 200, mask.shape).astype(np.uint8), mask)
    new = augment(rng, item)
    assert new.image.shape == new.mask.shape
    assert (new.label, new.group) == (1, "g")
    # Of an even picture's lesion three quarters at least stay, whatever the size of the canvas.
    assert new.mask.sum() > 0
    sample = to_sample(new, Preprocessor(PreprocessRecipe(width=160, height=160)))
    assert sample.tensor.shape == (160, 160, 3)
    assert sample.mask.sum() > 0


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_lesion_free_crops_are_clear_of_the_lesion(seed):
    rng = np.random.default_rng(seed)
    mask = blob(300, 400, rng)
    window = geometry.lesion_free_window(rng, mask)
    if window is not None:
        x, y, w, h = window
        assert not mask[y : y + h, x : x + w].any()
        assert x >= 0
        assert y >= 0
        assert x + w <= 400
        assert y + h <= 300
        assert min(w, h) >= 48


def test_lesion_free_crops_are_found_where_there_is_room_and_carry_no_label():
    mask = np.zeros((300, 400), np.uint8)
    mask[10:60, 10:60] = 1
    item = Item("a", "g", "s", "train", 1, np.full(mask.shape, 90, np.uint8), mask)
    crop = lesion_free(np.random.default_rng(3), item)
    assert crop is not None
    assert crop.label == -1
    assert not crop.mask.any()
    full = Item("a", "g", "s", "train", 1, item.image, np.ones_like(mask))
    assert lesion_free(np.random.default_rng(3), full) is None
