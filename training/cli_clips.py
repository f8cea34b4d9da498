"""Command ``training video``: fits the recurrent network over the breast model's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command(epilog="\b\nExample:\n  python -m training video runs/cv --data DATA --out runs/video")
def video(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation whose folds are quantised.")],
    data: Annotated[Path, typer.Option(help="Folder of bus-bra/ and busi/.")],
    out: Annotated[Path, typer.Option(help="Folder for the networks.")] = Path("runs/video"),
    cines: Annotated[Path, typer.Option(help="Folder that keeps the models' answers, which take the time.")] = Path(
        "runs/cines"
    ),
    seed: Annotated[int, typer.Option(help="Of the fit.")] = 1,
) -> None:
    """Fit the recurrent network that may join the breast model's frames, on sweeps and pairs of views out of fold.

    What it is worth against the rules, `training report --clips --video` says.
    """
    from training.clips.video_run import run_video

    run_video(run, data, cines, out, seed, typer.echo)
