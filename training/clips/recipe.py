"""Recipe of a clip run as a typed TOML file with ``kind = "clip"``, and the record that a finished one keeps."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import DataSource
from training.classify.recipe import SplitSection
from training.recipe import Positive, RecipeSection, decode, recipe_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


class ClipNetworkSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the recurrent network and its fit."""

    units: Annotated[int, msgspec.Meta(ge=4, le=256)] = 32
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 60
    batch: Annotated[int, msgspec.Meta(ge=2)] = 32
    learning_rate: Positive = 5e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.01


class ClipRecipe(RecipeSection, frozen=True, kw_only=True):
    """Whole recipe of a clip run, as read from its TOML file."""

    kind: Literal["clip"]
    name: str
    seed: int = 1
    model: str = ""
    """Path of the lesion bundle whose answers are joined, from where the command is run. Empty: the one that ships. It
    must not have learnt from the patients of these clips, or what it says of them is too sure."""
    classes: list[str] = []
    """Names of two class folders, the harmless one first; empty: the two that there are, by name."""
    unlabelled: list[str] = []
    """Folders of clips without a lesion: they teach when a lesion is there, and nothing of malignancy. Where
    ``classes`` is empty, a folder of this name counts as such only if there are two others."""
    other: list[str] = []
    """Folders of clips of anything else: as those without a lesion."""
    decides: tuple[Literal["new", "malignancy"], ...] = ("malignancy",)
    """What the step decides on the device in place of the rules: when a lesion is new, what a clip says."""
    network: ClipNetworkSection = ClipNetworkSection()
    split: SplitSection = SplitSection(val=0.2, test=0.2)
    data: list[DataSource] = []


class ClipRecord(RecipeSection, frozen=True, kw_only=True):
    """Record of a finished clip run, its ``recipe.toml``: the recipe, and what only the run knows."""

    recipe: ClipRecipe
    git_revision: str
    created: str
    """RFC 3339, UTC."""
    task: str = "clip"
    classes: list[str]
    frame_model_sha256: str
    """``graph_sha256`` of the model whose answers were joined."""
    new_from: float | None = None
    joins: bool = False
    method: str = ""


def is_clip_recipe(name: str) -> bool:
    """Whether a recipe, by name or path, is about clips. Raises ConfigError where there is none of that name."""
    try:
        return bool(tomllib.loads(recipe_path(name).read_text(encoding="utf-8")).get("kind") == "clip")
    except tomllib.TOMLDecodeError:
        return False  # who reads it next says where it is broken


def is_clip_run(run: Path) -> bool:
    """Whether a folder holds the run of a clip recipe."""
    try:
        record = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return bool(record.get("recipe", {}).get("kind") == "clip")


def load_clip_recipe(name: str) -> ClipRecipe:
    """Read a clip recipe by name or path. Raises ConfigError if it is none, or its parts do not fit."""
    recipe = decode(recipe_path(name), ClipRecipe)
    if recipe.classes and len(recipe.classes) != 2:
        raise ConfigError(
            f"{name}: expected two classes, the harmless one first, got {recipe.classes}",
            hint='write classes = ["benign", "malignant"]; folders without a lesion go into unlabelled',
        )
    if recipe.split.val + recipe.split.test >= 0.9:
        raise ConfigError(f"{name}: val and test leave too little to learn from", hint="0.2 each is usual")
    return recipe


def load_clip_record(run: Path) -> ClipRecord:
    """Read ``recipe.toml`` of a clip run. Raises ConfigError where there is none."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise ConfigError(f"{run} is no finished run", hint="give the folder that `training run --out` made")
    return decode(path, ClipRecord)
