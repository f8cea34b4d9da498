"""Folder of pictures as a data set: a folder for each class, optional masks, patients and splits.

DIR/class-name/*.png|jpg|bmp|tif|dcm             a folder for each class, at any depth below it
DIR/train|val|test/class-name/…                  the same, where the sides are given
DIR/class-name/picture_mask.png                  optional: a mask beside its picture
DIR/masks/class-name/picture.png                 or in a tree of its own
DIR/groups.csv                                   optional: path,group[,split]; paths as below DIR
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Protocol

from edge.contracts.errors import ConfigError
from training.classify.pictures import SUFFIXES
from training.classify.split import NO_LESION, OTHER, ListedPicture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from training.classify.recipe import SplitSection
    from training.datasets import Split

SIDES: dict[str, Split] = {"train": "train", "val": "val", "valid": "val", "test": "test"}
MASKS = "masks"
MASK_NAME = re.compile(r"_mask(_\d+)?$", re.IGNORECASE)
GROUPS = "groups.csv"
BACKGROUND = "background"
"""Folder of pictures that show nothing to outline, for segmentation; and name of that class."""


class FolderRecipe(Protocol):
    """What a folder of classes needs to know of a recipe."""

    @property
    def classes(self) -> list[str]:
        """Names of the class folders; empty: all that are not named below."""

    @property
    def unlabelled(self) -> list[str]:
        """Folders without a lesion."""

    @property
    def other(self) -> list[str]:
        """Folders of anything else."""

    @property
    def split(self) -> SplitSection:
        """How the patient is found in a path."""


def list_folder(
    root: Path, recipe: FolderRecipe, below: Callable[[Path], Iterator[Path]] | None = None
) -> tuple[list[ListedPicture], list[str]]:
    """List all pictures of a folder, and the classes' names in the order of the outputs. No picture is read.

    Raises ConfigError as `list_pictures`.
    """
    return list_pictures(root, recipe, below=below)


def list_pictures(
    root: Path,
    recipe: FolderRecipe,
    more: Sequence[str] = (),
    below: Callable[[Path], Iterator[Path]] | None = None,
) -> tuple[list[ListedPicture], list[str]]:
    """List all pictures of a folder, and the classes' names; ``more``: folders beside those that the recipe names.

    ``below`` lists the files of a class folder; None: its pictures.

    Raises ConfigError for a folder that is none, a class that the recipe names and the folder lacks, and a
    ``groups.csv`` that leaves pictures out or does not read.
    """
    below = below or pictures_below
    if not root.is_dir():
        raise ConfigError(f"{root} is not a folder", hint="--data names the folder that holds a folder for each class")
    tops = {path.name: SIDES[path.name] for path in _folders(root) if path.name in SIDES}
    found = [(place, side) for name, side in tops.items() for place in _folders(root / name)]
    places: list[tuple[Path, Split | None]] = list(found) if found else [(place, None) for place in _folders(root)]
    names = {place.name for place, _ in places if any(below(place))}
    wanted = set(recipe.unlabelled) | set(recipe.other)
    classes = recipe.classes or sorted(names - wanted)
    if recipe.classes and names and not set(recipe.classes) <= names:
        raise ConfigError(
            f"expected a folder for each of {', '.join(recipe.classes)}, got {', '.join(sorted(names)) or 'none'}",
            hint="the recipe names the classes: rename the folders, or the recipe's classes",
        )
    if recipe.classes:
        classes = [*classes, *(name for name in more if name in names and name not in classes)]
    labels = {name: number for number, name in enumerate(classes)}
    labels |= dict.fromkeys(recipe.unlabelled, NO_LESION) | dict.fromkeys(recipe.other, OTHER)
    groups = _Groups(root, recipe.split.group)
    listed = []
    for place, side in places:
        if place.name not in labels:
            continue
        for path in below(place):
            key = path.relative_to(root).as_posix()
            group, given = groups.of(key)
            mask, label = find_mask(path, root), labels[place.name]
            listed.append(ListedPicture(key, group, root.name, label, path, mask, given or side, folder=place.name))
    return listed, list(classes)


def pictures_below(place: Path) -> Iterator[Path]:
    """All pictures of a folder at any depth, sorted, without masks and hidden files."""
    for path in sorted(place.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
        if path.suffix.lower() in SUFFIXES and not MASK_NAME.search(path.stem) and not hidden and path.is_file():
            yield path


def find_mask(path: Path, root: Path) -> Path | None:
    """Find a picture's mask, beside it or in the tree of masks; None where there is none."""
    beside = path.with_name(f"{path.stem}_mask.png")
    apart = (root / MASKS / path.relative_to(root)).with_suffix(".png")
    return next((place for place in (beside, apart) if place.is_file()), None)


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".") and p.name != MASKS)


class _Groups:
    """Patient of each picture, and its side of the split where that is given."""

    def __init__(self, root: Path, pattern: str | None) -> None:
        self._rows = read_groups(root / GROUPS) if (root / GROUPS).is_file() else None
        self._place = root / GROUPS
        try:
            self._pattern = None if pattern is None else re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"[split] group = {pattern!r}: {error}", hint="a regular expression of Python") from error

    def of(self, key: str) -> tuple[str, Split | None]:
        """Group and side of the picture at ``key``, its path below the folder."""
        if self._rows is not None:
            if key not in self._rows:
                raise ConfigError(
                    f"{self._place} does not name {key}", hint="name every picture's group, or write the file anew"
                )
            return self._rows[key]
        if self._pattern is None:
            return key, None
        match = self._pattern.search(key)
        if match is None:
            raise ConfigError(
                f"[split] group = {self._pattern.pattern!r} finds no patient in {key}",
                hint="it must match every picture's path below the folder",
            )
        return (match.group(1) if match.groups() else match.group(0)), None


def read_groups(path: Path) -> dict[str, tuple[str, Split | None]]:
    """Read ``groups.csv``: group and side by picture. Raises ConfigError for other columns and unknown sides."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"path", "group"} <= set(rows.fieldnames or ()):
            raise ConfigError(
                f"{path}: expected the columns path, group and perhaps split, got {rows.fieldnames}",
                hint="the first line names the columns",
            )
        out: dict[str, tuple[str, Split | None]] = {}
        for row in rows:
            side = (row.get("split") or "").strip()
            if side and side not in SIDES:
                raise ConfigError(f"{path}: {row['path']} stands in {side!r}", hint="train, val or test")
            out[row["path"]] = (row["group"], SIDES[side] if side else None)
    return out


def write_groups(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Write ``groups.csv`` from (path, group) pairs."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "group"])
        writer.writerows(rows)


def has_groups(root: Path, recipe: FolderRecipe) -> bool:
    """Whether the recipe or ``groups.csv`` says which pictures are of one patient."""
    return recipe.split.group is not None or (root / GROUPS).is_file()
