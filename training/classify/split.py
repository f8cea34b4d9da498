"""Train, validation and test split that keeps a group on one side, over pictures that are listed but not yet read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from edge.contracts.errors import ConfigError
from training.classify.pictures import broken, read_colour, read_grey, read_mask, read_numbers
from training.datasets import Item, Split, check_split

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from training.classify.recipe import SplitSection

NO_LESION, OTHER = -1, -2
"""Labels beside the classes' numbers: picture without a lesion, and picture not of the body part at all."""


@dataclass(frozen=True)
class ListedPicture:
    """Picture of a data set that is listed but not yet read: path, label, group, split."""

    id: str
    """Its path below the data set's folder."""
    group: str
    source: str
    label: int
    """Number of the class, `NO_LESION` or `OTHER`."""
    path: Path
    mask: Path | None = None
    split: Split | None = None
    """None: `split_pictures` decides."""
    folder: str = ""
    """Name of its class folder."""
    mask_class: int = 1
    """Number of the class that the mask's lit pixels are."""
    mask_numbers: int = 0
    """So many classes, whose numbers the mask's pixels are; 0: they are lit or not."""
    colour: bool = False
    """Whether it is read in colour: the item's image is then (H, W, 3) RGB."""

    def load(self) -> Item:
        """Read the pixels: an item with image (H, W) or (H, W, 3), and mask (H, W) of class numbers, uint8.

        A picture of no lesion has an empty mask, as has one whose mask is not known.

        Raises BrokenPictureError if picture or mask cannot be used.
        """
        image = read_colour(self.path) if self.colour else read_grey(self.path)
        return Item(self.id, self.group, self.source, self.split or "train", self.label, image, self._load_mask(image))

    def _load_mask(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        shape = (image.shape[0], image.shape[1])
        if self.mask is None:
            return np.zeros(shape, np.uint8)
        if self.mask_numbers:
            mask = read_numbers(self.mask, shape)
            if int(mask.max()) >= self.mask_numbers:
                raise broken(self.mask, f"it has a pixel {mask.max()}, and classes are 0 to {self.mask_numbers - 1}")
            return mask
        return np.asarray(read_mask(self.mask, shape) * np.uint8(self.mask_class), np.uint8)

    @property
    def mask_known(self) -> bool:
        """Whether the mask is known: a file says where lesion is, or there is none."""
        return self.mask is not None or self.label < 0


def split_pictures(pictures: Sequence[ListedPicture], shares: SplitSection, seed: int) -> list[ListedPicture]:
    """Split pictures into training, validation and test; groups stay whole, classes keep about their proportions.

    A data set that has its own split into training and test keeps it; where it has no validation pictures, they are
    taken from training. Raises ConfigError for a split that leaks, or too few groups for one.
    """
    given = {picture.split for picture in pictures} - {None}
    if given and any(picture.split is None for picture in pictures):
        raise ConfigError("some pictures say on which side they are, and some do not", hint="say it of all, or of none")
    if given:
        check_split((p.group, cast("str", p.split)) for p in pictures)
        if "test" not in given or "train" not in given:
            raise ConfigError(
                f"expected pictures in train and test, got {', '.join(sorted(map(str, given)))}",
                hint="name both sides, or none of them",
            )
        if "val" in given:
            return list(pictures)
        train = [p for p in pictures if p.split == "train"]
        held = _held_back(train, shares.val / (1 - shares.test), seed)
        return [replace(p, split="val") if p.group in held else p for p in pictures]
    test = _held_back(pictures, shares.test, seed)
    rest = [p for p in pictures if p.group not in test]
    val = _held_back(rest, shares.val / (1 - shares.test), seed + 1)
    return [replace(p, split="test" if p.group in test else "val" if p.group in val else "train") for p in pictures]


def _held_back(pictures: Sequence[ListedPicture], share: float, seed: int) -> set[str]:
    """Set of groups that hold about ``share`` of the pictures of each class."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = max(2, round(1 / max(share, 0.05)))
    labels, groups = [p.label for p in pictures], [p.group for p in pictures]
    for label in sorted(set(labels)):
        have = len({g for g, of in zip(groups, labels, strict=True) if of == label})
        if have < folds:
            raise ConfigError(
                f"expected {folds} groups or more of each class to hold {share:.0%} back, got {have}",
                hint="gather more patients, or set [split] val and test higher (a half leaves two folds)",
            )
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    _, held = next(iter(splitter.split(np.zeros(len(labels)), labels, groups)))
    return {groups[i] for i in held}


def check_listing(pictures: Sequence[ListedPicture], classes: Sequence[str]) -> None:
    """Check that pictures can be learnt from.

    Raises ConfigError for no data, one class only, a class that is missing on a side, and a split that leaks.
    """
    if not pictures:
        raise ConfigError("no pictures were found", hint="a folder for each class: DIR/class-name/*.png, jpg or dcm")
    if len(classes) < 2:
        raise ConfigError(
            f"expected two classes or more, got {', '.join(classes) or 'none'}",
            hint="a class cannot be learnt without another: a folder for each, DIR/class-name/*.png, jpg or dcm",
        )
    check_split((p.group, cast("str", p.split)) for p in pictures)
    for split in ("train", "val", "test"):
        found = {p.label for p in pictures if p.split == split}
        if missing := [name for number, name in enumerate(classes) if number not in found]:
            raise ConfigError(
                f"{split} holds no picture of {', '.join(missing)}",
                hint="a class that is not on every side cannot be learnt or judged",
            )
