"""``python -m export``: make a bundle from a run, and print its figures again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import edge
from edge.cli.errors import report

app = typer.Typer(
    name="python -m export",
    help="From a training run to the bundle that devices run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunFolder = Annotated[Path, typer.Argument(help="Folder of a training run, runs/<id>.")]
BusiFolder = Annotated[Path | None, typer.Option(help="Folder of the BUSI set, to measure on it as well.")]


@app.command(epilog="Example:  python -m export bundle runs/first --out model.tflite --name breast")
def bundle(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    name: Annotated[str | None, typer.Option(help="Of the model; the recipe's name if not given.")] = None,
    version: Annotated[str, typer.Option(help="Of the model.")] = edge.__version__,
    busi: BusiFolder = None,
) -> None:
    """Quantise a run's model, choose its thresholds, measure it, and write the bundle."""
    from export.bundle import make_bundle
    from export.measure import as_table
    from export.run import open_run

    opened = open_run(run)
    name = name or opened.record.recipe.name
    made = make_bundle(opened, out, name, version, lambda line: print(line, file=sys.stderr), busi)
    print(as_table(made.manifest.metrics))
    print(f"{out}: {made.size:,} bytes, sha256 {made.sha256}")


@app.command(epilog="Example:  python -m export evaluate model.tflite --run runs/first")
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The bundle to judge.")],
    run: Annotated[Path, typer.Option(help="Folder of the run that it was made from: its held-back pictures.")],
    busi: BusiFolder = None,
) -> None:
    """Run a bundle on a run's held-back pictures and print its figures with their 95 % intervals."""
    from edge.models.bundle import load_bundle
    from export.bundle import figures
    from export.measure import as_table
    from export.run import open_run

    loaded = load_bundle(bundle)
    measured = figures(open_run(run), loaded.model_bytes, loaded.manifest, busi)
    print(f"{loaded.manifest.name} {loaded.manifest.version}, sha256 {loaded.sha256[:16]}, on {measured[0].data}\n")
    print(as_table(measured))


@app.command(epilog="Example:  python -m export classifier runs/organ --out organ.tflite")
def classifier(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="The .tflite to write.")],
    name: Annotated[str | None, typer.Option(help="Of the model; the recipe's name if not given.")] = None,
    version: Annotated[str, typer.Option(help="Of the model.")] = edge.__version__,
) -> None:
    """Quantise the model of recipe text-cnn or folder to a plain int8 .tflite with labels, for any TFLite tool."""
    from edge.cli.model import describe_plain
    from export.classifier import make_classifier

    made = make_classifier(run, out, name, version, lambda line: print(line, file=sys.stderr))
    print(describe_plain(made.file))
    print(f"int8 against float: mean |dp| {made.mean_dp:.4f}, worst {made.worst_dp:.4f}, same class {made.agree:.1%}")


def main() -> None:
    """Errors are two lines, as everywhere."""
    try:
        app()
    except Exception as error:
        sys.exit(report(error))


if __name__ == "__main__":
    main()
