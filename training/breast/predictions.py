"""Predictions of a run's model for every picture that it never learnt from: the columns of ``predictions.npz``.

One row a picture, the same in every run, so that folds can be pooled (`training.breast.cross_validation`) and
everything that is reported can be computed again without the model:

    ids, groups, sources, devices, birads    str (n,); empty: not known
    labels       int8 (n,)         0 benign, 1 malignant, -1 no lesion
    split        str (n,)          val or test
    tensors      uint8 (n, h, w, 3)   grey in three channels, as the device sees them
    masks        uint8 (n, h, w)      1 where there is lesion
    malignancy   float32 (n,)      probability, not calibrated
    flipped      float32 (n,)      ... of the mirrored tensor
    zoomed       float32 (n,)      ... of the tensor shrunk to 85 % on black
    lesion       uint8 (n, h/4, w/4)  probability of lesion, 255 = certain
    anatomy      float32 (n,)      NaN: this run has no gate
    embedding    float16 (n, d)    the features that malignancy is judged by
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from edge.contracts.manifest import ANATOMY, LESION_MASK, MALIGNANCY
from training import network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from training.augment.samples import Sample
    from training.datasets import Item

ZOOM = 0.85
BATCH = 32


def predictions(model: keras.Model, held: Sequence[Item], samples: Sequence[Sample]) -> dict[str, NDArray[Any]]:
    """Compute all columns for held-out items and their samples, which are not augmented.

    Returns the arrays that this module's docstring lists, in the order of ``held``.
    """
    tensors = np.stack([s.tensor for s in samples])
    whole = keras.Model(model.inputs, {**model.output, "embedding": network.embedding(model)})
    call = tf.function(lambda x: whole(tf.cast(x, tf.float32), training=False))

    def run(pictures: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        rows = []
        for start in range(0, len(pictures), BATCH):
            outputs = call(tf.constant(pictures[start : start + BATCH]))
            outputs["embedding"] = tf.concat(outputs["embedding"], axis=1)
            rows.append({name: part.numpy() for name, part in outputs.items()})
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    heads = run(tensors)
    anatomy = heads[ANATOMY][:, 0] if ANATOMY in heads else np.full(len(held), np.nan)
    return {
        "ids": np.array([i.id for i in held]),
        "groups": np.array([i.group for i in held]),
        "sources": np.array([i.source for i in held]),
        "devices": np.array([i.device for i in held]),
        "birads": np.array([i.birads for i in held]),
        "labels": np.array([s.label for s in samples], np.int8),
        "split": np.array([i.split for i in held]),
        "tensors": tensors,
        "masks": np.stack([s.mask for s in samples]),
        "malignancy": heads[MALIGNANCY][:, 1].astype(np.float32),
        "flipped": run(tensors[:, :, ::-1])[MALIGNANCY][:, 1].astype(np.float32),
        "zoomed": run(np.stack([shrunk(t) for t in tensors]))[MALIGNANCY][:, 1].astype(np.float32),
        "lesion": np.round(255 * heads[LESION_MASK][..., 0]).astype(np.uint8),
        "anatomy": anatomy.astype(np.float32),
        "embedding": heads["embedding"].astype(np.float16),
    }


def shrunk(tensor: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink a picture to `ZOOM` of its size in the middle of a black tensor: (h, w, 3) uint8 to the same."""
    height, width = tensor.shape[:2]
    small = cv2.resize(tensor, (round(width * ZOOM), round(height * ZOOM)), interpolation=cv2.INTER_AREA)
    y, x = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out = np.zeros_like(tensor)
    out[y : y + small.shape[0], x : x + small.shape[1]] = small
    return out
