"""Command line of ``python -m training``: train a model, cross-validate; the other commands are added here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from edge.cli.errors import report
from edge.process.text_streams import set_up_text_streams
from training import cli_cines, cli_clips, cli_data, cli_evaluation, cli_gan, cli_gate
from training.tensorflow_threads import use_threads

if TYPE_CHECKING:
    from training.classify.recipe import ClassifierRecipe

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


for more in (cli_data.app, cli_evaluation.app, cli_gate.app, cli_cines.app, cli_clips.app, cli_gan.app):
    app.add_typer(more)


@app.callback()
def about() -> None:
    """Trains what the device runs. Each command's --help ends in an example that can be pasted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


Data = Annotated[Path, typer.Option(help="Folder of bus-bra/ and busi/ (and dicom/, clips/ for the anatomy gate).")]
Cache = Annotated[Path, typer.Option(help="Where augmented views are kept; every run with the same data uses them.")]
Gate = Annotated[bool, typer.Option(help="Fit the anatomy gate, which a bundle needs.")]
RecipeName = Annotated[str, typer.Option(help="Name of a recipe in training/recipes, or the path of a .toml file.")]
Threads = Annotated[int, typer.Option(min=1, help="Of TensorFlow.")]
AnyData = Annotated[
    Path | None,
    typer.Option(
        help="breast: the folder that holds bus-bra/ and busi/ (and dicom/, clips/ for the anatomy gate). "
        "text-cnn, folder, clip: a folder of class folders. phantom: needs none."
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        help="What breast holds back, instead of the recipe's: fold-1 to fold-5, all, bus-bra-to-busi, "
        "busi-to-bus-bra, without:SCANNER."
    ),
]
StrategyName = Annotated[
    Literal["none", "mirrored", "multi-worker"] | None,
    typer.Option(help="Instead of the recipe's (not for breast)."),
]


SkipBroken = Annotated[
    bool, typer.Option("--skip-broken", help="Leave broken pictures out; they are listed (not for breast).")
]
Tensorboard = Annotated[bool, typer.Option("--tensorboard", help="Write curves to OUT/tensorboard (not for breast).")]
GateNegatives = Annotated[
    Path | None,
    typer.Option(help="Folder of other organs, for an anatomy gate that refuses them (recipe folder)."),
]
Folds = Annotated[
    int | None,
    typer.Option(
        min=0, max=20, help="Models more, for thresholds out of fold; takes so many times as long (not for breast)."
    ),
]
Masks = Annotated[
    bool, typer.Option("--masks", help="Learn to outline: masks stand beside the pictures (recipe folder).")
]
Colour = Annotated[
    Literal["grey", "rgb"] | None, typer.Option(help="Of the pictures, instead of the recipe's (not for breast).")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")]


@app.command(epilog="\b\nExample:\n  python -m training run --data DATA --out runs/all --protocol all")
def run(
    out: Annotated[Path, typer.Option(help="Folder of this run, made if it is new. Call again to go on after a kill.")],
    folder: Annotated[Path | None, typer.Argument(help="The same as --data.", show_default=False)] = None,
    data: AnyData = None,
    recipe: RecipeName = "breast",
    protocol: Protocol = None,
    epochs: Epochs = None,
    cache: Cache = Path("runs/views"),
    gate: Gate = True,
    threads: Threads = 2,
    strategy: StrategyName = None,
    skip_broken: SkipBroken = False,
    tensorboard: Tensorboard = False,
    gate_negatives: GateNegatives = None,
    folds: Folds = None,
    masks: Masks = False,
    colour: Colour = None,
) -> None:
    """Train a model, judge it, and write what export needs into --out."""
    from training.classify.recipe import is_classifier
    from training.clips.recipe import is_clip_recipe

    data = _one_folder(folder, data)
    if is_clip_recipe(recipe):
        refused: dict[str, object] = {"--protocol": protocol, "--strategy": strategy, "--tensorboard": tensorboard}
        refused |= {"--gate-negatives": gate_negatives, "--folds": folds, "--masks": masks, "--colour": colour}
        _run_clips(recipe, data, out, epochs, skip_broken, refused)
        return
    if is_classifier(recipe):
        changed = _changed(recipe, epochs, strategy, folds, masks, colour)
        _run_classifier(changed, data, out, threads, skip_broken, tensorboard, gate_negatives)
        return
    others = strategy or skip_broken or tensorboard or gate_negatives or folds or masks or colour
    _run_breast(recipe, data, out, (protocol, epochs), cache, threads, others, gate=gate)


def _run_breast(
    recipe: str,
    data: Path | None,
    out: Path,
    changes: tuple[str | None, int | None],
    cache: Path,
    threads: int,
    refused: object,
    *,
    gate: bool,
) -> None:
    """Run the breast recipe. ``changes``: protocol and epochs, instead of the recipe's; ``refused``: other options."""
    import msgspec

    if data is None or refused:
        from edge.contracts.errors import UsageError

        raise UsageError(
            f"the recipe {recipe} wants --data, and no --strategy, --skip-broken, --tensorboard, "
            "--gate-negatives, --folds, --masks, --colour",
            hint="python -m training run --help says which option is for which recipe",
        )
    from training.recipe import load_recipe

    chosen, (protocol, epochs) = load_recipe(recipe), changes
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, optimiser=msgspec.structs.replace(chosen.optimiser, epochs=epochs))
    if protocol is not None:
        chosen = msgspec.structs.replace(chosen, protocol=protocol)
    from training.datasets import load_breast_sets

    items = load_breast_sets(data)
    use_threads(threads, out)
    from training.breast.cross_validation import train_run

    train_run(chosen, items, data, out, cache, typer.echo, gate=gate)


