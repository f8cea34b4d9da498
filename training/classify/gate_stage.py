"""Anatomy gate of a classifier's run: fitted on the trained network's own features, as the breast model's is.

Positives are the training pictures in every scan shape; negatives are files of other organs, distortions of the
training pictures, drawn organs, test cards and photographs, each in several shapes: a shape tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts.errors import UsageError
from training.gate.examples import examples
from training.gate.file_negatives import from_folder
from training.recipe import GateSection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import keras
    from numpy.typing import NDArray

    from training.classify.cache import SampleCache
    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture

KEPT = 60
"""Examples of negatives that calibrate the quantisation beside training pictures."""


@dataclass(frozen=True, eq=False)
class GatedModel:
    """A classifier with its fitted anatomy gate, how it was evaluated, and some of what it learnt from."""

    model: keras.Model
    report: dict[str, Any]
    """For ``metrics.json``."""
    tensors: NDArray[np.uint8]
    """(n, height, width, channels) of negatives."""


def check_gate_possible(recipe: ClassifierRecipe) -> None:
    """Raise UsageError for a network whose features no gate can be fitted on."""
    network = recipe.network
    if network.backbone != "lite0" or network.heads != "classes":
        raise UsageError(
            f"--gate-negatives wants the backbone lite0 with heads = classes, the recipe {recipe.name} has "
            f"{network.backbone} with {network.heads}",
            hint="use recipe folder, or leave --gate-negatives out: the model then says that it has no gate",
        )
    if recipe.colour != "grey":
        raise UsageError("--gate-negatives wants grey pictures, as scanners give them", hint="leave --colour out")


def gate_classifier(
    model: keras.Model,
    recipe: ClassifierRecipe,
    pictures: Sequence[ListedPicture],
    held: SampleCache,
    negatives: Path,
    log: Callable[[str], None],
) -> GatedModel:
    """Fit the anatomy gate and add it to the model as a head. ``held``: validation pictures, for its limit."""
    from training.gate.fit_stage import fit_gate

    files = from_folder(negatives, log)
    log(f"gate: {len(files)} pictures of other things, {len({each.family for each in files})} families")
    learnt = examples([p.load() for p in pictures if p.split == "train"], files, recipe, breasts=False)
    seen = np.stack([held[number].tensor for number in range(len(held))])
    options = GateSection()
    fitted = fit_gate(model, recipe, options, learnt, files, seen, log)
    other = np.flatnonzero(learnt.wanted == 0)
    chosen = np.random.default_rng(recipe.seed).permutation(other)[:KEPT]
    return GatedModel(fitted.model, fitted.report, learnt.tensors[chosen])
