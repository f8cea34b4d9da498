"""``python -m training``: train a model, judge one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.errors import report

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


RunFolder = Annotated[Path, typer.Argument(help="Folder that `training run` made.")]


@app.callback()
def about() -> None:
    """Trains what the device runs. Each command's --help ends in an example that can be pasted."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


Data = Annotated[Path, typer.Option(help="Folder of bus-bra/ and busi/ (and dicom/, clips/ for the anatomy gate).")]
Cache = Annotated[Path, typer.Option(help="Where augmented views are kept; every run with the same data uses them.")]
Gate = Annotated[bool, typer.Option(help="Fit the anatomy gate, which a bundle needs.")]
RecipeName = Annotated[str, typer.Option(help="Name of a recipe in training/recipes, or the path of a .toml file.")]
Threads = Annotated[int, typer.Option(min=1, help="Of TensorFlow.")]


@app.command(epilog="\b\nExample:\n  python -m training run --data ../shared/data --out runs/all --protocol all")
def run(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of this run, made if it is new. Call again to go on after a kill.")],
    recipe: RecipeName = "breast",
    protocol: Annotated[
        str | None,
        typer.Option(
            help="What is held back, instead of the recipe's: fold-1 to fold-5, "
            "all, bus-bra-to-busi, busi-to-bus-bra, without:SCANNER."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    cache: Cache = Path("runs/views"),
    gate: Gate = True,
    threads: Threads = 2,
) -> None:
    """Train a model, fit its anatomy gate, judge it, and write what export needs into --out."""
    import msgspec

    from training.recipe import load_recipe

    chosen = load_recipe(recipe)
    if epochs is not None:
        chosen = msgspec.structs.replace(chosen, optimiser=msgspec.structs.replace(chosen.optimiser, epochs=epochs))
    if protocol is not None:
        chosen = msgspec.structs.replace(chosen, protocol=protocol)
    from training.datasets import both

    items = both(data)
    _use_threads(threads)
    from training.cv import train_one

    train_one(chosen, items, data, out, cache, typer.echo, gate=gate)


@app.command(epilog="\b\nExample:\n  python -m training cv --data ../shared/data --out runs/cv")
def cv(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder of the five runs. Call again to go on after a kill.")],
    recipe: RecipeName = "breast",
    cache: Cache = Path("runs/views"),
    gate: Gate = False,
    threads: Threads = 2,
) -> None:
    """Train the five folds one after another, and pool what each says of what it never saw into --out/oof.npz."""
    from training.datasets import both
    from training.recipe import load_recipe

    chosen, items = load_recipe(recipe), both(data)
    _use_threads(threads)
    from training.cv import cross_validate

    cross_validate(chosen, items, data, out, cache, typer.echo, gate=gate)


@app.command("eval", epilog="\b\nExample:\n  python -m training eval runs/first")
def evaluate(run: RunFolder) -> None:
    """Print a run's figures of validation and test, from its predictions."""
    from training.evaluate import judge_run

    typer.echo(judge_run(run))


@app.command(epilog="\b\nExample:\n  python -m training calibrate runs/cv")
def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation, or of one run.")],
    int8: Annotated[bool, typer.Option("--int8", help="By the quantised models' outputs (RUN/int8.npz).")] = False,
) -> None:
    """Choose calibration, operating point, lesion and abstention thresholds; write them to RUN/calibration.json.

    By out-of-fold predictions of a cross-validation; of a single run, by its validation pictures.
    """
    from training.calibrate import write_calibration

    found = write_calibration(run, int8)
    limits = found.thresholds
    typer.echo(f"{found.method}; slope {found.calibration.slope}, intercept {found.calibration.intercept}")
    for point in found.operating_points:
        typer.echo(
            f"{point.name:15} from {point.threshold:.3f}: sensitivity {point.sensitivity:.3f}, "
            f"specificity {point.specificity:.3f}"
        )
    typer.echo(f"lesion from {limits.lesion:g}, presence {limits.lesion_score:g}, anatomy {limits.anatomy:g}")
    typer.echo(
        f"unjudged between {limits.uncertain}: {found.judged:.1%} judged, wrong calls {found.error_all:.3f} of all, "
        f"{found.error_judged:.3f} of those judged"
    )


@app.command("report", epilog="\b\nExample:\n  python -m training report runs/cv --out report")
def make_report(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation, or of one run.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = Path("report"),
    int8: Annotated[bool, typer.Option("--int8", help="With the quantised models' outputs (RUN/int8.npz).")] = False,
    across: Annotated[
        list[Path] | None,
        typer.Option(
            "--across", "--busi-run", help="A run judged on another data set than it learnt from; repeatable."
        ),
    ] = None,
    left_out: Annotated[
        list[Path] | None, typer.Option(help="A run judged on a scanner that it never saw; repeatable.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets: adds the negative control.")] = None,
    model: Annotated[bool, typer.Option(help="Ask the run's models about changed pictures (minutes).")] = True,
) -> None:
    """Write what a run's predictions are worth: one HTML file, and all figures as JSON.

    The page shows pictures of the data sets: it is for whoever has them.
    """
    from training.reporting.collect import Wanted
    from training.reporting.command import write_report

    write_report(Wanted(run, int8, across or (), left_out or (), data, model), out, typer.echo)


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
