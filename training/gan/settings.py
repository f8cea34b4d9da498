"""Settings of a generator's training, and the record that its finished run keeps (``recipe.toml``)."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from edge.contracts.manifest import PreprocessRecipe
from training.recipe import Count, Positive, RecipeSection, Share

Task = Literal["erase", "draw"]
Even = Annotated[int, msgspec.Meta(ge=32, le=256, multiple_of=8)]


class GeneratorSection(RecipeSection, frozen=True, kw_only=True):
    """Section of the two networks: their widths in channels."""

    width: Annotated[int, msgspec.Meta(ge=4, le=64)] = 24
    """Channels of the generator's first level; the others follow from it."""
    judge: Annotated[int, msgspec.Meta(ge=4, le=64)] = 32
    """Channels of the discriminator's first level."""


class GanOptimiserSection(RecipeSection, frozen=True, kw_only=True):
    """Section of the optimiser: Adam (Kingma & Ba 2015) for both networks, first without and then with the judge."""

    epochs: Annotated[int, msgspec.Meta(ge=1)] = 60
    l1_epochs: Count = 16
    """Of them, the first so many learn from the absolute difference alone."""
    steps: Annotated[int, msgspec.Meta(ge=1)] = 200
    """Training steps of an epoch."""
    batch: Annotated[int, msgspec.Meta(ge=2)] = 16
    learning_rate: Positive = 2e-4
    judge_rate: Positive = 4e-4
    """Learning rate of the discriminator (two rates: Heusel et al. 2017)."""
    l1_rate: Positive = 1e-3
    """Learning rate of the generator before there is a judge."""
    coarse_weight: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """Weight of the absolute difference of 4x4 means beside the judge: grey level and gradients, not grain."""
    averaging: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.998
    """Decay of the moving average of the generator's weights, which is what is kept."""


class GanRecipe(RecipeSection, frozen=True, kw_only=True):
    """Whole recipe of a generator."""

    name: str = "gan"
    task: Task = "erase"
    protocol: str = "all"
    """Which pictures it may not learn from, as for the breast recipe; ``all``: it may learn from all of them."""
    seed: int = 1
    preprocess: PreprocessRecipe
    """Of the network that shall learn from the fillings: pictures are filled at the scale that it sees."""
    scale: Positive = 1.25
    """Pixels of the generator by pixel of that network."""
    first_patch: Even = 64
    """Side of a training patch in pixels, while the absolute difference alone is learnt."""
    patch: Even = 96
    """Side of a training patch beside the judge."""
    largest: Share = 0.6
    """Longest side of a hole, as a share of the patch's."""
    generator: GeneratorSection = GeneratorSection()
    optimiser: GanOptimiserSection = GanOptimiserSection()


class GanRecord(RecipeSection, frozen=True, kw_only=True):
    """Record of a finished run of a generator, its ``recipe.toml``."""

    recipe: GanRecipe
    git_revision: str
    created: str
    """RFC 3339, UTC."""
    epochs_done: Count
    steps_done: Count
    """Training steps: those without the judge and those beside it."""
    hours: float
    """That the training took on its machine."""
    stopped_by: Literal["epochs", "hours"]
    data: str
    """Name of the data set: ``breast``, ``phantoms`` or the folder's own."""
    pictures: list[str]
    """Ids of all pictures that it learnt from: none may be a test picture of what learns from its fillings."""
