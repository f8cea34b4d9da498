"""Run of a classifier from beginning to end: READ `run_classifier`, it is the whole of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.contracts.errors import UsageError
from training.classify.folder import has_groups, list_folder
from training.classify.folds import train_folds
from training.classify.gate_stage import check_gate_possible
from training.classify.mask_folder import check_masked, list_masked
from training.classify.phantom_dataset import render_dataset, render_unseen
from training.classify.read_check import readable_pictures
from training.classify.split import ListedPicture, check_listing, split_pictures
from training.classify.write_run import write_mask_run, write_run
from training.run_record import next_commands

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.classify.recipe import ClassifierRecipe


def run_classifier(
    recipe: ClassifierRecipe,
    data: Path | None,
    out: Path,
    log: Callable[[str], None],
    *,
    skip_broken: bool = False,
    tensorboard: bool = False,
    gate_negatives: Path | None = None,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Run a classifier: list and check pictures, train, evaluate, and write what export reads.

    ``gate_negatives``: folder of other organs, which an anatomy gate learns to refuse; None: no gate. ``ready`` is
    called when the data is, before TensorFlow starts.
    """
    if gate_negatives is not None:
        check_gate_possible(recipe)
    pictures, classes = collect_pictures(recipe, data, out, log, skip_broken)
    ready()
    from training.classify.distribute import barrier, is_chief
    from training.classify.loop import train

    model, strategy = train(recipe, pictures, classes, out, log, tensorboard)
    if is_chief(recipe):
        if recipe.network.heads == "mask":
            write_mask_run(model, recipe, pictures, classes, out, log)
        else:
            folds = train_folds(recipe, pictures, classes, out, log) if recipe.folds else []
            write_run(model, recipe, pictures, classes, out, log, gate_negatives, folds)
        log(f"done: {out}\n{next_commands(out)}")
    if strategy.num_replicas_in_sync > 1:
        barrier(strategy)


def collect_pictures(
    recipe: ClassifierRecipe, data: Path | None, out: Path, log: Callable[[str], None], skip_broken: bool = False
) -> tuple[list[ListedPicture], list[str]]:
    """Collect all readable pictures, each with its split, and the classes' names.

    Raises UsageError without data, ConfigError for data that cannot be learnt from.
    """
    if recipe.render is not None and data is None:
        data = render_dataset(out / "pictures", recipe.render, recipe.seed)
        render_unseen(out / "unseen", recipe.render, recipe.seed)
    if data is None:
        raise UsageError(f"the recipe {recipe.name} wants --data", hint="--data names a folder of class folders")
    masked = recipe.network.heads == "mask"
    listed, classes = list_masked(data, recipe, skip_broken) if masked else list_folder(data, recipe)
    listed = [replace(p, colour=recipe.colour == "rgb") for p in listed]
    if listed and len(classes) > 1:
        listed = readable_pictures(listed, skip_broken, log)
        if not has_groups(data, recipe) and not any(p.split for p in listed):
            log(
                "no groups: each picture counts as its own patient. If some show the same patient, figures are too "
                "good; `python -m training check DIR --write-groups` groups look-alikes"
            )
        listed = split_pictures(listed, recipe.split, recipe.seed)
    if masked:
        check_masked(listed, classes)
    else:
        check_listing(listed, classes)
    sizes = {side: sum(p.split == side for p in listed) for side in ("train", "val", "test")}
    log(f"{len(listed)} pictures of {', '.join(classes)}: " + ", ".join(f"{n} {side}" for side, n in sizes.items()))
    return listed, classes
