"""Training examples of the anatomy gate: breasts in every scan shape as positives, all else, as well, as negatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from edge.preprocess.preprocessor import Preprocessor
from training.augment import appearance
from training.augment.geometry import random_matrix, warp
from training.augment.samples import augment, lesion_free
from training.gate import organ_negatives, synthetic_negatives
from training.gate.file_views import file_view
from training.gate.scan_shapes import reshaped
from training.phantoms import phantom

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.contracts.manifest import PreprocessRecipe
    from edge.contracts.region import Region
    from training.datasets import Item
    from training.gate.file_negatives import FileNegative

    Grey = NDArray[np.uint8]

VIEWS_PER_FAMILY = 300
"""Augmented pictures of each family of files: as many of a single picture as of a clip with hundreds of frames."""
PHOTO_VIEWS = 180
SYNTHETIC_EVERY = 2
"""Of every so many training pictures, one is made into synthetic negatives of `SYNTHETIC_KINDS` kinds."""
SYNTHETIC_KINDS = 4
CROP_EVERY = 5
PHANTOM_FRAMES = 120
FAMILY_WEIGHTS = {
    "picture": 3.0,
    "bent": 6.0,
    "crop": 0.5,
    "bent-crop": 0.5,
    "phantom": 0.5,
    "bent-phantom": 0.5,
    "sector-phantom": 0.7,
    "haze": 10.0,
    "muscle": 4.0,
    "lung": 2.0,
}
"""Weights of families beside 1: breasts more than what is cut out of them or rendered, the likest organs more than test
cards."""
SYNTHETIC = {*synthetic_negatives.DISTORTIONS, *organ_negatives.ORGANS, "test-card", "photograph"}
FILE_WEIGHT = 2.0
"""Weight of a family of real files."""


@dataclass(frozen=True, eq=False)
class GateExamples:
    """Examples that the anatomy gate is fitted on: tensors with their targets and families."""

    tensors: NDArray[np.uint8]
    """(n, height, width, 3)."""
    wanted: NDArray[np.int_]
    """(n,) 1 where the gate shall accept, else 0."""
    families: NDArray[np.str_]
    """(n,) kind of picture, or family of files."""
    groups: NDArray[np.str_]
    """(n,) patient whose picture it was made of; empty for files, phantoms and test cards."""

    def weights(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weights of the examples chosen (n,): each family as `FAMILY_WEIGHTS` say, and both sides the same."""
        out = np.zeros(len(self.wanted))
        for side in (0, 1):
            rows = chosen & (self.wanted == side)
            for name in np.unique(self.families[rows]).tolist():
                own = rows & (self.families == name)
                out[own] = self._weight(name) / own.sum()
            out[rows] /= out[rows].sum()
        weights: NDArray[np.float64] = out[chosen] * chosen.sum() / out[chosen].sum()
        return weights

    def _weight(self, family: str) -> float:
        return FAMILY_WEIGHTS.get(family, 1.0 if family in SYNTHETIC else FILE_WEIGHT)


class _Rows:
    """Collects examples: each picture is preprocessed as it comes."""

    def __init__(self, recipe: GateRecipe) -> None:
        self.preprocess = Preprocessor(recipe.preprocess)
        self.tensors: list[NDArray[np.uint8]] = []
        self.wanted: list[int] = []
        self.families: list[str] = []
        self.groups: list[str] = []

    def add(
        self, picture: NDArray[np.uint8], wanted: int, family: str, group: str = "", regions: tuple[Region, ...] = ()
    ) -> None:
        """Add one picture, (H, W) grey or (H, W, 3) RGB."""
        self.tensors.append(self.preprocess(picture, regions)[0][0])
        self.wanted.append(wanted)
        self.families.append(family)
        self.groups.append(group)


class GateRecipe(Protocol):
    """What the gate needs of a recipe."""

    @property
    def seed(self) -> int:
        """Seed of the run."""

    @property
    def preprocess(self) -> PreprocessRecipe:
        """How pictures become tensors."""


