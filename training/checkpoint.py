"""Checkpoint of a training run: a killed run resumes from it, and a run of another recipe is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import keras

    from training.recipe import RecipeSection

NOT_LEARNT_BY = ("data", "gate", "distribute", "folds")
"""Sections that say nothing of what the weights learn, or from which pictures."""


ADDED = {"colour": "grey"}
"""Keys that recipes got later, and what held before: a run that was begun then goes on."""


class OptimiserState(Protocol):
    """Optimiser whose whole state is a list of variables: Keras' own, or `training.breast.learning_rates`."""

    @property
    def variables(self) -> Sequence[Any]:
        """All variables of the optimiser, always in the same order."""


class AveragedWeights(Protocol):
    """Moving average of the weights, as `training.breast.weight_average.WeightAverage` keeps it."""

    values: list[Any]
    """TensorFlow variables, in the order of the network's trainable ones."""
    steps: int
    """Training steps that the average has seen."""


def fingerprint(recipe: RecipeSection) -> str:
    """SHA-256 of the recipe settings that influence the weights; the number of epochs is left out, as it may grow."""
    parts = {name: value for name, value in msgspec.to_builtins(recipe).items() if name not in NOT_LEARNT_BY}
    parts = {name: value for name, value in parts.items() if ADDED.get(name) != value}
    parts["optimiser"] = {name: value for name, value in parts["optimiser"].items() if name != "epochs"}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def save(
    out: Path,
    model: keras.Model,
    optimiser: OptimiserState,
    average: AveragedWeights | None,
    epoch: int,
    made_by: str,
) -> None:
    """Write a checkpoint beside the old one and put it in its place: a kill at any time leaves a whole one.

    ``average`` None: the loop keeps none. ``made_by``: the recipe's `fingerprint`.
    """
    new, place, old = out / "checkpoint.new", out / "checkpoint", out / "checkpoint.old"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    model.save_weights(new / "model.weights.h5")
    np.savez(new / "optimiser.npz", *[np.asarray(v) for v in optimiser.variables])
    if average is not None:
        np.savez(new / "average.npz", *[v.numpy() for v in average.values], steps=average.steps)
    (new / "epoch.json").write_text(json.dumps({"epoch": epoch, "recipe": made_by}), encoding="utf-8")
    if place.exists():  # else what a kill left as ``old`` is the only whole one until ``new`` stands in its place
        shutil.rmtree(old, ignore_errors=True)
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


def restore(
    out: Path, model: keras.Model, optimiser: OptimiserState, average: AveragedWeights | None, made_by: str
) -> int:
    """Load the newest whole checkpoint; return the number of epochs that were trained, 0 where there is none.

    Raises ConfigError for another recipe's: its weights may have learnt what this one holds back. A checkpoint that
    does not name its recipe is taken.
    """
    places = [out / "checkpoint", out / "checkpoint.old"]
    place = next((p for p in places if (p / "epoch.json").is_file()), None)
    if place is None:
        return 0
    saved_epoch: dict[str, Any] = json.loads((place / "epoch.json").read_text(encoding="utf-8"))
    if saved_epoch.get("recipe", made_by) != made_by:
        raise ConfigError(
            f"{place} was made by another recipe or protocol",
            hint="give another --out, or the options that it was begun with; only the number of epochs may differ",
        )
    model.load_weights(place / "model.weights.h5")
    with np.load(place / "optimiser.npz") as saved:
        for variable, name in zip(optimiser.variables, saved.files, strict=True):
            variable.assign(saved[name])
    if average is not None:
        with np.load(place / "average.npz") as saved:
            average.steps = int(saved["steps"])
            for number, value in enumerate(average.values):
                value.assign(saved[f"arr_{number}"])
    return int(saved_epoch["epoch"])
