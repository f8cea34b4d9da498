"""What the anatomy gate learns from: breast B-mode, and what is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.preprocess.preprocessor import Preprocessor
from training.augment import appearance
from training.augment.geometry import random_matrix, warp
from training.augment.samples import augment, lesion_free, plain
from training.gate import synthetic_negatives
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.datasets import Item
    from training.gate.file_negatives import Negative
    from training.recipe import Recipe

VIEWS = 120
"""Training views of each family of files: as many of a single picture as of a clip with hundreds of frames."""
PHOTO_VIEWS = 12
MADE = 120
"""Made pictures of each kind."""
PHANTOM_FRAMES = 80
VIEW_SIDE = 560
"""Longer side in pixels that views are made at: at full size they would cost minutes and show the network the same."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What the gate learns from: tensors and, of each, the answer, the family and the weight."""

    tensors: NDArray[np.uint8]
    wanted: NDArray[np.int_]
    families: NDArray[np.str_]

    def weights(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Families of one side weigh the same; both sides together weigh the same."""
        out = np.zeros(len(self.wanted))
        for side in (0, 1):
            names = np.unique(self.families[chosen & (self.wanted == side)])
            for name in names:
                rows = chosen & (self.wanted == side) & (self.families == name)
                out[rows] = 1.0 / len(names) / rows.sum()
        return out[chosen] * chosen.sum() / out[chosen].sum()


def examples(items: Sequence[Item], negatives: Sequence[Negative], recipe: Recipe) -> Examples:
    """Positives: training pictures plain and augmented, lesion-free crops, linear phantoms. Negatives: all else."""
    rng = np.random.default_rng((recipe.seed, 77))
    preprocess = Preprocessor(recipe.preprocess)
    rows: list[tuple[Any, int, str]] = []
    train = [item for item in items if item.split == "train"]
    for item in train:
        rows.append((plain(item, preprocess).tensor, 1, "picture"))
        rows.append((plain(augment(rng, item), preprocess).tensor, 1, "picture"))
    for item in train[::5]:
        crop = lesion_free(rng, item)
        if crop is not None:
            rows.append((plain(crop, preprocess).tensor, 1, "crop"))
    for number in range(PHANTOM_FRAMES):
        rows.append((plain(phantom(recipe.seed, number), preprocess).tensor, 1, "phantom"))
        rows.append((plain(augment(rng, phantom(recipe.seed, number)), preprocess).tensor, 1, "phantom"))
        sector = phantom(recipe.seed, number, "sector")
        rows.append(
            (preprocess(appearance.transport(rng, appearance.tone(rng, sector.image)))[0][0], 0, "sector-phantom")
        )
    for _ in range(MADE):
        for family, bend in synthetic_negatives.BENT.items():
            donor = augment(rng, train[int(rng.integers(len(train)))]).image
            rows.append((preprocess(appearance.transport(rng, bend(rng, donor)))[0][0], 0, family))
        rows.append((preprocess(synthetic_negatives.test_card(rng))[0][0], 0, "test-card"))
    rows += _views(rng, negatives, preprocess)
    tensors, wanted, families = zip(*rows, strict=True)
    return Examples(np.stack(tensors), np.array(wanted), np.array(families))


def _views(
    rng: np.random.Generator, negatives: Sequence[Negative], preprocess: Preprocessor
) -> list[tuple[Any, int, str]]:
    rows = []
    for family in sorted({n.family for n in negatives}):
        members = [n for n in negatives if n.family == family]
        name, count = ("photograph", PHOTO_VIEWS) if members[0].photograph else (family, VIEWS)
        picked = rng.integers(0, len(members), count)
        rows += [(_view(rng, members[i], preprocess), 0, name) for i in picked.tolist()]
    return rows


def _view(rng: np.random.Generator, negative: Negative, preprocess: Preprocessor) -> NDArray[np.uint8]:
    """One frame, whole or cut, mirrored, in other tones: what the device might see of the like."""
    pixels = negative.pixels
    if rng.random() < 0.3:
        return preprocess(pixels, negative.regions)[0][0]
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
    return preprocess(appearance.transport(rng, appearance.grain(rng, appearance.tone(rng, grey))))[0][0]
