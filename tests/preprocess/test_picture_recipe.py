"""Recipes of version 2, and that version 1 stays what it was, to the byte."""

from __future__ import annotations

import cv2
import msgspec
import numpy as np
import pytest

from edge.contracts.manifest import PreprocessRecipe
from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.region import Region
from edge.contracts.tensors import TensorSpec
from edge.models.bundle import load_bundle
from edge.preprocess.picture_preprocessor import PicturePreprocessor, centre_crop, value_table
from edge.preprocess.preprocessor import Preprocessor
from edge.preprocess.recipes import as_version_2

BREAST_RECIPE = "3d50208b92a9342f3104c9dda48dbb27be59e10c772c448f6a16be3a26a2468b"


def spec(recipe: PictureRecipe, dtype: str = "uint8", scale: float = 1.0, zero: int = 0) -> TensorSpec:
    return TensorSpec((1, recipe.height, recipe.width, recipe.channels), dtype, scale, zero)


def picture(height=300, width=420, colour=True):
    shape = (height, width, 3) if colour else (height, width)
    return np.random.default_rng(2).integers(0, 256, shape, dtype=np.uint8)


def test_the_shipped_models_recipe_and_golden_tensors_are_what_they_were():
    bundle = load_bundle()
    assert bundle.manifest.judges == "lesion"
    assert bundle.manifest.recipe_sha256 == bundle.lesion_manifest.recipe.digest() == BREAST_RECIPE
    preprocess = Preprocessor(bundle.lesion_manifest.recipe)
    pictures = zip(bundle.golden.frames, bundle.golden.regions, strict=True)
    made = np.concatenate([preprocess(frame, regions)[0] for frame, regions in pictures])
    assert np.array_equal(made, bundle.golden.tensors)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"crop": "full"},
        {"channels": 1},
        {"median": 3, "contrast": [255 - v for v in range(256)]},
        {"pad": 9, "width": 64},
    ],
)
def test_all_that_version_1_says_version_2_says_with_the_same_bytes(changes):
    recipe = PreprocessRecipe(**{"width": 160, "height": 192, **changes})
    wider = as_version_2(recipe)
    for pixels in (picture(), picture(700, 500, False), picture(90, 60)):
        for regions in ((), (Region(box=(7, 5, 50, 40)),)):
            old, old_box = Preprocessor(recipe)(pixels, regions)
            new, new_box = PicturePreprocessor(wider, spec(wider))(pixels, regions)
            assert np.array_equal(old, new)
            assert old_box == new_box
    assert wider.digest() != recipe.digest()


@pytest.mark.parametrize(
    ("dtype", "scale", "zero", "mean", "std"),
    [
        ("float32", 1.0, 0, (127.5,), (127.5,)),
        ("float32", 1.0, 0, (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)),
        ("int8", 1 / 255, -128, (0.0,), (255.0,)),
        ("int8", 0.02, 4, (120.0, 110.0, 100.0), (60.0, 50.0, 40.0)),
        ("uint8", 1 / 128, 128, (127.5,), (127.5,)),
    ],
)
def test_each_value_is_what_the_formula_says(dtype, scale, zero, mean, std):
    recipe = PictureRecipe(width=32, height=24, mean=mean, std=std)
    pixels = picture(24, 32)
    tensor, _ = PicturePreprocessor(recipe, spec(recipe, dtype, scale, zero))(pixels)
    real = (pixels.astype(np.float64) - mean) / std
    wanted = real.astype(np.float32)
    if dtype != "float32":
        limits = np.iinfo(dtype)
        wanted = np.clip(np.rint(real / float(np.float32(scale))) + zero, limits.min, limits.max).astype(dtype)
    assert tensor.dtype == np.dtype(dtype)
    assert np.array_equal(tensor[0], wanted)


def test_a_uint8_input_of_pixel_values_is_not_touched():
    recipe = PictureRecipe(width=32, height=24)
    assert (value_table(recipe, spec(recipe)) == np.arange(256)[:, None]).all()
    zero, scale = 127, 1 / 128
    same = PictureRecipe(width=32, height=24, mean=(float(zero),), std=(1 / scale,))
    assert (value_table(same, spec(same, "uint8", scale, zero)) == np.arange(256)[:, None]).all()


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "centre-crop"])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_fit_fills_the_tensor_and_says_where_it_lies(fit, channels):
    recipe = PictureRecipe(width=64, height=48, channels=channels, colour="grey", fit=fit, pad=7)
    for pixels in (picture(480, 640), picture(200, 900), picture(900, 200, False)):
        tensor, box = PicturePreprocessor(recipe, spec(recipe))(pixels)
        x, y, w, h = box.crop
        assert 0 <= x < x + w <= pixels.shape[1]
        assert 0 <= y < y + h <= pixels.shape[0]
        if fit == "letterbox":
            left, top, across, down = box.inner
            outside = np.ones((48, 64), bool)
            outside[top : top + down, left : left + across] = False
            assert (tensor[0, outside] == 7).all()
        else:
            assert box.inner == (0, 0, 64, 48)
        if fit == "centre-crop":
            assert abs(w * 48 - h * 64) <= 64 * max(1, w // 64) + 48 * max(1, h // 48)


def test_centre_crop_is_in_the_middle():
    assert centre_crop((0, 0, 100, 50), 10, 10) == (25, 0, 50, 50)
    assert centre_crop((4, 6, 50, 100), 10, 10) == (4, 31, 50, 50)


def test_colour_is_kept_in_its_order_and_grey_pictures_are_repeated():
    recipe = PictureRecipe(width=16, height=16)
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert PicturePreprocessor(recipe, spec(recipe))(red)[0][0, 3, 3].tolist() == [200, 0, 0]
    grey = np.full((16, 16), 90, np.uint8)
    assert PicturePreprocessor(recipe, spec(recipe))(grey)[0][0, 3, 3].tolist() == [90, 90, 90]
    alone = PictureRecipe(width=16, height=16, channels=1, colour="grey")
    wanted = cv2.cvtColor(red, cv2.COLOR_RGB2GRAY)
    assert np.array_equal(PicturePreprocessor(alone, spec(alone))(red)[0][0, :, :, 0], wanted)


def test_any_change_of_a_recipe_changes_its_hash():
    one = PictureRecipe(width=64, height=64)
    changes = [
        *({"width": 65}, {"height": 65}, {"channels": 1}, {"colour": "grey"}, {"crop": "scan-area"}, {"pad": 1}),
        *({"background": 13}, {"median": 3}, {"contrast": list(range(256))}, {"fit": "letterbox"}),
        *({"mean": (1.0,)}, {"std": (2.0,)}),
    ]
    digests = {msgspec.structs.replace(one, **change).digest() for change in changes} | {one.digest()}
    assert len(digests) == len(changes) + 1
    assert len(changes) == len(PictureRecipe.__struct_fields__) - 1
