"""Recipe of a breast run as a typed TOML file: data, network, optimiser, gate. A run's folder keeps its recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import DataSource, PreprocessRecipe

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=0)]


class RecipeSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections of a recipe: unknown keys are refused."""


class NetworkSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the network: its size and dropout."""

    pyramid: Annotated[int, msgspec.Meta(ge=8, le=256)] = 64
    """Channels of the mask's feature pyramid."""
    guided: Annotated[int, msgspec.Meta(ge=0, le=512)] = 128
    """Channels of the features that malignancy takes from where the mask is; 0: none."""
    dropout: Share = 0.3


class OptimiserSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the optimiser: Adam (Kingma & Ba 2015), one epoch of warm-up, then a cosine to zero."""

    epochs: Annotated[int, msgspec.Meta(ge=1)] = 16
    batch: Annotated[int, msgspec.Meta(ge=2)] = 32
    learning_rate: Positive = 5e-4
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 1e-4
    label_smoothing: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.05
    mask_weight: Positive = 1.0
    """Weight of the mask's loss beside malignancy's."""
    mask_rate: Positive = 1.0
    """Learning rate of the layers that serve the mask alone, times that of all others."""
    averaging: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.995
    """Decay of the moving average of the weights, which is what is kept (Polyak & Juditsky 1992); 0: the last ones."""


class MixSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of what an epoch holds beside every training picture once: crops and phantoms."""

    crop_every: Count = 5
    """Of every so many pictures, one gives a crop clear of any lesion as well: the mask head learns from it what is no
    lesion. 0: no crops."""
    phantoms: Count = 100
    """Rendered phantoms; the malignancy head never learns from them."""
    erased: Share = 0.0
    """Share of the pictures with a lesion that an epoch also shows without it, filled by ``fillings``; as many pictures
    that keep their lesion are filled elsewhere."""
    drawn: Share = 0.0
    """Share of the pictures with a lesion that an epoch also shows with a second one, drawn by ``fillings``."""
    fillings: str = ""
    """Path of the file that ``python -m training fill`` wrote; needed where ``erased`` or ``drawn`` is not 0."""


class GateSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the anatomy gate, fitted on the trained features; see `training.gate.anatomy_gate`."""

    components: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 400
    """Principal components of the features that it sees."""
    units: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    """Hidden units of one network."""
    networks: Annotated[int, msgspec.Meta(ge=1, le=16)] = 4
    """Networks whose mean it is."""
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 25
    penalty: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """Penalty on large weights (L2)."""
    refusals: Share = 0.01
    """Share of known breasts that it may refuse, as they are."""
    refusals_bent: Share = 0.028
    """Share of known breasts in another scan shape that it may refuse; the lower limit of the two counts."""
    refusals_stated: Share = 0.001
    """Share of known breasts that it may refuse where configuration or DICOM says breast."""


class Recipe(RecipeSection, frozen=True, kw_only=True):
    """Whole recipe of a breast run, as read from its TOML file."""

    name: str
    body_part: str
    """As DICOM spells BodyPartExamined."""
    protocol: str = "fold-1"
    """What is held back; see `training.breast.protocol`."""
    seed: int = 1
    preprocess: PreprocessRecipe
    network: NetworkSection = NetworkSection()
    optimiser: OptimiserSection = OptimiserSection()
    mix: MixSection = MixSection()
    gate: GateSection = GateSection()
    data: list[DataSource] = []
    """What the model learns from, and under which licence."""


class RunRecord(RecipeSection, frozen=True, kw_only=True):
    """Record of a finished run, its ``recipe.toml``: the recipe, and what only the run knows."""

    recipe: Recipe
    git_revision: str
    created: str
    """RFC 3339, UTC."""
    task: Literal["breast-lesion"] = "breast-lesion"
    epochs_done: Count = 0
    anatomy_threshold: Share = 0.5
    """Chosen on validation pictures; see ``gate.refusals``."""


def recipe_path(name: str) -> Path:
    """Path of a recipe that comes with the project, or of a file given by its path. Raises ConfigError for none."""
    path = Path(name) if name.endswith(".toml") else Path(__file__).parent / "recipes" / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (Path(__file__).parent / "recipes").glob("*.toml")))
        raise ConfigError(f"no recipe {name!r}", hint=f"give one of {known}, or the path of a .toml file")
    return path


def load_recipe(name: str) -> Recipe:
    """Read a breast recipe by name or path. Raises ConfigError for a file that is none."""
    return decode(recipe_path(name), Recipe)


def load_record(run: Path) -> RunRecord:
    """Read the ``recipe.toml`` of a run's folder. Raises ConfigError where there is none."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise ConfigError(
            f"{run} is not a run: it has no recipe.toml", hint="give the folder that `training run --out` made"
        )
    return decode(path, RunRecord)


def decode(path: Path, kind: type[T]) -> T:
    """Read a TOML file as ``kind``. Raises ConfigError, naming the file and what is wrong in it."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), kind)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}", hint="see training/recipe.py for every key and its range") from error
