"""Training loop of the breast model: losses, steps over cached views, checkpoint and validation after each epoch.

``run_training`` is what to read first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edge.contracts.errors import EdgeError
from edge.contracts.manifest import LESION_MASK, MALIGNANCY
from edge.preprocess.preprocessor import Preprocessor
from training import network
from training.augment.samples import Sample, to_sample
from training.augment.views import CELL, Views
from training.breast.learning_rates import LearningRates
from training.breast.weight_average import WeightAverage
from training.checkpoint import fingerprint, restore, save
from training.evaluation.metrics import auc, dice
from training.weights import imagenet_lite0

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from training.datasets import Item
    from training.recipe import OptimiserSection, Recipe


def run_training(
    recipe: Recipe, items: Sequence[Item], views: Views, out: Path, log: Callable[[str], None]
) -> keras.Model:
    """Train to the recipe's last epoch, from the newest checkpoint in ``out`` if there is one; return the model.

    ``items`` have their splits; ``views`` may hold more of them: only rows of the training split are read. Raises
    EdgeError for a loss that is not a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    wanted = {item.id for item in items if item.split == "train"}
    preprocess = Preprocessor(recipe.preprocess)
    held = [to_sample(item, preprocess) for item in items if item.split == "val"]
    options = recipe.optimiser
    model = new_model(recipe)
    taps, learner = network.taps(model), network.learner(model)
    frozen = tf.function(lambda x: taps(tf.cast(x, tf.float32), training=False))
    optimiser = LearningRates(learner, options)
    average = WeightAverage(learner.trainable_variables, options.averaging)
    made_by = fingerprint(recipe)
    done = restore(out, model, optimiser, average, made_by)
    if done:
        log(f"going on after epoch {done}")
    step = make_step(learner, optimiser, options)
    for epoch in range(done, options.epochs):
        place = views.ensure(epoch, lambda tensors: [part.numpy() for part in frozen(tensors)], log)
        data, steps = batches(place, wanted, options.batch, (recipe.seed, epoch))
        losses = []
        bar = tqdm(data, total=steps, desc=f"epoch {epoch + 1}/{options.epochs}", mininterval=10)
        for number, batch in enumerate(bar):
            optimiser.set(learning_rate(options, epoch * steps + number, steps))
            losses.append([float(v) for v in step(*batch)])
            average.update()
            bar.set_postfix(loss=f"{np.mean([sum(v) for v in losses[-20:]]):.3f}", refresh=False)
        mean = np.mean(losses, axis=0)
        if not np.all(np.isfinite(mean)):
            raise EdgeError(f"the loss is {mean} in epoch {epoch + 1}", hint="lower learning_rate in the recipe")
        save(out, model, optimiser, average, epoch + 1, made_by)  # after that check: the last one kept is whole
        with average.temporarily_applied():
            found = validate(model, held)
        log(
            f"epoch {epoch + 1}/{options.epochs} malignancy {mean[0]:.4f} mask {mean[1]:.4f} "
            + " ".join(f"{k} {v:.4f}" for k, v in found.items())
        )
    average.apply()
    return model


def new_model(recipe: Recipe) -> keras.Model:
    """Build the recipe's network with ImageNet weights, parts of it frozen."""
    shape, parts = recipe.preprocess, recipe.network
    model = network.build(shape.width, shape.height, pyramid=parts.pyramid, guided=parts.guided, dropout=parts.dropout)
    network.load_imagenet(model, imagenet_lite0())
    network.freeze(model)
    return model


