"""`tf.data` that streams: numbers go in, pictures are read, augmented and preprocessed as batches are asked for.

In memory are the list of paths and the batches that are being made; nothing grows with the pixels. Each sample is made
from (seed, epoch, number) alone, so that a resumed run and another number of workers see the same pictures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from edge.preprocess.preprocessor import Preprocessor
from training.augment.samples import Sample, augment, plain
from training.classify.split import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from training.classify.cache import PlainSamples
    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import Listed

CELL = 4
"""Tensor pixels to a cell of the mask head, on a side."""
READERS = 2
AHEAD = 2


class Maker:
    """Makes the sample of a number in an epoch."""

    def __init__(self, pictures: Sequence[Listed], recipe: ClassifierRecipe, kept: PlainSamples | None) -> None:
        self.pictures, self.recipe, self._kept = pictures, recipe, kept

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch, shuffled, filled up with its first ones to whole batches."""
        shuffled = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.pictures))
        return np.resize(shuffled, self.steps * self.recipe.optimiser.batch)

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return math.ceil(len(self.pictures) / self.recipe.optimiser.batch)

    def make(self, epoch: int, number: int) -> tuple[Any, ...]:
        """Tensor, label, its weight, mask at a quarter, its weight, and whether it is of the body part."""
        picture = self.pictures[number]
        if self._kept is not None:
            sample = self._kept[number]
        else:
            rng = np.random.default_rng((self.recipe.seed, epoch, 1 + number))
            sample = plain(augment(rng, picture.load()), Preprocessor(self.recipe.preprocess))
        return as_row(sample, picture)


def as_row(sample: Sample, picture: Listed) -> tuple[Any, ...]:
    """What a step takes of one sample."""
    h, w = sample.mask.shape
    mask = sample.mask.reshape(h // CELL, CELL, w // CELL, CELL).mean((1, 3), dtype=np.float32)[..., None]
    return (
        sample.tensor,
        np.int64(max(picture.label, 0)),
        np.float32(picture.label >= 0),
        mask,
        np.float32(picture.mask_known and picture.label != OTHER),
        np.float32(picture.label != OTHER),
    )


TYPES = (tf.uint8, tf.int64, tf.float32, tf.float32, tf.float32, tf.float32)


def train_batches(maker: Maker, epoch: int, size: int, part: int = 0, parts: int = 1) -> tf.data.Dataset:
    """Batches of ``size`` of an epoch; of ``parts`` pipelines this is number ``part``."""
    numbers = maker.order(epoch)[part::parts]
    preprocess = maker.recipe.preprocess
    shapes = (
        (preprocess.height, preprocess.width, preprocess.channels),
        (),
        (),
        (preprocess.height // CELL, preprocess.width // CELL, 1),
        (),
        (),
    )

    def make(number: Any) -> tuple[Any, ...]:
        row = tf.numpy_function(lambda n: maker.make(epoch, int(n)), [number], TYPES)
        return tuple(tf.ensure_shape(value, shape) for value, shape in zip(row, shapes, strict=True))

    data = tf.data.Dataset.from_tensor_slices(numbers).map(make, num_parallel_calls=READERS, deterministic=True)
    return data.batch(size, drop_remainder=True).prefetch(AHEAD)


def held_batches(samples: PlainSamples, size: int) -> Iterator[tuple[list[int], list[Sample]]]:
    """Numbers and samples of held-back pictures, ``size`` at a time."""
    for start in range(0, len(samples), size):
        numbers = list(range(start, min(start + size, len(samples))))
        yield numbers, [samples[number] for number in numbers]
