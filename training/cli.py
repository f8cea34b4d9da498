"""Command line of ``python -m training``: train a model, cross-validate; the other commands are added here."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge.cli.errors import report
from edge.process.text_streams import set_up_text_streams
from training import cli_cines, cli_data, cli_evaluation, cli_gan, cli_gate
from training.tensorflow_threads import use_threads

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


for more in (cli_data.app, cli_evaluation.app, cli_gate.app, cli_cines.app, cli_gan.app):
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
        "text-cnn, folder: a folder of class folders. phantom: needs none."
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


@app.command(epilog="\b\nExample:\n  python -m training run --data DATA --out runs/all --protocol all")
def run(
    out: Annotated[Path, typer.Option(help="Folder of this run, made if it is new. Call again to go on after a kill.")],
    data: AnyData = None,
    recipe: RecipeName = "breast",
    protocol: Protocol = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    cache: Cache = Path("runs/views"),
    gate: Gate = True,
    threads: Threads = 2,
    strategy: StrategyName = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken pictures out; they are listed (not for breast).")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves to OUT/tensorboard (not for breast).")
    ] = False,
    gate_negatives: Annotated[
        Path | None,
        typer.Option(help="Folder of other organs, for an anatomy gate that refuses them (recipe folder)."),
    ] = None,
) -> None:
    """Train a model, judge it, and write what export needs into --out."""
    import msgspec

    from training.classify.recipe import is_classifier

    if is_classifier(recipe):
        _run_classifier(recipe, data, out, epochs, threads, strategy, skip_broken, tensorboard, gate_negatives)
        return
    if data is None or strategy or skip_broken or tensorboard or gate_negatives:
        from edge.contracts.errors import UsageError

        raise UsageError(
            f"the recipe {recipe} wants --data, and no --strategy, --skip-broken, --tensorboard, --gate-negatives",
            hint="python -m training run --help says which option is for which recipe",
        )
    from training.recipe import load_recipe

    chosen = load_recipe(recipe)
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


def _run_classifier(
    recipe: str,
    data: Path | None,
    out: Path,
    epochs: int | None,
    threads: int,
    strategy: str | None,
    skip_broken: bool,
    tensorboard: bool,
    gate_negatives: Path | None,
) -> None:
    import msgspec

    from training.classify.recipe import DistributeSection, load_classifier
    from training.classify.run import run_classifier

    chosen = load_classifier(recipe)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, optimiser=msgspec.structs.replace(chosen.optimiser, epochs=epochs))
    if strategy is not None:
        chosen = msgspec.structs.replace(chosen, distribute=msgspec.convert({"strategy": strategy}, DistributeSection))
    run_classifier(
        chosen,
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
