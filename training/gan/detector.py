"""Detector of fillings: a small network that learns to tell filled windows from real ones, as its judge.

A network that is to learn from fillings must not be able to see them. What this one reaches (its area under the ROC
curve on pictures of other patients; 0.5: it guesses) is an upper bound of nothing, but a warning where it is high.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers

from training.evaluation.metrics import auc
from training.gan.windows import SIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.gan.windows import FilledPicture

EPOCHS, BATCH, RATE = 12, 32, 1e-3
TRAINING_SHARE = 0.7


def detector_auc(pictures: Sequence[FilledPicture], seed: int, epochs: int = EPOCHS) -> dict[str, float]:
    """Train a detector on windows ``beside`` lesions of most patients; AUC on those of the others, and their number."""
    beside = [one for one in pictures if one.kind == "beside"]
    groups = sorted({one.item.group for one in beside})
    order = np.random.default_rng(seed).permutation(len(groups))
    learnt = {groups[i] for i in order[: round(TRAINING_SHARE * len(groups))]}
    sides = [[one for one in beside if (one.item.group in learnt) is known] for known in (True, False)]
    train, test = (_pairs(side) for side in sides)
    if not len(train[0]) or not len(test[0]):
        return {"auc": float("nan"), "windows": 0}
    keras.utils.set_random_seed(seed)
    model = _network()
    model.compile(keras.optimizers.Adam(RATE), "binary_crossentropy")
    model.fit(*_mirrored(*train), batch_size=BATCH, epochs=epochs, verbose=0)
    found = np.asarray(model.predict(test[0], verbose=0))[:, 0]
    return {"auc": auc(test[1], found), "windows": len(test[1])}


def _pairs(pictures: Sequence[FilledPicture]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Windows (2 n, 48, 48, 1) float32, real ones first, and whether they are filled (2 n,)."""
    both = [[one.window(one.real) for one in pictures], [one.window(one.filled) for one in pictures]]
    windows = np.array([*both[0], *both[1]], np.float32).reshape(-1, SIDE, SIDE, 1) / np.float32(255)
    return windows, np.repeat(np.array([0, 1], np.int64), len(pictures))


def _mirrored(windows: NDArray[np.float32], filled: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.concatenate([windows, windows[:, :, ::-1]]), np.concatenate([filled, filled])


def _network() -> keras.Model:
    x = image = keras.Input((SIDE, SIDE, 1))
    for width in (16, 32, 48):
        x = layers.Conv2D(width, 3, padding="same", activation="relu")(x)
        x = layers.Conv2D(width, 3, 2, padding="same", activation="relu")(x)
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x))
