"""Training loop of a generator: first by the absolute difference alone, then beside a discriminator.

``train`` is what to read first. An epoch is a fixed number of steps; a checkpoint, a contact sheet and a line in
``log.jsonl`` follow each. The generator that is kept is the moving average of its weights.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edge.contracts.errors import EdgeError
from training.breast.weight_average import WeightAverage
from training.checkpoint import fingerprint, restore, save
from training.gan.filling_step import fill, generator_input, judged_input
from training.gan.networks import STRIDE, build_discriminator, build_generator
from training.gan.sheet import patch_sheet
from training.gan.warnings import texture_ratio, warnings_of
from training.inspect.contact_sheet import write_png

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.gan.patches import Patches, PatchSource
    from training.gan.settings import GanRecipe

LOG = "log.jsonl"
SHEETS = "sheets"
SHOWN = 24
"""Patches on an epoch's contact sheet; never the same seed as a training step."""


@dataclass(frozen=True)
class Trained:
    """What a training came to."""

    generator: keras.Model
    epochs: int
    hours: float
    stopped_by: Literal["epochs", "hours"]


class BothOptimisers:
    """State of both optimisers as one list of variables, for the checkpoint."""

    def __init__(self, *optimisers: keras.optimizers.Optimizer) -> None:
        self._optimisers = optimisers

    @property
    def variables(self) -> list[Any]:
        """All variables of both, always in the same order."""
        return [variable for each in self._optimisers for variable in each.variables]


