"""Commands ``training cines``: makes cines of held-out pictures, and judges tracks over seconds on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command(epilog="\b\nExample:\n  python -m training cines --data DATA --out runs/cines")
def cines(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of bus-bra/, busi/ and clips/. None: rendered phantoms, which prove less."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder that keeps the model's answers, which take the time.")] = Path(
        "runs/cines"
    ),
    curve: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the curve of false new against delay to this .svg.")
    ] = None,
    first_only: Annotated[
        bool, typer.Option("--first-only", help="Leave the second maker out, which is there to judge once.")
    ] = False,
) -> None:
    """Make cines by two makers, ask the model about each frame, and print how tracks do against the goals."""
    from training.cines.command import CinesRequest, run_cines

    run_cines(CinesRequest(data, out, curve, first_only), typer.echo)
