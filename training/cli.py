"""``python -m training``: train a model, judge one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from edge.cli.errors import report

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Trains what the device runs. Each command's --help ends in an example that can be pasted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@app.command(
    epilog="\b\nExample:\n  python -m training run --recipe breast --data ../shared/data --out runs/first --epochs 16"
)
def run(
    out: Annotated[Path, typer.Option(help="Folder of this run, made if it is new. Call again to go on after a kill.")],
    data: Annotated[
        Path | None,
        typer.Option(
            help="breast: the folder that holds bus-bra/ (and dicom/, clips/ for the anatomy gate). text-cnn, folder: "
            "a folder of class folders. phantom: needs none."
        ),
    ] = None,
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe in training/recipes, or the path of a .toml file.")
    ] = "breast",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of TensorFlow.")] = 2,
    strategy: Annotated[
        Literal["none", "mirrored", "multi-worker"] | None,
        typer.Option(help="Instead of the recipe's (not for breast)."),
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave broken pictures out; they are listed (not for breast).")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write curves to OUT/tensorboard (not for breast).")
    ] = False,
) -> None:
    """Train a model, judge it, and write what export needs into --out."""
    import msgspec

    from training.classify.recipe import is_classifier

    if is_classifier(recipe):
        _run_classifier(recipe, data, out, epochs, threads, strategy, skip_broken, tensorboard)
        return
    if data is None or strategy or skip_broken or tensorboard:
        from edge.contracts.errors import UsageError

        raise UsageError(
            f"the recipe {recipe} wants --data, and knows no --strategy, --skip-broken or --tensorboard",
            hint="python -m training run --help says which option is for which recipe",
        )
    from training.datasets import bus_bra
    from training.recipe import load_recipe

    chosen = load_recipe(recipe)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, optimiser=msgspec.structs.replace(chosen.optimiser, epochs=epochs))
    items = bus_bra(data / "bus-bra", chosen.fold)
    out.mkdir(parents=True, exist_ok=True)
    _use_threads(threads)
    from training.loop import run_training

    model = run_training(chosen, items, out, typer.echo)
    from training.handover import finish

    finish(model, chosen, items, data, out, typer.echo)


def _run_classifier(
    recipe: str,
    data: Path | None,
    out: Path,
    epochs: int | None,
    threads: int,
    strategy: str | None,
    skip_broken: bool,
    tensorboard: bool,
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
        ready=lambda: _use_threads(threads),
    )


@app.command("eval", epilog="\b\nExample:\n  python -m training eval model.tflite held.csv")
def evaluate(
    model: Annotated[Path, typer.Argument(help="A bundle, a plain classifier's .tflite, or the folder of a run.")],
    table: Annotated[
        Path | None,
        typer.Argument(help="CSV of path,label[,group][,mask]; paths as below its folder. None: a run's own eval.npz."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Judge a model on pictures and print its figures with 95 % bootstrap intervals over groups."""
    if table is None:
        from training.evaluate import judge_run

        typer.echo(judge_run(model))
        return
    import json

    from training.classify.figures import table as as_table
    from training.inspect.judge import judge_table

    figures, confusion = judge_table(model, table)
    typer.echo(json.dumps(figures, indent=1) if as_json else f"{as_table(figures)}\n\n{confusion}")


@app.command(epilog="\b\nExample:\n  python -m training check organ/ --write-groups")
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, as for recipe folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Look for no look-alikes.")] = False,
    write_groups: Annotated[
        bool, typer.Option("--write-groups", help="Write DIR/groups.csv: pictures that look alike are one group.")
    ] = False,
) -> None:
    """Find broken pictures, equal ones, re-zoomed look-alikes, torn groups and masks that do not fit.

    Exit code 0: nothing that spoils training; 3: something, and the table says what.
    """
    import json

    from training.inspect import check as checks

    report = checks.check(folder, lookalikes=not quick, regroup=write_groups)
    typer.echo(json.dumps(report.as_json(), indent=1) if as_json else checks.as_text(report))
    if write_groups:
        typer.echo(f"wrote {folder / 'groups.csv'}", err=True)
    if not report.ok:
        raise typer.Exit(3)


@app.command(epilog="\b\nExample:\n  python -m training look organ/ --out sheet.png")
def look(
    data: Annotated[Path, typer.Argument(help="Folder of pictures, as for the recipe.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")],
    recipe: Annotated[str, typer.Option(help="Whose preprocessing and classes.")] = "folder",
    count: Annotated[int, typer.Option(min=1, max=400, help="Of pictures.")] = 48,
    seed: Annotated[int, typer.Option(help="Of choice and augmentation.")] = 1,
    plain: Annotated[bool, typer.Option("--plain", help="Not augmented: as the device would see them.")] = False,
) -> None:
    """Write a contact sheet of what the network is shown: augmented pictures, masks outlined, labels below."""
    from training.inspect.choose import choose
    from training.inspect.sheet import contact_sheet, write_png

    items, names, preprocess = choose(data, recipe, count, seed)
    write_png(out, contact_sheet(items, names, preprocess, seed, augmented=not plain))
    typer.echo(f"{out}: {len(items)} pictures")


def _use_threads(count: int) -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def main() -> None:
    """Errors are two lines, as everywhere in this project: what happened, and what to do."""
    try:
        app()
    except Exception as error:
        sys.exit(report(error))
