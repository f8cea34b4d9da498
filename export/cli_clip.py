"""Command ``export step``: the recurrent step of a clip run, beside its frame model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from export.clip_run import is_clip_run

__all__ = ["app", "is_clip_run", "step"]

app = typer.Typer()

Run = Annotated[Path, typer.Argument(help="Folder of a run of recipe clip, or of training video.")]
Out = Annotated[Path, typer.Option(help="The bundle to write.")]
Model = Annotated[Path | None, typer.Option(help="Bundle of the frame model, if it has moved.")]


@app.command(epilog="Example:  python -m export step runs/clip --out own.tflite --decides malignancy")
def step(
    run: Run,
    out: Out,
    model: Model = None,
    decides: Annotated[
        list[str] | None, typer.Option(help="new, malignancy: what it decides, instead of what the recipe says.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model; the frame model's if not given.")] = None,
    version: Annotated[str | None, typer.Option(help="Of the model; with --name.")] = None,
) -> None:
    """Quantise a run's recurrent step to int8 and write it into the bundle of the model whose answers it joins.

    Prints how far int8 is from the floats over 120 steps that feed themselves.
    """
    from export.clip_bundle import as_text, make_clip_bundle

    def progress(line: str) -> None:
        print(line, file=sys.stderr)

    print(as_text(make_clip_bundle(run, out, model, decides, (name, version), progress)))
