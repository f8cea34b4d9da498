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


@app.command(
    epilog="\b\nExample:\n  python -m training run --recipe breast --data ../shared/data --out runs/first --epochs 16"
)
def run(
    data: Annotated[Path, typer.Option(help="Folder that holds bus-bra/ (and dicom/, clips/ for the anatomy gate).")],
    out: Annotated[Path, typer.Option(help="Folder of this run, made if it is new. Call again to go on after a kill.")],
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe in training/recipes, or the path of a .toml file.")
    ] = "breast",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Of TensorFlow.")] = 2,
) -> None:
    """Train a model, fit its anatomy gate, judge it, and write what export needs into --out."""
    import msgspec

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


@app.command("eval", epilog="\b\nExample:\n  python -m training eval runs/first")
def evaluate(run: RunFolder) -> None:
    """Judge a run's SavedModel on its eval.npz again and print the figures of validation and test."""
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