def batches(place: Path, wanted: set[str], size: int, seed: tuple[int, int]) -> tuple[tf.data.Dataset, int]:
    """Read batches of (tap4, tap8, masks, labels, malignancy weights, mask weights) of one view, in shuffled order.

    Rows of pictures that are not in ``wanted`` are never read. Memory stays flat: the maps are read from disk as they
    are needed. The last batch wraps around to the first rows, so that all are of one size. Also returns the number of
    batches. Shapes: (size, h/4, w/4, 24) and (size, h/8, w/8, 40) float16, (size, h/4, w/4, 1) float32 0..1, (size,)
    int32, then twice (size,) float32.
    """
    maps = [np.load(place / f"{name}.npy", mmap_mode="r") for name in ("tap4", "tap8", "masks")]
    with np.load(place / "rows.npz") as file:
        rows = dict(file)
    mine = np.flatnonzero(
        [kind == "phantom" or name in wanted for name, kind in zip(rows["id"], rows["kind"], strict=True)]
    )
    order = np.random.default_rng(seed).permutation(mine)
    count = math.ceil(len(order) / size)
    order = np.resize(order, count * size).reshape(count, size)
    labels, weights = rows["label"].astype(np.int32), rows["weight"].astype(np.float32)

    def make() -> Iterator[tuple[Any, ...]]:
        for picked in order:
            tap4, tap8, masks = (part[picked] for part in maps)
            known = labels[picked]
            yield (
                tap4, tap8, masks[..., None].astype(np.float32) / 255,
                np.maximum(known, 0), (known >= 0).astype(np.float32), weights[picked],
            )  # fmt: skip

    shapes = [(size, *part.shape[1:]) for part in maps]
    signature = (
        tf.TensorSpec(shapes[0], tf.float16),
        tf.TensorSpec(shapes[1], tf.float16),
        tf.TensorSpec((*shapes[2], 1), tf.float32),
        tf.TensorSpec((size,), tf.int32),
        tf.TensorSpec((size,), tf.float32),
        tf.TensorSpec((size,), tf.float32),
    )
    return tf.data.Dataset.from_generator(make, output_signature=signature).prefetch(4), count


def learning_rate(options: OptimiserSection, step: int, steps_per_epoch: int) -> float:
    """Learning rate of a step: a linear rise over the first epoch, then a cosine to zero at the last step."""
    if step < steps_per_epoch:
        return options.learning_rate * (step + 1) / steps_per_epoch
    done = (step - steps_per_epoch) / max(1, (options.epochs - 1) * steps_per_epoch)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def make_step(learner: keras.Model, optimiser: LearningRates, options: OptimiserSection) -> Callable[..., Any]:
    """Compile one training step as a function; it returns the losses of malignancy and of the mask.

    Malignancy: cross-entropy with label smoothing over labelled samples. Mask: binary cross-entropy plus soft Dice
    (Milletari et al. 2016) for each sample, both weighted by sample.
    """

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]  # TensorFlow is not typed here
    def step(tap4: Any, tap8: Any, masks: Any, labels: Any, label_weights: Any, mask_weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            heads = learner([tf.cast(tap4, tf.float32), tf.cast(tap8, tf.float32)], training=True)
            wanted = tf.one_hot(labels, 2) * (1 - 2 * options.label_smoothing) + options.label_smoothing
            entropy = keras.losses.categorical_crossentropy(wanted, heads[MALIGNANCY])
            malignancy = tf.reduce_sum(entropy * label_weights) / tf.maximum(tf.reduce_sum(label_weights), 1.0)
            found = heads[LESION_MASK]
            cross = tf.reduce_mean(keras.losses.binary_crossentropy(masks, found), axis=(1, 2))
            overlap = tf.reduce_sum(masks * found, axis=(1, 2, 3))
            size = tf.reduce_sum(masks, axis=(1, 2, 3)) + tf.reduce_sum(found, axis=(1, 2, 3))
            mask = cross + 0.5 * (
                1 - (2 * overlap + 8.0) / (size + 8.0)
            )  # 8 cells: an empty mask found empty costs nothing
            mask = options.mask_weight * tf.reduce_sum(mask * mask_weights) / tf.reduce_sum(mask_weights)
            loss = malignancy + mask
        variables = learner.trainable_variables
        optimiser.apply(tape.gradient(loss, variables), variables)
        return malignancy, mask

    compiled: Callable[..., Any] = step
    return compiled


def predict(model: keras.Model, samples: Sequence[Sample], batch: int = 32) -> dict[str, Any]:
    """Run the model over all samples: every head by name, (n, …) float32."""
    call = tf.function(lambda x: model(tf.cast(x, tf.float32), training=False))
    tensors = np.stack([s.tensor for s in samples])
    parts = [call(tensors[start : start + batch]) for start in range(0, len(tensors), batch)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def validate(model: keras.Model, held: Sequence[Sample]) -> dict[str, float]:
    """Metrics of the validation pictures for an epoch's line in the log: AUC of malignancy, mean Dice of the mask."""
    heads = predict(model, held)
    labels = np.array([s.label for s in held])
    masks = heads[LESION_MASK][..., 0].repeat(CELL, 1).repeat(CELL, 2) >= 0.5
    dice_scores = [dice(found, sample.mask > 0) for found, sample in zip(masks, held, strict=True)]
    return {"val_auc": auc(labels, heads[MALIGNANCY][:, 1]), "val_dice": float(np.mean(dice_scores))}