@app.command(epilog="\b\nExample:\n  python -m training cv --data DATA --out runs/cv")
def cv(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the five runs. Call again to go on after a kill.")],
    recipe: RecipeName = "breast",
    cache: Cache = Path("runs/views"),
    gate: Gate = False,
    threads: Threads = 2,
) -> None:
    """Train the five folds one after another, and pool what each says of what it never saw into --out/oof.npz."""
    from training.datasets import load_breast_sets
    from training.recipe import load_recipe

    chosen, items = load_recipe(recipe), load_breast_sets(data)
    use_threads(threads, out)
    from training.breast.cross_validation import cross_validate

    cross_validate(chosen, items, data, out, cache, typer.echo, gate=gate)


def _changed(
    name: str, epochs: int | None, strategy: str | None, folds: int | None, masks: bool, colour: str | None
) -> ClassifierRecipe:
    """Recipe of a classifier with what the options say in place of what it says. Raises ConfigError as it does."""
    import msgspec

    from training.classify.recipe import ClassifierRecipe, check_recipe, load_classifier

    tree = msgspec.to_builtins(load_classifier("folder-masks" if masks and name == "folder" else name))
    given = {("optimiser", "epochs"): epochs, ("distribute", "strategy"): strategy}
    for (section, key), value in given.items():
        if value is not None:
            tree[section][key] = value
    if masks:
        tree["network"]["heads"] = "mask"
    tree |= {key: value for key, value in (("folds", folds), ("colour", colour)) if value is not None}
    chosen = msgspec.convert(tree, ClassifierRecipe)
    check_recipe(chosen)
    return chosen


def _one_folder(folder: Path | None, data: Path | None) -> Path | None:
    """Folder that was given, as an argument or an option; UsageError for two."""
    if folder is not None and data is not None and folder != data:
        from edge.contracts.errors import UsageError

        raise UsageError(f"{folder} and --data {data}: which of them?", hint="give one of the two")
    return data or folder


def _run_clips(
    recipe: str, data: Path | None, out: Path, epochs: int | None, skip_broken: bool, refused: dict[str, object]
) -> None:
    import msgspec

    from edge.contracts.errors import UsageError
    from training.clips.recipe import load_clip_recipe
    from training.clips.run import run_clips

    for option, value in refused.items():
        if value:
            hint = f"python -m training run --recipe {recipe} DIR --out RUN"
            raise UsageError(f"{option} is not for clips", hint=hint)
    chosen = load_clip_recipe(recipe)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, network=msgspec.structs.replace(chosen.network, epochs=epochs))
    run_clips(chosen, data, out, typer.echo, skip_broken=skip_broken)


def _run_classifier(
    recipe: ClassifierRecipe,
    data: Path | None,
    out: Path,
    threads: int,
    skip_broken: bool,
    tensorboard: bool,
    gate_negatives: Path | None,
) -> None:
    from training.classify.run import run_classifier

    run_classifier(
        recipe,
        data,
        out,
        typer.echo,
        skip_broken=skip_broken,
        tensorboard=tensorboard,
        gate_negatives=gate_negatives,
        ready=lambda: use_threads(threads, out),
    )


def main() -> None:
    """Run the command line; errors are two lines, as everywhere here: what happened, and what to do."""
    set_up_text_streams()
    try:
        app()
    except Exception as error:
        sys.exit(report(error))
