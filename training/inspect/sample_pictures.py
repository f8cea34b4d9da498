"""Random selection of pictures for the contact sheet, from a folder or from the breast sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.classify.folder import list_folder
from training.classify.recipe import is_classifier, load_classifier
from training.classify.split import NO_LESION, OTHER

if TYPE_CHECKING:
    from pathlib import Path

    from edge.contracts.manifest import PreprocessRecipe
    from training.datasets import Item


def choose(data: Path, recipe: str, count: int, seed: int) -> tuple[list[Item], list[str], PreprocessRecipe]:
    """Choose pictures at random, with their labels and the recipe's preprocessing.

    Raises ConfigError where there are none.
    """
    rng = np.random.default_rng(seed)
    if is_classifier(recipe):
        chosen = load_classifier(recipe)
        listed, classes = list_folder(data, chosen)
        names = {NO_LESION: "no lesion", OTHER: "other"} | dict(enumerate(classes))
        picked = [listed[i] for i in sorted(rng.permutation(len(listed))[:count])]
        return _some([p.load() for p in picked], data), [names[p.label] for p in picked], chosen.preprocess
    from training.datasets import BENIGN, MALIGNANT, UNLABELLED, load_breast_sets
    from training.recipe import load_recipe

    breast = load_recipe(recipe)
    items, class_names = load_breast_sets(data), {BENIGN: "benign", MALIGNANT: "malignant", UNLABELLED: "no lesion"}
    shown = [items[i] for i in sorted(rng.permutation(len(items))[:count])]
    return shown, [class_names[item.label] for item in shown], breast.preprocess


def _some(items: list[Item], data: Path) -> list[Item]:
    from edge.contracts.errors import ConfigError

    if not items:
        raise ConfigError(f"{data} holds no pictures", hint="a folder for each class: DIR/class-name/*.png, jpg or dcm")
    return items
