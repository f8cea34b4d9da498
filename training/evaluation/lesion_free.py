"""Lesion-free crops of a run's test pictures: pictures without a lesion from every hospital that the run never saw.

Only BUSI has pictures without a lesion. How malignant a model calls empty tissue of another hospital is told by windows
of that hospital's pictures, clear of the lesion (as in `training.reporting.lesion_presence.negative_control`). They are
written into the run's folder, as the device would see them; `export` keeps what the quantised model says of them.

    lesion-free.npz        ids, groups, sources (n,) of the pictures; tensors uint8 (n, h, w, 3)
    lesion-free-int8.npz   ids, malignancy float32 (n,), lesion uint8 (n, h/4, w/4): made by ``python -m export folds``
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import ConfigError
from edge.preprocess.preprocessor import Preprocessor
from training.augment.geometry import lesion_free_window
from training.evaluation.held_out_predictions import load_held_out
from training.recipe import load_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.datasets import Item

CROPS, CROPS_INT8 = "lesion-free.npz", "lesion-free-int8.npz"


def write_lesion_free(run: Path, items: Sequence[Item]) -> int:
    """Cut one window clear of the lesion out of each test picture that has room for one; return their number.

    Which window depends on the picture alone: it is the same in every run. Raises ConfigError where the run is not
    finished, or ``items`` lack all of its pictures.
    """
    test = set(load_held_out(run).test.ids.tolist())
    preprocess = Preprocessor(load_record(run).recipe.preprocess)
    kept, tensors = [], []
    for item in items:
        if item.id not in test or not item.mask.any():
            continue
        seed = int.from_bytes(hashlib.sha256(item.id.encode()).digest()[:8], "big")
        window = lesion_free_window(np.random.default_rng(seed), item.mask)
        if window is not None:
            x, y, w, h = window
            kept.append(item)
            tensors.append(preprocess(item.image[y : y + h, x : x + w])[0][0])
    if not kept:
        raise ConfigError(
            f"{run}: none of its {len(test)} test pictures has room beside its lesion",
            hint="give the data that the run was made with: --data DATA",
        )
    np.savez_compressed(
        run / CROPS,
        ids=np.array([item.id for item in kept]),
        groups=np.array([item.group for item in kept]),
        sources=np.array([item.source for item in kept]),
        tensors=np.stack(tensors),
    )
    return len(kept)
