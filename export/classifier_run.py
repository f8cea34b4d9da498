"""Read the folder of a classifier's training run (recipes text-cnn, folder and their like), as far as export needs it.

saved_model/         signature: image (1, height, width, channels) float32 0..255 -> probabilities of the classes, and
                     perhaps anatomy (1, 1)
recipe.toml          what it was made of and when, and the classes' names
representative.npz   tensors uint8: training pictures after preprocessing, for the ranges of quantisation
eval.npz             tensors, labels, groups, ids, split (val, test): pictures never trained on
fold-1-of-5/ …       where the recipe has folds: the same of each, whose val is the part that its model never saw
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from edge.contracts.errors import UsageError
from edge.contracts.manifest import ANATOMY, DataSource, PreprocessRecipe
from edge.preprocess.recipes import as_version_2
from export.run_folder import check_patients_apart, read_metrics, read_record, read_representative

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.contracts.picture_recipe import PictureRecipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HINT = "make one with: python -m training run --recipe folder --data DIR --out runs/<id>"
AGAIN = "run `python -m training run` with the same options again: it goes on from its last epoch, and keeps them"


class ClassifierExportRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """What export needs of the training recipe of a classifier or segmentation."""

    name: str
    body_part: str = ""
    preprocess: PreprocessRecipe
    colour: Literal["grey", "rgb"] = "grey"
    folds: int = 0
    data: list[DataSource] = []

    def picture_recipe(self) -> PictureRecipe:
        """Preprocessing recipe of version 2, as a device runs it."""
        return msgspec.structs.replace(as_version_2(self.preprocess), colour=self.colour)


class ClassifierRunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Record of a classifier's training run, its ``recipe.toml``."""

    recipe: ClassifierExportRecipe
    git_revision: str
    created: str
    task: str
    classes: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledPictures:
    """Held-out pictures of one split. Item ``i`` of each belongs to picture ``i``."""

    tensors: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255."""
    labels: NDArray[np.int64]
    """(n,) numbers of the classes."""
    groups: NDArray[np.str_]
    """(n,) the patient."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ClassifierRun:
    """A classifier's training run, read from its folder."""

    path: Path
    record: ClassifierRunRecord
    representative: NDArray[np.uint8]
    """(n, height, width, channels) uint8, 0 to 255: training pictures, for the ranges of quantisation."""
    val: LabelledPictures
    test: LabelledPictures
    """Empty in a fold."""

    @property
    def folds(self) -> list[Path]:
        """Folders of the folds' runs; empty where the recipe has none."""
        count = self.record.recipe.folds
        return [self.path / f"fold-{number}-of-{count}" for number in range(1, count + 1)]

    @property
    def metrics(self) -> dict[str, Any]:
        """Metrics that training wrote to ``metrics.json``; empty where there is none."""
        return read_metrics(self.path)


def class_output(heads: Iterable[str]) -> str:
    """Name of the output that holds the classes, of a model that may have an anatomy head beside it."""
    (name,) = (head for head in heads if head != ANATOMY)
    return name


def is_classifier_run(path: Path) -> bool:
    """Whether a folder holds the run of a classifier without a mask: what it ends in has labels alone."""
    return recipe_heads(path) == "classes"


def recipe_heads(path: Path) -> str:
    """What the network of a run has as heads: ``classes``, ``mask`` or ``bundle``; empty for another run, or none."""
    try:
        record = tomllib.loads((path / "recipe.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return ""  # who opens it next says what is wrong
    recipe = record.get("recipe", {})
    return str(recipe.get("network", {}).get("heads", "classes")) if recipe.get("kind") == "classifier" else ""


def open_classifier_run(path: Path, sides: tuple[str, ...] = ("val", "test")) -> ClassifierRun:
    """Read the folder of a classifier's run. Raises UsageError, naming what is missing or of another shape.

    ``sides``: those that it must have; of a fold ``val`` alone.
    """
    record = read_record(path, ClassifierRunRecord, HINT)
    representative = read_representative(path, record.recipe.preprocess, HINT)
    with np.load(path / "eval.npz") as file:
        arrays = {name: file[name] for name in ("tensors", "labels", "groups", "split")}
    held = {}
    for side in ("val", "test"):
        rows = (arrays["split"] == side) & (arrays["labels"] >= 0)
        if side in sides and not rows.any():
            raise UsageError(f"{path} kept no held-back picture of {side}", hint=AGAIN)
        held[side] = LabelledPictures(
            arrays["tensors"][rows], arrays["labels"][rows].astype(np.int64), arrays["groups"][rows]
        )
    check_patients_apart(held["val"].groups, held["test"].groups, HINT)
    return ClassifierRun(path, record, representative, held["val"], held["test"])
