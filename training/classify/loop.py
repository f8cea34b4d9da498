"""Training loop of the classifiers, on one device or many: optimiser, loss, epochs. READ `train` FIRST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edge.contracts.errors import ConfigError, EdgeError
from edge.contracts.manifest import ANATOMY, LESION_MASK
from training.checkpoint import fingerprint, restore, save
from training.classify import networks
from training.classify.cache import SampleCache
from training.classify.distribute import is_chief, make_strategy
from training.classify.input_pipeline import EpochSampler, train_batches
from training.classify.mask_metrics import mean_dice
from training.classify.mask_network import MASK
from training.classify.predict import predict
from training.classify.predict_masks import predict_masks
from training.classify.tensorboard import SAMPLES, NoBoard, make_board

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.recipe import ClassifierOptimiserSection, ClassifierRecipe
    from training.classify.split import ListedPicture
    from training.classify.tensorboard import Board


def train(
    recipe: ClassifierRecipe,
    pictures: Sequence[ListedPicture],
    classes: Sequence[str],
    out: Path,
    log: Callable[[str], None],
    tensorboard: bool = False,
) -> tuple[keras.Model, tf.distribute.Strategy]:
    """Train to the recipe's last epoch, from the newest checkpoint in ``out`` if there is one.

    Returns the model, free of any strategy, and the strategy that it was trained under. Raises EdgeError for a loss
    that is not a number.
    """
    keras.utils.set_random_seed(recipe.seed)
    cache = out / "cache"
    sides = {side: [p for p in pictures if p.split == side] for side in ("train", "val")}
    board = make_board(out, tensorboard and is_chief(recipe))
    kept = None if recipe.augment else SampleCache(sides["train"], recipe, cache)
    sampler = EpochSampler(sides["train"], recipe, kept)
    held = SampleCache([p for p in sides["val"] if p.label >= 0], recipe, cache)
    strategy = make_strategy(recipe)
    with strategy.scope():
        model = networks.build(recipe, len(classes))
        optimiser = make_optimiser(recipe.optimiser, sampler.steps)
        optimiser.build(model.trainable_variables)
        made_by = fingerprint(recipe)
        done = restore(out, model, optimiser, None, made_by)
    if done:
        log(f"going on after epoch {done}")
    plain = model
    if strategy.num_replicas_in_sync > 1:
        plain = networks.build(recipe, len(classes))  # validation and files need no strategy
        log(f"{strategy.num_replicas_in_sync} replicas share each batch of {recipe.optimiser.batch}")
    chief = is_chief(recipe)
    step = make_step(model, optimiser, recipe.optimiser, strategy)
    if not isinstance(board, NoBoard):
        board.samples(np.stack([sampler.make(0, number)[0] for number in range(min(SAMPLES, len(sides["train"])))]))
    for epoch in range(done, recipe.optimiser.epochs):
        loss = run_epoch(recipe, sampler, strategy, step, epoch, progress=chief)
        plain.set_weights(model.get_weights())
        if not chief:
            continue
        save(out, model, optimiser, None, epoch + 1, made_by)
        name, value = judge_epoch(plain, held, board, epoch + 1, loss)
        log(f"epoch {epoch + 1}/{recipe.optimiser.epochs} loss {loss:.4f} val_{name} {value:.4f}")
    plain.set_weights(model.get_weights())
    return plain, strategy


def run_epoch(
    recipe: ClassifierRecipe,
    sampler: EpochSampler,
    strategy: tf.distribute.Strategy,
    step: Callable[..., Any],
    epoch: int,
    progress: bool = True,
) -> float:
    """Train one epoch and return the mean loss.

    Raises EdgeError for a loss that is not a number, ConfigError for a picture that can no longer be read.
    """

    def batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
        size = context.get_per_replica_batch_size(recipe.optimiser.batch)
        return train_batches(sampler, epoch, size, context.input_pipeline_id, context.num_input_pipelines)

    losses: list[float] = []
    name = f"epoch {epoch + 1}/{recipe.optimiser.epochs}"
    data = _readable(strategy.distribute_datasets_from_function(batches))
    for batch in (bar := tqdm(data, total=sampler.steps, desc=name, mininterval=2, disable=not progress)):
        losses.append(float(step(*batch)))
        if not np.isfinite(losses[-1]):
            raise EdgeError(
                f"the loss is {losses[-1]} in step {len(losses)} of epoch {epoch + 1}",
                hint="a learning rate that is too high does that: lower [optimiser] learning_rate; the checkpoint "
                "of the last epoch is whole",
            )
        bar.set_postfix(loss=f"{np.mean(losses[-20:]):.3f}", refresh=False)
    return float(np.mean(losses))


def _readable(data: Any) -> Iterator[Any]:
    """Iterate over the batches; what a reading thread raised becomes a ConfigError."""
    try:
        yield from data
    except (tf.errors.UnknownError, tf.errors.InvalidArgumentError) as error:
        lines = [line for line in str(error.message).splitlines() if "Error" in line]
        raise ConfigError(
            f"a picture could not be read: {(lines or [str(error.message)])[0][:300]}",
            hint="start again: all pictures are read once before training, and what is broken is named",
        ) from error


def make_optimiser(options: ClassifierOptimiserSection, steps: int) -> keras.optimizers.Optimizer:
    """Make the Adam optimiser, with the recipe's schedule over all of its epochs."""
    rate: Any = options.learning_rate
    if options.schedule == "cosine":
        total = options.epochs * steps
        warm = max(1, total // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            rate / warm, max(1, total - warm), warmup_target=rate, warmup_steps=warm
        )
    if options.weight_decay:
        return keras.optimizers.AdamW(rate, weight_decay=options.weight_decay)
    return keras.optimizers.Adam(rate)


