"""Predictions of a classifier for held-out pictures, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from edge.contracts.manifest import LESION_MASK
from training.classify.input_pipeline import sample_batches
from training.evaluation.metrics import dice

if TYPE_CHECKING:
    import keras

    from training.classify.cache import SampleCache

BATCH = 32


def predict(model: keras.Model, samples: SampleCache) -> dict[str, Any]:
    """Predict all heads but the mask, by name, (n, …) float32; of the mask its Dice with the truth, ``dice`` (n,)."""
    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    # Traced here: a function that traces when it is first called is taken for one made in a loop, and TensorFlow warns.
    call = tf.function(lambda x: model(tf.cast(x, tf.float32), training=False)).get_concrete_function(shape)
    parts: dict[str, list[Any]] = {}
    for _, batch in sample_batches(samples, BATCH):
        heads = {name: value.numpy() for name, value in call(tf.constant(np.stack([s.tensor for s in batch]))).items()}
        if LESION_MASK in heads:
            found = heads.pop(LESION_MASK)[..., 0]
            scale = batch[0].mask.shape[0] // found.shape[1]
            wide = found.repeat(scale, 1).repeat(scale, 2) >= 0.5
            heads["dice"] = np.array([dice(f, s.mask > 0) for f, s in zip(wide, batch, strict=True)])
        for name, values in heads.items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}
