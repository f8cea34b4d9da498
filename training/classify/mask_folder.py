"""Folder of pictures with masks, for segmentation: which class the lit pixels of a mask are.

DIR/name/*.png and DIR/name/*_mask.png    masks that are black and white: what is white is of the class ``name``
DIR/background/*.png                      pictures that show none of them, without a mask
DIR/labels.txt                            or: a name on each line, background first; then the pixels of a mask are the
                                          numbers of lines, from 0, and folders mean nothing

Masks may stand in DIR/masks/ with the same path; sides and ``groups.csv`` as for classes (`training.classify.folder`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError
from training.classify.folder import BACKGROUND, list_pictures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.classify.recipe import ClassifierRecipe
    from training.classify.split import ListedPicture

NAMES = "labels.txt"
MOST = 20
"""Most classes of a segmentation network, background among them."""


def list_masked(root: Path, recipe: ClassifierRecipe, skip_broken: bool) -> tuple[list[ListedPicture], list[str]]:
    """List the pictures of a folder with their masks, and the classes' names, background first. None is read.

    The label of a picture is its folder's number: splits keep their proportions by it. Raises ConfigError for pictures
    without a mask (``skip_broken`` leaves them out), and for ``labels.txt`` that names too few classes or too many.
    """
    listed, names = list_pictures(root, recipe, (BACKGROUND,))
    if (root / NAMES).is_file():
        names = _read_names(root / NAMES)
        pictures = [replace(p, mask_numbers=len(names)) for p in listed]
        bare = [p for p in pictures if p.mask is None]
    else:
        names = [BACKGROUND, *(name for name in names if name != BACKGROUND)]
        pictures = [replace(p, label=names.index(p.folder), mask_class=names.index(p.folder)) for p in listed]
        bare = [p for p in pictures if p.mask is None and p.label]
    if bare and not skip_broken:
        raise ConfigError(
            f"{len(bare)} of {len(pictures)} pictures have no mask, {bare[0].id} among them",
            hint=f"a mask stands beside its picture, a_mask.png; pictures that show nothing belong into {BACKGROUND}/, "
            "or have a black mask; --skip-broken leaves such pictures out",
        )
    missing = {p.id for p in bare}
    return [p for p in pictures if p.id not in missing], names


def check_masked(pictures: Sequence[ListedPicture], names: Sequence[str]) -> None:
    """Raise ConfigError for pictures that no segmentation can be learnt from: none, one class, an empty side."""
    if not pictures:
        raise ConfigError("no pictures with masks were found", hint="DIR/name/a.png and DIR/name/a_mask.png")
    if not 2 <= len(names) <= MOST:
        raise ConfigError(
            f"expected background and 1 to {MOST - 1} classes, got {', '.join(names)[:200]}",
            hint=f"a folder for each class, or {NAMES} with a name on each line, background first",
        )
    for side in ("train", "val", "test"):
        if not any(p.split == side and p.mask is not None for p in pictures):
            raise ConfigError(f"{side} holds no picture with a mask", hint="gather more pictures, or split otherwise")


def _read_names(path: Path) -> list[str]:
    """Names of the classes, in the order of the numbers in the masks."""
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(set(names)) != len(names):
        raise ConfigError(f"{path} names a class twice", hint="one name a line, background first")
    return names
