"""Rendered phantoms as training items: lesions of known outline, which train the mask and never malignancy."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from edge.phantom.scene import PhantomScene
from edge.phantom.spec import PhantomSpec
from training.datasets import UNLABELLED, Item

FIRST_SEED = 1000
"""Demos, golden vectors and tests use smaller seeds: the model has never seen theirs."""


DEPTH_MM = {"linear": (30, 60), "sector": (50, 80)}
"""Least and greatest depth in mm over the picture's height; a fan fills less of it."""


@cache
def phantom(seed: int, number: int, geometry: Literal["linear", "sector"] = "linear") -> Item:
    """Render the ``number``-th training phantom, with 0 to 3 lesions, of a random size and depth.

    ``seed`` is the run's. Image and mask are (H, W) uint8, grey and 0/1.
    """
    rng = np.random.default_rng((seed, number))
    height = int(rng.integers(300, 480))
    spec = PhantomSpec(
        seed=FIRST_SEED + number,
        width=int(height * rng.uniform(0.9, 1.4)),
        height=height,
        geometry=geometry,
        lesions=int(rng.choice((0, 1, 2, 3), p=(0.3, 0.4, 0.2, 0.1))),
        mm_per_px=float(rng.uniform(*DEPTH_MM[geometry])) / height,
    )
    picture = PhantomScene(spec).render(int(rng.integers(0, 30)))
    mask = (picture.mask > 0).astype(np.uint8)
    return Item(f"phantom-{number}", f"phantom/{number}", "phantom", "train", UNLABELLED, picture.pixels, mask)
