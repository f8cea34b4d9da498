"""Recipe of a classifier's run as a typed TOML file with ``kind = "classifier"``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from edge.contracts.errors import ConfigError
from edge.contracts.manifest import DataSource, PreprocessRecipe
from edge.preprocess.recipes import as_version_2
from training.recipe import Count, Positive, RecipeSection, Share, decode, recipe_path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path

    from edge.contracts.picture_recipe import PictureRecipe

Backbone = Literal["text-cnn", "lite0", "small"]
Strategy = Literal["none", "mirrored", "multi-worker"]


class ClassifierNetworkSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of a classifier's network: backbone and heads."""

    backbone: Backbone = "lite0"
    """``text-cnn``: two convolutions and two dense layers. ``lite0``: EfficientNet-Lite0 from its ImageNet weights.
    ``small``: four strided convolutions, for a demonstration in minutes."""
    heads: Literal["classes", "mask", "bundle"] = "classes"
    """``classes``: a probability of each class. ``mask``: of each place (segmentation). ``bundle``: malignancy, lesion
    mask and anatomy, as devices need it."""
    dropout: Share = 0.2
    frozen_blocks: Annotated[int, msgspec.Meta(ge=0, le=16)] = 5
    """Of ``lite0``: so many blocks keep their ImageNet weights."""


class ClassifierOptimiserSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the optimiser: Adam (Kingma & Ba 2015), with decoupled weight decay where that is over 0."""

    epochs: Annotated[int, msgspec.Meta(ge=1)] = 10
    batch: Annotated[int, msgspec.Meta(ge=2)] = 32
    """Over all replicas together."""
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    """``cosine``: a linear rise over the first tenth, then a cosine to zero."""
    label_smoothing: Annotated[float, msgspec.Meta(ge=0, lt=0.5)] = 0.0


class SplitSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of the split where the data set gives none: by group, classes in proportion."""

    val: Share = 0.15
    test: Share = 0.15
    group: str | None = None
    """Regular expression that finds the patient in a picture's path below the folder: its first parenthesis, or all it
    matches. None: ``groups.csv`` of the folder; without one each picture is its own group."""


class DistributeSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of distributed training on several devices or machines."""

    strategy: Strategy = "none"
    """``mirrored``: all devices of this machine. ``multi-worker``: all machines that TF_CONFIG names; --out is a folder
    that all of them see, and the first of them writes."""


class RenderSection(RecipeSection, frozen=True, kw_only=True):
    """Recipe section of phantoms that are rendered into the run's folder instead of read from --data."""

    kinds: Literal["lesions", "ten"] = "lesions"
    """``lesions``: smooth, spiculated, none, and other pictures. ``ten``: the ten of `training.classify.phantom_kinds`,
    of which there are ``phantoms`` together; ``empty`` and ``other`` do not count then."""
    phantoms: Annotated[int, msgspec.Meta(ge=20)] = 300
    """Half with a smooth lesion, half with a spiculated one."""
    empty: Count = 60
    """Phantoms without a lesion."""
    other: Count = 60
    """Test cards, and sector phantoms as another part of the body."""


class ClassifierRecipe(RecipeSection, frozen=True, kw_only=True):
    """Whole recipe of a classifier's run, as read from its TOML file."""

    kind: Literal["classifier"]
    name: str
    body_part: str = ""
    """As DICOM spells BodyPartExamined; empty: any."""
    task: str = "classification"
    fold: Annotated[int, msgspec.Meta(ge=1)] = 1
    seed: int = 1
    folds: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    """So many more models, each without a part of the pictures that are not of the test: temperature and thresholds are
    then chosen by what each says of the part that it never saw (out of fold). 0: by the validation pictures."""
    classes: list[str] = []
    """Names of the class folders in the order of the outputs; empty: all folders there are, by name."""
    unlabelled: list[str] = []
    """Folders of pictures without a lesion: they train the mask and the anatomy head only."""
    other: list[str] = []
    """Folders of pictures of anything else: they train the anatomy head only."""
    colour: Literal["grey", "rgb"] = "grey"
    """``rgb``: pictures are learnt from, and judged on devices, in colour. Scanners' pictures are grey."""
    augment: bool = True
    """False: each picture as it is, preprocessed once and kept on disk."""
    preprocess: PreprocessRecipe
    network: ClassifierNetworkSection = ClassifierNetworkSection()
    optimiser: ClassifierOptimiserSection = ClassifierOptimiserSection()
    split: SplitSection = SplitSection()
    distribute: DistributeSection = DistributeSection()
    render: RenderSection | None = None
    data: list[DataSource] = []
    """What the model learns from, and under which licence."""

    def picture_recipe(self) -> PictureRecipe:
        """Preprocessing recipe of version 2, which says the colour, too."""
        return msgspec.structs.replace(as_version_2(self.preprocess), colour=self.colour)