def examples(
    items: Sequence[Item], negatives: Sequence[FileNegative], recipe: GateRecipe, *, breasts: bool = True
) -> GateExamples:
    """Make the examples of the anatomy gate, of the training pictures among ``items``.

    ``breasts``: phantoms, which are rendered as breasts, are positives, and so are crops clear of lesions; False: of
    another body part, whose phantoms there are none of, and of which no mask says what is clear.

    Positives: pictures as they are, augmented, and bent into other scan shapes; lesion-free crops and phantoms, so
    too. Negatives: distorted pictures, drawn organs, test cards, and pictures from files
    (`training.gate.file_negatives`), each in several shapes: a shape tells nothing.
    """
    rows = _Rows(recipe)
    train = [item for item in items if item.split == "train"]
    for number, item in enumerate(train):
        rng = np.random.default_rng((recipe.seed, 77, number))
        _pictures(rng, rows, item, number, crops=breasts)
        if number % SYNTHETIC_EVERY == 0:
            _synthetic(rng, rows, item)
    _phantoms(rows, recipe.seed, breasts)
    for number, family in enumerate(sorted({n.family for n in negatives})):
        members = [n for n in negatives if n.family == family and not n.photograph]
        for view in range(VIEWS_PER_FAMILY if members else 0):
            rng = np.random.default_rng((recipe.seed, 79, number, view))
            picture, regions = file_view(rng, members[int(rng.integers(len(members)))], rows.preprocess)
            rows.add(picture, 0, family, regions=regions)
    photographs = [n for n in negatives if n.photograph]
    for view in range(PHOTO_VIEWS if photographs else 0):
        rng = np.random.default_rng((recipe.seed, 80, view))
        picture, _ = file_view(rng, photographs[view % len(photographs)], rows.preprocess)
        rows.add(picture, 0, "photograph")
    return GateExamples(np.stack(rows.tensors), np.array(rows.wanted), np.array(rows.families), np.array(rows.groups))


def _pictures(rng: np.random.Generator, rows: _Rows, item: Item, number: int, *, crops: bool) -> None:
    """A breast as it is, augmented, and bent; of every fifth a crop clear of the lesion."""
    rows.add(item.image, 1, "picture", item.group)
    rows.add(augment(rng, item).image, 1, "picture", item.group)
    rows.add(reshaped(rng, item.image), 1, "bent", item.group)
    for _ in range(2):
        rows.add(_seen(rng, reshaped(rng, _window(rng, item.image))), 1, "bent", item.group)
    crop = lesion_free(rng, item) if crops and number % CROP_EVERY == 0 else None
    if crop is not None:
        rows.add(crop.image, 1, "crop", item.group)
        rows.add(_seen(rng, reshaped(rng, crop.image)), 1, "bent-crop", item.group)


def _synthetic(rng: np.random.Generator, rows: _Rows, item: Item) -> None:
    """Some distortions and drawn organs, half of them bent."""
    kinds = [*synthetic_negatives.DISTORTIONS.items(), *organ_negatives.ORGANS.items()]
    for chosen in rng.permutation(len(kinds))[:SYNTHETIC_KINDS]:
        family, make = kinds[chosen]
        picture = make(rng, _window(rng, item.image))
        picture = reshaped(rng, picture) if rng.random() < 0.5 else picture
        rows.add(_seen(rng, picture), 0, family, item.group)


def _phantoms(rows: _Rows, seed: int, breasts: bool) -> None:
    """Phantoms of both geometries as positives, if they are wanted, and as many test cards twice."""
    for number in range(PHANTOM_FRAMES):
        rng = np.random.default_rng((seed, 78, number))
        if breasts:
            _phantom(rng, rows, seed, number)
        for _ in range(2):
            rows.add(synthetic_negatives.test_card(rng), 0, "test-card")


def _phantom(rng: np.random.Generator, rows: _Rows, seed: int, number: int) -> None:
    """One phantom in both geometries, as it is, augmented and bent."""
    linear, sector = phantom(seed, number), phantom(seed, number, "sector")
    rows.add(linear.image, 1, "phantom")
    rows.add(augment(rng, linear).image, 1, "phantom")
    rows.add(_seen(rng, reshaped(rng, linear.image)), 1, "bent-phantom")
    rows.add(sector.image, 1, "sector-phantom")
    rows.add(_seen(rng, sector.image), 1, "sector-phantom")


def _window(rng: np.random.Generator, picture: Grey) -> Grey:
    """A random window of the picture, mirrored and turned a little; two of five stay whole."""
    if rng.random() > 0.6:
        return picture
    matrix, size = random_matrix(rng, picture.shape[1], picture.shape[0])
    return warp(picture, picture, matrix, size)[0]


def _seen(rng: np.random.Generator, picture: Grey) -> Grey:
    """The picture as a device may see it: other gain and speckle, on a screen, resampled."""
    picture = appearance.vary_speckle(rng, appearance.vary_gain(rng, picture))
    if rng.random() < 0.25:
        picture = appearance.place_on_screen(rng, picture)[0]
    return appearance.resample_and_compress(rng, picture)
