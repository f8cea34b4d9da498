"""Folds of a classifier's run: models of the same recipe, each of which never saw the part that it judges.

Temperature and thresholds that are chosen on their predictions (out of fold) rest on all pictures but those of the
test, where a single validation side holds a seventh of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.contracts.errors import ConfigError
from training.run_record import fold_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture


def make_folds(pictures: Sequence[ListedPicture], folds: int, seed: int) -> Iterator[list[ListedPicture]]:
    """Make the folds of all pictures but those of the test: in each, its own part is ``val``, the rest ``train``.

    Groups stay whole, classes keep about their proportions. Raises ConfigError for too few groups of a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    rest = [picture for picture in pictures if picture.split != "test"]
    labels, groups = [p.label for p in rest], [p.group for p in rest]
    for label in sorted({label for label in labels if label >= 0}):
        have = len({group for group, of in zip(groups, labels, strict=True) if of == label})
        if have < folds:
            raise ConfigError(
                f"expected {folds} groups or more of each class beside the test's for {folds} folds, got {have}",
                hint="gather more patients, or set fewer folds",
            )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for _, held in splitter.split(np.zeros(len(rest)), labels, groups):
        part = set(held.tolist())
        yield [replace(p, split="val" if number in part else "train") for number, p in enumerate(rest)]


def train_folds(
    recipe: ClassifierRecipe,
    pictures: Sequence[ListedPicture],
    classes: Sequence[str],
    out: Path,
    log: Callable[[str], None],
) -> list[Path]:
    """Train a model for each fold, and write its files as a run of its own; a finished one is left as it is.

    Returns their folders.
    """
    from training.classify.loop import train
    from training.classify.write_run import write_run

    alone = msgspec.structs.replace(recipe, folds=0)
    places = []
    for number, sided in enumerate(make_folds(pictures, recipe.folds, recipe.seed), 1):
        place = out / fold_place(number, recipe.folds)
        places.append(place)
        if (place / "recipe.toml").is_file():
            log(f"fold {number} of {recipe.folds} is there")
            continue
        log(f"fold {number} of {recipe.folds}")
        model, _ = train(alone, sided, classes, place, log)
        write_run(model, alone, sided, classes, place, log)
    return places
