"""Training examples of the anatomy gate: breast B-mode pictures as positives, everything else as negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.preprocess.preprocessor import Preprocessor
from training.augment import appearance
from training.augment.geometry import random_matrix, warp
from training.augment.samples import augment, lesion_free, to_sample
from training.gate import synthetic_negatives
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.datasets import Item
    from training.gate.file_negatives import FileNegative
    from training.recipe import Recipe

VIEWS_PER_FAMILY = 120
"""Augmented pictures of each family of files: as many of a single picture as of a clip with hundreds of frames."""
PHOTO_VIEWS = 12
SYNTHETIC_PER_FAMILY = 120
"""Synthetic negatives of each kind."""
PHANTOM_FRAMES = 80
VIEW_SIDE = 560
"""Longer side in pixels that file pictures are augmented at: full size would cost minutes and give the same tensors."""


@dataclass(frozen=True, eq=False)
class GateExamples:
    """Examples that the anatomy gate is fitted on: tensors with their targets and families."""

    tensors: NDArray[np.uint8]
    """(n, height, width, 3)."""
    wanted: NDArray[np.int_]
    """(n,) 1 where the gate shall accept, else 0."""
    families: NDArray[np.str_]
    """(n,) kind of picture, or family of files."""

    def weights(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weights of the chosen examples: families of one side weigh the same, and so do both sides together."""
        out = np.zeros(len(self.wanted))
        for side in (0, 1):
            names = np.unique(self.families[chosen & (self.wanted == side)])
            for name in names:
                rows = chosen & (self.wanted == side) & (self.families == name)
                out[rows] = 1.0 / len(names) / rows.sum()
        weights: NDArray[np.float64] = out[chosen] * chosen.sum() / out[chosen].sum()
        return weights


def examples(items: Sequence[Item], negatives: Sequence[FileNegative], recipe: Recipe) -> GateExamples:
    """Make the examples of the anatomy gate.

    Positives: training pictures with augmentation and without, lesion-free crops, linear phantoms. Negatives: sector
    phantoms, distorted breast pictures, test cards, and pictures from files (`training.gate.file_negatives`).
    """
    rng = np.random.default_rng((recipe.seed, 77))
    preprocess = Preprocessor(recipe.preprocess)
    rows: list[tuple[Any, int, str]] = []
    train = [item for item in items if item.split == "train"]
    for item in train:
        rows.append((to_sample(item, preprocess).tensor, 1, "picture"))
        rows.append((to_sample(augment(rng, item), preprocess).tensor, 1, "picture"))
    for item in train[::5]:
        crop = lesion_free(rng, item)
        if crop is not None:
            rows.append((to_sample(crop, preprocess).tensor, 1, "crop"))
    for number in range(PHANTOM_FRAMES):
        rows.append((to_sample(phantom(recipe.seed, number), preprocess).tensor, 1, "phantom"))
        rows.append((to_sample(augment(rng, phantom(recipe.seed, number)), preprocess).tensor, 1, "phantom"))
        sector = phantom(recipe.seed, number, "sector")
        rows.append(
            (
                preprocess(appearance.resample_and_compress(rng, appearance.vary_gain(rng, sector.image)))[0][0],
                0,
                "sector-phantom",
            )
        )
    for _ in range(SYNTHETIC_PER_FAMILY):
        for family, distort in synthetic_negatives.DISTORTIONS.items():
            donor = augment(rng, train[int(rng.integers(len(train)))]).image
            rows.append((preprocess(appearance.resample_and_compress(rng, distort(rng, donor)))[0][0], 0, family))
        rows.append((preprocess(synthetic_negatives.test_card(rng))[0][0], 0, "test-card"))
    rows += _views(rng, negatives, preprocess)
    tensors, wanted, families = zip(*rows, strict=True)
    return GateExamples(np.stack(tensors), np.array(wanted), np.array(families))


def _views(
    rng: np.random.Generator, negatives: Sequence[FileNegative], preprocess: Preprocessor
) -> list[tuple[Any, int, str]]:
    rows = []
    for family in sorted({n.family for n in negatives}):
        members = [n for n in negatives if n.family == family]
        name, count = ("photograph", PHOTO_VIEWS) if members[0].photograph else (family, VIEWS_PER_FAMILY)
        picked = rng.integers(0, len(members), count)
        rows += [(_view(rng, members[i], preprocess), 0, name) for i in picked.tolist()]
    return rows


def _view(rng: np.random.Generator, negative: FileNegative, preprocess: Preprocessor) -> NDArray[np.uint8]:
    """One frame, whole or cropped, mirrored, with other gain: what a device might see of such pictures."""
    pixels = negative.pixels
    tensor: NDArray[np.uint8]
    if rng.random() < 0.3:
        tensor = preprocess(pixels, negative.regions)[0][0]
        return tensor
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if negative.regions and rng.random() < 0.7:
        x, y, w, h = preprocess.crop_for(grey, negative.regions)
        grey = grey[y : y + h, x : x + w]
    if max(grey.shape) > VIEW_SIDE:
        scale = VIEW_SIDE / max(grey.shape)
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = grey.shape
    if rng.random() < 0.6:
        matrix, size = random_matrix(rng, width, height)
        grey, _ = warp(grey, grey, matrix, size)
    grey = appearance.vary_speckle(rng, appearance.vary_gain(rng, grey))
    tensor = preprocess(appearance.resample_and_compress(rng, grey))[0][0]
    return tensor
