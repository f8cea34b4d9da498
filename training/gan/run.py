"""One run of a generator: read the pictures, train, and write what others need of it into its folder.

recipe.toml              the record (`settings.GanRecord`), written last
generator.weights.h5     the moving average of the generator's weights
sheets/epoch-NNN.png     the same patches after each epoch: picture, hole, filling
log.jsonl                a line an epoch
checkpoint/              where a killed run goes on
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.contracts.errors import ConfigError, UsageError
from edge.process.git_revision import git_revision
from training.gan.networks import build_generator
from training.gan.patches import PatchSource
from training.gan.pictures import load_pictures, scaled_training_pictures
from training.gan.settings import GanRecord
from training.recipe import decode
from training.run_record import write_record

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

    from training.gan.settings import GanRecipe

WEIGHTS = "generator.weights.h5"


def run_gan(recipe: GanRecipe, data: Path | None, out: Path, log: Callable[[str], None], most_hours: float) -> None:
    """Train a generator into ``out``; a finished run of the same recipe is left as it is.

    Raises UsageError where ``out`` is a finished run of another recipe.
    """
    if (out / "recipe.toml").is_file():
        if load_gan_record(out).recipe != recipe:
            raise UsageError(f"{out} is a whole run of another recipe", hint="give another --out")
        log(f"{out} is a whole run")
        return
    from training.gan.loop import train

    name, items = load_pictures(data, recipe)
    out.mkdir(parents=True, exist_ok=True)
    pictures = scaled_training_pictures(items, recipe)
    log(f"{len(pictures)} pictures of {name}, {sum(bool(p.mask.any()) for p in pictures)} with a lesion")
    trained = train(recipe, PatchSource(pictures, recipe.task, recipe.largest), out, log, most_hours)
    trained.generator.save_weights(out / WEIGHTS)
    record = GanRecord(
        recipe=recipe,
        git_revision=git_revision(Path(__file__).parents[2]),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        epochs_done=trained.epochs,
        steps_done=trained.epochs * recipe.optimiser.steps,
        hours=round(trained.hours, 3),
        stopped_by=trained.stopped_by,
        data=name,
        pictures=sorted(one.id for one in pictures),
    )
    write_record(out, record)  # last: a folder with a recipe.toml is a finished run
    log(f"done: {out}, {record.steps_done} steps in {record.hours:.2f} hours (ended by {record.stopped_by})")


def load_gan_record(run: Path) -> GanRecord:
    """Read the record of a finished run. Raises ConfigError where there is none."""
    path = run / "recipe.toml"
    if not path.is_file():
        raise ConfigError(f"{run} is no generator's run", hint="make one with: python -m training gan --out DIR")
    return decode(path, GanRecord)


def load_generator(run: Path, record: GanRecord) -> keras.Model:
    """Load the trained generator of a run. Raises ConfigError where its weights are missing or another's."""
    generator = build_generator(record.recipe.generator, record.recipe.task)
    try:
        generator.load_weights(run / WEIGHTS)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run / WEIGHTS}: {error}", hint="train it again: python -m training gan") from error
    return generator