class ClassifierRecord(RecipeSection, frozen=True, kw_only=True):
    """Record of a finished classifier's run, its ``recipe.toml``: the recipe, and what only the run knows."""

    recipe: ClassifierRecipe
    git_revision: str
    created: str
    """RFC 3339, UTC."""
    task: str
    classes: list[str]
    """In the order of the outputs."""
    epochs_done: Count = 0


def is_classifier(name: str) -> bool:
    """Whether a recipe, by name or path, is a classifier's. Raises ConfigError where there is none of that name."""
    try:
        return bool(tomllib.loads(recipe_path(name).read_text(encoding="utf-8")).get("kind", "clip") != "clip")
    except tomllib.TOMLDecodeError:
        return False  # who reads it next says where it is broken


def is_classifier_run(run: Path) -> bool:
    """Whether a folder holds the run of a classifier's recipe; who opens it next says what else is wrong."""
    try:
        record = tomllib.loads((run / "recipe.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return False
    return bool(record.get("recipe", {}).get("kind") == "classifier")


def is_mask_run(run: Path) -> bool:
    """Whether a folder holds the run of a segmentation; who opens it next says what else is wrong."""
    return is_classifier_run(run) and load_classifier_record(run).recipe.network.heads == "mask"


def load_classifier(name: str) -> ClassifierRecipe:
    """Read a classifier's recipe by name or path. Raises ConfigError if it is none, or its parts do not fit."""
    recipe = decode(recipe_path(name), ClassifierRecipe)
    check_recipe(recipe)
    return recipe


def check_recipe(recipe: ClassifierRecipe) -> None:
    """Raise ConfigError where the parts of a recipe do not fit."""
    name = recipe.name
    if recipe.network.heads == "bundle" and len(recipe.classes) != 2:
        raise ConfigError(
            f"{name}: heads = bundle wants two classes, the harmless one first, got {recipe.classes}",
            hint='write classes = ["benign", "malignant"], or heads = "classes"',
        )
    if recipe.network.heads != "bundle" and (recipe.unlabelled or recipe.other):
        raise ConfigError(
            f"{name}: unlabelled and other folders teach nothing to a network with heads = {recipe.network.heads}",
            hint='take them out, name them in classes, or write heads = "bundle"',
        )
    if recipe.colour == "rgb" and (recipe.network.heads == "bundle" or recipe.preprocess.channels != 3):
        raise ConfigError(f"{name}: colour wants channels = 3, and heads = classes or mask", hint='or colour = "grey"')
    check_folds(recipe)
    if recipe.split.val + recipe.split.test >= 0.9:
        raise ConfigError(f"{name}: val and test leave too little to learn from", hint="0.15 each is usual")


def check_folds(recipe: ClassifierRecipe) -> None:
    """Raise ConfigError for folds that cannot be: of one alone, of other heads, on many machines."""
    if not recipe.folds:
        return
    if recipe.folds < 2:
        raise ConfigError(f"expected 2 folds or more, got {recipe.folds}", hint="5 is usual; 0: none")
    if recipe.network.heads != "classes":
        raise ConfigError(
            f"folds are for heads = classes, {recipe.name} has {recipe.network.heads}", hint="take folds out"
        )
    if recipe.distribute.strategy == "multi-worker":
        raise ConfigError("folds are trained on one machine", hint="take folds out, or --strategy none or mirrored")


def load_classifier_record(run: Path) -> ClassifierRecord:
    """Read ``recipe.toml`` of a classifier's run. Raises ConfigError where there is none."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise ConfigError(f"{run} is no finished run", hint="give the folder that `training run --out` made")
    return decode(path, ClassifierRecord)
