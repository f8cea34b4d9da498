"""Command ``training gate``: a new anatomy gate for an existing bundle, judged on what it has not seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("gate", epilog="\b\nExample:\n  python -m training gate model.tflite --data DATA --out gate")
def gate(
    bundle: Annotated[Path, typer.Argument(help="The bundle whose backbone gives the features.")],
    data: Annotated[Path, typer.Option(help="Folder of bus-bra/, busi/, dicom/ and clips/.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the head and what export regate needs.")] = None,
    recipe: Annotated[str, typer.Option(help="Recipe whose [gate] it follows: a name, or a .toml file.")] = "breast",
) -> None:
    """Fit an anatomy gate on a bundle's features and say how it judges breasts and organs that it has not seen.

    Breasts are judged by gates of other patients, as they are and bent by a bender that no training uses; other organs
    by gates fitted without their family. Takes tens of minutes.
    """
    from training.evaluation.gate_command import make_gate

    make_gate(bundle, data, out, recipe, typer.echo)
