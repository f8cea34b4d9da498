"""Input pipeline of `tf.data` that streams: pictures are read, augmented and preprocessed as batches are asked for.

In memory are the list of paths and the batches that are being made; nothing grows with the pixels. Each sample is made
from (seed, epoch, number) alone, so that a resumed run and another number of workers see the same pictures.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from training.classify.item_sample import augment, coarse_classes, make_preprocessor, make_sample
from training.classify.mask_network import CELL as MASK_CELL
from training.classify.split import OTHER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from training.augment.samples import Sample
    from training.classify.cache import SampleCache
    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture

CELL = 4
"""Side of one cell of the mask head, in pixels of the tensor."""
READERS = 2
AHEAD = 2


class EpochSampler:
    """Sampler that makes the training samples of an epoch by number, from the seed, the epoch and the number alone."""

    def __init__(self, pictures: Sequence[ListedPicture], recipe: ClassifierRecipe, cache: SampleCache | None) -> None:
        self.pictures, self.recipe, self._cache = pictures, recipe, cache

    def order(self, epoch: int) -> NDArray[np.int_]:
        """Order of an epoch: numbers of pictures (n,), shuffled, filled up with the first ones to whole batches."""
        shuffled = np.random.default_rng((self.recipe.seed, epoch)).permutation(len(self.pictures))
        return np.resize(shuffled, self.steps * self.recipe.optimiser.batch)

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return math.ceil(len(self.pictures) / self.recipe.optimiser.batch)

    def make(self, epoch: int, number: int) -> tuple[Any, ...]:
        """Make one sample and return what a training step takes of it (`to_step_inputs`)."""
        picture = self.pictures[number]
        if self._cache is not None:
            sample = self._cache[number]
        else:
            rng = np.random.default_rng((self.recipe.seed, epoch, 1 + number))
            sample = make_sample(augment(rng, picture.load()), make_preprocessor(self.recipe))
        return to_step_inputs(sample, picture, self.recipe.network.heads == "mask")


def to_step_inputs(sample: Sample, picture: ListedPicture, classes: bool = False) -> tuple[Any, ...]:
    """Inputs of a training step from one sample, in the order of `TYPES`.

    Tensor (h, w, 3) uint8, label, weight of the label, mask (h/4, w/4, 1) float32 as share of lesion, weight of the
    mask, and 1 where the picture is of the body part. With ``classes`` the mask is (h/2, w/2, 1), the class's number.
    """
    h, w = sample.mask.shape
    if classes:
        mask = coarse_classes(sample.mask, MASK_CELL).astype(np.float32)[..., None]
    else:
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


def train_batches(sampler: EpochSampler, epoch: int, size: int, part: int = 0, parts: int = 1) -> tf.data.Dataset:
    """Make the batches of ``size`` samples of an epoch; of ``parts`` pipelines this is number ``part``."""
    numbers = sampler.order(epoch)[part::parts]
    preprocess = sampler.recipe.preprocess
    cell = MASK_CELL if sampler.recipe.network.heads == "mask" else CELL
    shapes = (
        (preprocess.height, preprocess.width, preprocess.channels),
        (),
        (),
        (preprocess.height // cell, preprocess.width // cell, 1),
        (),
        (),
    )

    def make(number: Any) -> tuple[Any, ...]:
        row = tf.numpy_function(lambda n: sampler.make(epoch, int(n)), [number], TYPES)
        return tuple(tf.ensure_shape(value, shape) for value, shape in zip(row, shapes, strict=True))

    data = tf.data.Dataset.from_tensor_slices(numbers).map(make, num_parallel_calls=READERS, deterministic=True)
    return data.batch(size, drop_remainder=True).prefetch(AHEAD)


def sample_batches(samples: SampleCache, size: int) -> Iterator[tuple[list[int], list[Sample]]]:
    """Iterate over numbers and samples of held-out pictures, ``size`` at a time."""
    for start in range(0, len(samples), size):
        numbers = list(range(start, min(start + size, len(samples))))
        yield numbers, [samples[number] for number in numbers]