def make_step(
    model: keras.Model,
    optimiser: keras.optimizers.Optimizer,
    options: ClassifierOptimiserSection,
    strategy: tf.distribute.Strategy,
) -> Callable[..., Any]:
    """Compile one training step over all replicas as a function; it returns the batch's loss.

    Losses are sums over samples divided by the whole batch, so that replicas' sums are the batch's mean.
    """
    if MASK in model.output:
        return compile_step(model, optimiser, options, strategy, mask_classes_loss)
    head = networks.class_head(model)
    classes = model.output[head].shape[-1]

    def losses(heads: Any, labels: Any, label_weights: Any, masks: Any, mask_weights: Any, belongs: Any) -> Any:
        wanted = tf.one_hot(labels, classes)
        wanted = wanted * (1 - options.label_smoothing) + options.label_smoothing / classes
        loss = keras.losses.categorical_crossentropy(wanted, heads[head]) * label_weights
        if LESION_MASK in heads:
            loss += mask_loss(masks, heads[LESION_MASK]) * mask_weights
        if ANATOMY in heads:
            loss += keras.losses.binary_crossentropy(belongs[:, None], heads[ANATOMY])
        return loss

    return compile_step(model, optimiser, options, strategy, losses)


def compile_step(
    model: keras.Model,
    optimiser: keras.optimizers.Optimizer,
    options: ClassifierOptimiserSection,
    strategy: tf.distribute.Strategy,
    losses: Callable[..., Any],
) -> Callable[..., Any]:
    """Compile a training step; ``losses``: the heads and what the pipeline gives beside tensors, to losses (n,)."""
    variables = model.trainable_variables

    def one(tensors: Any, *wanted: Any) -> Any:
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(losses(model(tf.cast(tensors, tf.float32), training=True), *wanted)) / options.batch
        optimiser.apply(tape.gradient(total, variables), variables)
        return total

    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]  # TensorFlow is not typed here
    def step(*batch: Any) -> Any:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(one, args=batch), axis=None)

    compiled: Callable[..., Any] = step
    return compiled


def mask_loss(masks: Any, found: Any) -> Any:
    """Loss of masks (n, h, w, 1), (n,): binary cross-entropy plus half of soft Dice (Milletari et al. 2016)."""
    cross = tf.reduce_mean(keras.losses.binary_crossentropy(masks, found), axis=(1, 2))
    overlap = tf.reduce_sum(masks * found, axis=(1, 2, 3))
    size = tf.reduce_sum(masks, axis=(1, 2, 3)) + tf.reduce_sum(found, axis=(1, 2, 3))
    return cross + 0.5 * (1 - (2 * overlap + 8.0) / (size + 8.0))  # 8 cells: an empty mask found empty costs nothing


def mask_classes_loss(heads: Any, _labels: Any, _label_weights: Any, masks: Any, *_rest: Any) -> Any:
    """Loss (n,) of maps of classes: cross-entropy, plus half of soft Dice over the classes but the background."""
    found = heads[MASK]
    wanted = tf.one_hot(tf.cast(masks[..., 0], tf.int32), found.shape[-1])
    cross = tf.reduce_mean(keras.losses.categorical_crossentropy(wanted, found), axis=(1, 2))
    overlap = tf.reduce_sum(wanted * found, axis=(1, 2))[:, 1:]
    size = tf.reduce_sum(wanted + found, axis=(1, 2))[:, 1:]
    return cross + 0.5 * tf.reduce_mean(1 - (2 * overlap + 8.0) / (size + 8.0), axis=1)


def judge_epoch(model: keras.Model, held: SampleCache, board: Board, epoch: int, loss: float) -> tuple[str, float]:
    """Judge the validation pictures after an epoch, and show it: name and value of what people look at."""
    if MASK in model.output:
        value = mean_dice(predict_masks(model, held)[0])
        board.masks(epoch, loss, value)
        return "dice", value
    scores, labels = validate(model, held)
    board.epoch(epoch, loss, scores, labels)
    return "accuracy", float((scores.argmax(axis=1) == labels).mean())


def validate(model: keras.Model, held: SampleCache) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Probabilities (n, k) of the validation pictures, and the numbers of their classes (n,)."""
    scores: NDArray[np.float32] = predict(model, held)[networks.class_head(model)]
    return scores, np.array([picture.label for picture in held.pictures], np.int64)
