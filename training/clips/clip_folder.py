"""Folder of clips as a data set, ``class-name/*.mp4|dcm``: two classes, and perhaps folders without a lesion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from edge.contracts.errors import ConfigError
from edge.infer.inputs import find_inputs
from training.classify.folder import list_folder
from training.classify.split import check_listing, split_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.classify.split import ListedPicture
    from training.clips.recipe import ClipRecipe

CLASSES = 2


def clips_below(place: Path) -> Iterator[Path]:
    """All videos and DICOM files of a folder at any depth, in order of name, whatever they are called."""
    for file in find_inputs([place])[0]:
        if file.scheme in ("video", "dicom"):
            yield file.path


def list_clips(root: Path, recipe: ClipRecipe) -> tuple[list[ListedPicture], list[str]]:
    """List all clips, each with patient and side of the split, and the two classes, the harmless one first.

    Raises ConfigError for a folder that cannot be learnt from.
    """
    listed, classes = list_folder(root, recipe, clips_below)
    if not recipe.classes and len(classes) < CLASSES and recipe.unlabelled:
        recipe = msgspec.structs.replace(recipe, unlabelled=[])  # two folders, and one of them is called so
        listed, classes = list_folder(root, recipe, clips_below)
    if len(classes) > CLASSES:
        raise ConfigError(
            f"expected two class folders, got {', '.join(classes)}",
            hint='name them in the recipe, the harmless one first: classes = ["benign", "malignant"]; folders without '
            "a lesion go into unlabelled, others into other",
        )
    if not listed:
        raise ConfigError(f"{root} holds no clips", hint="a folder for each class: DIR/class-name/*.mp4, avi or dcm")
    if len(classes) == CLASSES:
        listed = split_pictures(listed, recipe.split, recipe.seed)
    check_listing(listed, classes)
    return listed, classes
