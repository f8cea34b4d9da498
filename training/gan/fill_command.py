"""Work of ``training fill``: choose the way to fill, fill the training pictures, write the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from training.augment.fillings import write_fillings
from training.gan.fill_pictures import draw_lesions, fill_pictures
from training.gan.fillers import copy_beside, inpaint
from training.gan.pictures import load_pictures
from training.gan.run import load_gan_record
from training.gan.settings import GanRecipe
from training.recipe import load_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.datasets import Item
    from training.gan.eraser import Eraser
    from training.gan.fillers import Filler, Method


def fill_into(
    out: Path, data: Path | None, gan: Path | None, method: Method, recipe: str, protocol: str, variants: int, seed: int
) -> str:
    """Fill the training pictures of a protocol into the file ``out``; returns a line for people.

    Raises UsageError where a generator is wanted and none is given, or one that learnt from what the protocol holds
    back.
    """
    drawer = None if gan is None else drawer_of(gan)
    filler, learnt_from = filler_of(method, gan) if drawer is None else (drawer, drawer.record.pictures)
    chosen = GanRecipe(protocol=protocol, preprocess=load_recipe(recipe).preprocess)
    name, items = load_pictures(data, chosen)
    check_apart(learnt_from, items, protocol)
    training = [item for item in items if item.split == "train"]
    if drawer is not None:
        found, share = draw_lesions(training, drawer, variants, seed), "drawn"
        told = f"{len(found)} lesions drawn into pictures of {name}"
    else:
        found, share = fill_pictures(training, filler, variants, seed), "erased"
        erased = sum(kind == "erased" for _, kind, _ in found)
        told = f"{erased} lesions of {name} erased, {len(found) - erased} holes beside lesions filled, by {method}"
    write_fillings(out, found, method, learnt_from)
    return f"{out}: {told}\nnext: in a recipe, [mix] {share} = 0.3 and fillings = {str(out)!r}"


def drawer_of(gan: Path) -> Eraser | None:
    """Load a generator that draws lesions; None where it erases them."""
    if load_gan_record(gan).recipe.task != "draw":
        return None
    from training.gan.eraser import Eraser

    return Eraser(gan)


def filler_of(method: Method, gan: Path | None) -> tuple[Filler, list[str]]:
    """Make the way to fill, and name the pictures that it learnt from."""
    if method == "inpaint":
        return inpaint, []
    if method == "copy":
        return copy_beside, []
    if gan is None:
        raise UsageError("no generator to fill with", hint="give --gan RUN, or --by inpaint or copy")
    from training.gan.eraser import Eraser

    eraser = Eraser(gan)
    if eraser.recipe.task != "erase":
        raise UsageError(f"{gan} draws lesions", hint="train another with --task erase")
    return eraser, eraser.record.pictures


def check_apart(learnt_from: Sequence[str], items: Sequence[Item], protocol: str) -> None:
    """Raise UsageError where the generator learnt from pictures that the protocol holds back as test pictures."""
    seen = {item.id for item in items if item.split == "test"} & set(learnt_from)
    if seen:
        raise UsageError(
            f"the generator learnt from {len(seen)} test pictures of {protocol}, {min(seen)} among them",
            hint=f"train one with --protocol {protocol}",
        )
