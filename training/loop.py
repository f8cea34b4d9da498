"""The training loop: one step, one epoch, checkpoints that a killed run goes on from.

``run_training`` is what to read first.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edge.contracts.manifest import LESION_MASK, MALIGNANCY
from edge.preprocess.preprocessor import Preprocessor
from training import network
from training.metrics import auc, dice
from training.samples import EpochSamples, Sample, plain
from training.weights import imagenet_lite0

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from training.datasets import Item
    from training.recipe import OptimiserSection, Recipe

MASK_CELL = 4
"""Tensor pixels for one cell of the mask head, to a side."""


def run_training(recipe: Recipe, items: Sequence[Item], out: Path, log: Callable[[str], None]) -> keras.Model:
    """Train to the recipe's last epoch, from the newest checkpoint in ``out`` if there is one; returns the model."""
    keras.utils.set_random_seed(recipe.seed)
    train = [item for item in items if item.split == "train"]
    preprocess = Preprocessor(recipe.preprocess)
    held = [plain(item, preprocess) for item in items if item.split == "val"]
    options = recipe.optimiser
    model = new_model(recipe)
    optimiser = keras.optimizers.AdamW(options.learning_rate, weight_decay=options.weight_decay)
    optimiser.build(model.trainable_variables)
    done = restore(out, model, optimiser)
    if done:
        log(f"going on after epoch {done}")
    steps = math.ceil((len(train) + recipe.mix.lesion_free + recipe.mix.phantoms) / options.batch)
    step = make_step(model, optimiser, options)
    for epoch in range(done, options.epochs):
        losses = []
        samples = EpochSamples(train, recipe, epoch)
        bar = tqdm(
            batches(samples, options.batch), total=steps, desc=f"epoch {epoch + 1}/{options.epochs}", mininterval=5
        )
        for number, batch in enumerate(bar):
            optimiser.learning_rate.assign(learning_rate(options, epoch * steps + number, steps))
            losses.append([float(v) for v in step(*batch)])
            bar.set_postfix(loss=f"{np.mean([sum(v) for v in losses[-20:]]):.3f}", refresh=False)
        save(out, model, optimiser, epoch + 1)
        mean = np.mean(losses, axis=0)
        found = validate(model, held)
        log(
            f"epoch {epoch + 1}/{options.epochs} malignancy {mean[0]:.4f} mask {mean[1]:.4f} "
            + " ".join(f"{k} {v:.4f}" for k, v in found.items())
        )
    return model


def new_model(recipe: Recipe) -> keras.Model:
    """The recipe's network with ImageNet weights, parts of it frozen."""
    shape = recipe.preprocess
    model = network.build(shape.width, shape.height, pyramid=recipe.network.pyramid, dropout=recipe.network.dropout)
    network.load_imagenet(model, imagenet_lite0())
    network.freeze(model, recipe.network.frozen_blocks)
    return model


def learning_rate(options: OptimiserSection, step: int, steps_per_epoch: int) -> float:
    """A linear rise over the first epoch, then a cosine to zero at the last step."""
    if step < steps_per_epoch:
        return options.learning_rate * (step + 1) / steps_per_epoch
    done = (step - steps_per_epoch) / max(1, (options.epochs - 1) * steps_per_epoch)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def batches(samples: EpochSamples, size: int) -> Iterator[tuple[Any, ...]]:
    """Batches of (tensors, masks at a quarter, labels, malignancy weights, mask weights), made ahead by a thread.

    The last batch wraps around to the first samples, so that all are of one size.
    """

    def make(start: int) -> tuple[Any, ...]:
        picked = [samples[i % len(samples)] for i in range(start, start + size)]
        masks = np.stack([s.mask for s in picked]).astype(np.float32)
        n, h, w = masks.shape
        masks = masks.reshape(n, h // MASK_CELL, MASK_CELL, w // MASK_CELL, MASK_CELL).mean((2, 4))[..., None]
        labels = np.array([s.label for s in picked])
        tensors = np.stack([s.tensor for s in picked])
        weights = np.array([s.mask_weight for s in picked], np.float32)
        return tensors, masks, np.maximum(labels, 0), (labels >= 0).astype(np.float32), weights

    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(make, start) for start in range(0, min(3 * size, len(samples)), size)]
        for start in range(3 * size, len(samples) + 3 * size, size):
            if not waiting:
                return
            ready = waiting.pop(0).result()
            if start < len(samples):
                waiting.append(pool.submit(make, start))
            yield tuple(tf.constant(part) for part in ready)


def make_step(model: keras.Model, optimiser: keras.Optimizer, options: OptimiserSection) -> Callable[..., Any]:
    """One step as a compiled function; it returns malignancy's and the mask's loss.

    Malignancy: cross-entropy with label smoothing over labelled samples. Mask: binary cross-entropy plus soft Dice
    (Milletari et al. 2016) for each sample, both weighted by sample.
    """

    @tf.function(jit_compile=False)
    def step(tensors: Any, masks: Any, labels: Any, label_weights: Any, mask_weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            heads = model(tf.cast(tensors, tf.float32), training=True)
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
        variables = model.trainable_variables
        optimiser.apply(tape.gradient(loss, variables), variables)
        return malignancy, mask

    return step


def predict(model: keras.Model, samples: Sequence[Sample], batch: int = 32) -> dict[str, Any]:
    """All heads over all samples, by name."""
    call = tf.function(lambda x: model(tf.cast(x, tf.float32), training=False))
    tensors = np.stack([s.tensor for s in samples])
    parts = [call(tensors[start : start + batch]) for start in range(0, len(tensors), batch)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def validate(model: keras.Model, held: Sequence[Sample]) -> dict[str, float]:
    """What an epoch's line in the log says of the validation pictures."""
    heads = predict(model, held)
    labels = np.array([s.label for s in held])
    masks = heads[LESION_MASK][..., 0].repeat(MASK_CELL, 1).repeat(MASK_CELL, 2) >= 0.5
    dices = [dice(found, sample.mask > 0) for found, sample in zip(masks, held, strict=True)]
    return {"val_auc": auc(labels, heads[MALIGNANCY][:, 1]), "val_dice": float(np.mean(dices))}


def save(out: Path, model: keras.Model, optimiser: keras.Optimizer, epoch: int) -> None:
    """Write a checkpoint beside the old one and put it in its place: a kill at any time leaves a whole one."""
    new, place = out / "checkpoint.new", out / "checkpoint"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    model.save_weights(new / "model.weights.h5")
    np.savez(new / "optimiser.npz", *[np.asarray(v) for v in optimiser.variables])
    (new / "epoch.json").write_text(json.dumps({"epoch": epoch}), encoding="utf-8")
    old = out / "checkpoint.old"
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


def restore(out: Path, model: keras.Model, optimiser: keras.Optimizer | None = None) -> int:
    """Load the newest whole checkpoint; returns the epochs that it has behind it, 0 where there is none."""
    places = [out / "checkpoint", out / "checkpoint.old"]
    place = next((p for p in places if (p / "epoch.json").is_file()), None)
    if place is None:
        return 0
    model.load_weights(place / "model.weights.h5")
    if optimiser is not None:
        with np.load(place / "optimiser.npz") as saved:
            for variable, name in zip(optimiser.variables, saved.files, strict=True):
                variable.assign(saved[name])
    return int(json.loads((place / "epoch.json").read_text(encoding="utf-8"))["epoch"])
