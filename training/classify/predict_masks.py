"""Predictions of a segmentation network for held-out pictures, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from training.classify.input_pipeline import sample_batches
from training.classify.mask_network import MASK
from training.classify.mask_predictions import count_pixels

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray

    from training.classify.cache import SampleCache

BATCH = 16


def predict_masks(model: keras.Model, samples: SampleCache) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Pixel counts (n, k, k) and the found classes (n, h, w), h and w of the network's map, for held-out pictures."""
    shape = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    call = tf.function(lambda x: model(tf.cast(x, tf.float32), training=False)[MASK]).get_concrete_function(shape)
    counts, found = [], []
    for _, batch in sample_batches(samples, BATCH):
        maps: NDArray[Any] = call(tf.constant(np.stack([s.tensor for s in batch]))).numpy()
        counts += [count_pixels(each, s.mask) for each, s in zip(maps, batch, strict=True)]
        found.append(maps.argmax(axis=3).astype(np.uint8))
    return np.stack(counts), np.concatenate(found)