class GanTraining:
    """Both networks, their optimisers and the compiled steps of one run."""

    def __init__(self, recipe: GanRecipe) -> None:
        keras.utils.set_random_seed(recipe.seed)
        options = recipe.optimiser
        self.recipe = recipe
        self.conditioned = recipe.task == "draw"
        self.generator = build_generator(recipe.generator, recipe.task)
        self.discriminator = build_discriminator(recipe.generator, recipe.task)
        self.both = keras.Model(
            [self.generator.inputs, self.discriminator.inputs], [self.generator.outputs, self.discriminator.outputs]
        )
        self.first = keras.optimizers.Adam(options.l1_rate)
        self.rival = keras.optimizers.Adam(options.learning_rate, beta_1=0.0, beta_2=0.9)
        self.judge = keras.optimizers.Adam(options.judge_rate, beta_1=0.0, beta_2=0.9)
        for optimiser, model in (
            (self.first, self.generator),
            (self.rival, self.generator),
            (self.judge, self.discriminator),
        ):
            optimiser.build(model.trainable_variables)
        self.optimisers = BothOptimisers(self.first, self.rival, self.judge)
        self.average = WeightAverage(self.generator.trainable_variables, options.averaging)
        self._l1_step = tf.function(self._difference_step, reduce_retracing=True)
        self._both_step = tf.function(self._adversarial_step, reduce_retracing=True)

    def step(self, patches: Patches, rng: np.random.Generator, *, judged: bool) -> list[float]:
        """One training step; returns the losses of generator, coarse difference and discriminator."""
        noise = rng.standard_normal(patches.pixels.shape, np.float32)
        run = self._both_step if judged else self._l1_step
        found = run(*map(tf.constant, (patches.pixels, patches.hole, patches.lesion, patches.label, noise)))
        self.average.update()
        return [float(value) for value in found]

    def filled(self, patches: Patches, seed: int) -> Any:
        """Fill patches with the weights as they are: (n, side, side, 1) float32, -1..1."""
        noise = np.random.default_rng(seed).standard_normal(patches.pixels.shape, np.float32)
        given = generator_input(
            patches.pixels, patches.hole, patches.lesion, patches.label, noise, conditioned=self.conditioned
        )
        return np.asarray(fill(self.generator, given, patches.pixels, patches.hole))

    def _difference_step(self, pixels: Any, hole: Any, lesion: Any, label: Any, noise: Any) -> tuple[Any, Any, Any]:
        given = generator_input(pixels, hole, lesion, label, noise, conditioned=self.conditioned)
        with tf.GradientTape() as tape:
            made = fill(self.generator, given, pixels, hole, training=True)
            loss = tf.reduce_sum(tf.abs(made - pixels)) / tf.reduce_sum(hole)
        self._apply(self.first, tape, loss, self.generator)
        return loss, loss, tf.constant(0.0)

    def _adversarial_step(self, pixels: Any, hole: Any, lesion: Any, label: Any, noise: Any) -> tuple[Any, Any, Any]:
        given = generator_input(pixels, hole, lesion, label, noise, conditioned=self.conditioned)
        where = tf.nn.max_pool2d(hole, STRIDE, STRIDE, "SAME")
        made = fill(self.generator, given, pixels, hole, training=True)
        with tf.GradientTape() as tape:  # hinge loss, as by Miyato et al. 2018
            seen_real = judged_input(pixels, hole, lesion, label, conditioned=self.conditioned)
            seen_made = judged_input(made, hole, lesion, label, conditioned=self.conditioned)
            real = self.discriminator(seen_real, training=True)
            fake = self.discriminator(seen_made, training=True)
            judge_loss = _mean_where(tf.nn.relu(1 - real) + tf.nn.relu(1 + fake), where)
        self._apply(self.judge, tape, judge_loss, self.discriminator)
        with tf.GradientTape() as tape:
            made = fill(self.generator, given, pixels, hole, training=True)
            seen_made = judged_input(made, hole, lesion, label, conditioned=self.conditioned)
            rival_loss = -_mean_where(self.discriminator(seen_made, training=False), where)
            coarse = tf.reduce_sum(tf.abs(_means(made - pixels))) / tf.reduce_sum(_means(hole))
            loss = rival_loss + self.recipe.optimiser.coarse_weight * coarse
        self._apply(self.rival, tape, loss, self.generator)
        return rival_loss, coarse, judge_loss

    def _apply(self, optimiser: keras.optimizers.Optimizer, tape: Any, loss: Any, model: keras.Model) -> None:
        variables = model.trainable_variables
        optimiser.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def train(recipe: GanRecipe, source: PatchSource, out: Path, log: Callable[[str], None], most_hours: float) -> Trained:
    """Train to the recipe's last epoch or for ``most_hours``, from the newest checkpoint in ``out`` if there is one.

    Raises EdgeError for a loss that is not a number.
    """
    run, options = GanTraining(recipe), recipe.optimiser
    made_by = fingerprint(recipe)
    done = restore(out, run.both, run.optimisers, run.average, made_by)
    hours = _hours_so_far(out, done)
    if done:
        log(f"going on after epoch {done}, {hours:.2f} hours")
    (out / SHEETS).mkdir(parents=True, exist_ok=True)
    while done < options.epochs and hours < most_hours:
        began = time.monotonic()
        judged = done >= options.l1_epochs
        losses = _epoch(run, source, done, judged=judged)
        if not np.all(np.isfinite(losses)):
            raise EdgeError(f"the loss is {losses} in epoch {done + 1}", hint="lower the learning rates")
        done += 1
        save(out, run.both, run.optimisers, run.average, done, made_by)
        with run.average.temporarily_applied():
            line = _look(run, source, out, done, judged=judged)
        hours += (time.monotonic() - began) / 3600
        line |= {"generator": losses[0], "coarse": losses[1], "discriminator": losses[2], "hours": round(hours, 4)}
        with (out / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        log(
            f"epoch {done}/{options.epochs} {'beside the judge' if judged else 'difference alone'}: "
            f"difference {losses[1]:.4f}, judge {losses[2]:.3f}, texture {line['texture']:.2f} of real"
        )
        for warning in warnings_of(out / LOG):
            log(f"warning: {warning}")
    run.average.apply()
    return Trained(run.generator, done, hours, "epochs" if done >= options.epochs else "hours")


def _epoch(run: GanTraining, source: PatchSource, number: int, *, judged: bool) -> list[float]:
    """Steps of one epoch; the mean of their losses."""
    recipe = run.recipe
    side = recipe.patch if judged else recipe.first_patch
    bar = tqdm(range(recipe.optimiser.steps), desc=f"epoch {number + 1}/{recipe.optimiser.epochs}", mininterval=10)
    losses = []
    for step in bar:
        rng = np.random.default_rng((recipe.seed, number, step))
        losses.append(run.step(source.batch(rng, recipe.optimiser.batch, side), rng, judged=judged))
        bar.set_postfix(difference=f"{np.mean(losses[-20:], axis=0)[1]:.3f}", refresh=False)
    return [float(value) for value in np.mean(losses, axis=0)]


def _look(run: GanTraining, source: PatchSource, out: Path, epoch: int, *, judged: bool) -> dict[str, Any]:
    """Fill the same patches after each epoch: their contact sheet, and how much grain they have."""
    patches = source.batch(np.random.default_rng((run.recipe.seed, 10**6)), SHOWN, run.recipe.patch)
    made = run.filled(patches, run.recipe.seed)
    write_png(out / SHEETS / f"epoch-{epoch:03}.png", patch_sheet(patches, made))
    return {"epoch": epoch, "judged": judged, "texture": texture_ratio(patches.pixels, made, patches.hole)}


def _hours_so_far(out: Path, epochs: int) -> float:
    """Hours that the epochs of the checkpoint took, by the log."""
    if not (out / LOG).is_file():
        return 0.0
    lines = [json.loads(line) for line in (out / LOG).read_text(encoding="utf-8").splitlines()]
    return max((float(line["hours"]) for line in lines if line["epoch"] <= epochs), default=0.0)


def _mean_where(values: Any, where: Any) -> Any:
    return tf.reduce_sum(values * where) / tf.maximum(tf.reduce_sum(where), 1.0)


def _means(values: Any) -> Any:
    return tf.nn.avg_pool2d(values, STRIDE, STRIDE, "SAME")
