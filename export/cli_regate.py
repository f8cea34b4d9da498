"""Command ``export regate``: a new anatomy head for an existing bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

BundleFile = Annotated[Path, typer.Argument(help="The bundle whose trunk and other heads are taken.")]
Head = Annotated[Path, typer.Option(help="The new head's float layers and weights, .npz; see docs/training.md.")]
Tensors = Annotated[
    Path, typer.Option(help="An .npz whose ``tensors`` (n, height, width, channels) set the ranges of the new layers.")
]
Out = Annotated[Path, typer.Option(help="The bundle to write.")]
Version = Annotated[str, typer.Option(help="Of the new bundle.")]
Known = Annotated[
    Path | None,
    typer.Option(help="An .npz of held-back pictures of the body part: the limits are chosen on its ``tensors``."),
]
Limit = Annotated[float | None, typer.Option(help="The limit, instead of --known.")]
StatedLimit = Annotated[float | None, typer.Option(help="The limit where the body part is stated; with --anatomy.")]
CalibrationFile = Annotated[
    Path | None, typer.Option(help="calibration.json (int8): calibration and thresholds; needs --figures.")
]
Figures = Annotated[Path | None, typer.Option(help="report.json: what the card says.")]
GateMetrics = Annotated[
    Path | None, typer.Option(help="metrics.json with the gate's figures by file, as a run has it.")
]
RecipeFile = Annotated[Path | None, typer.Option(help="Recipe (.toml) whose [[data]] the card names.")]
Pictures = Annotated[
    Path | None,
    typer.Option(file_okay=False, help="Folder of pictures; weights of channels zero on all do not count."),
]
Reason = Annotated[str, typer.Option(help="Why there is another version, for the model card.")]
Found = Annotated[
    Path | None,
    typer.Option(
        file_okay=False, help="Folder that keeps pictures as they are found; an interrupted search goes on from it."
    ),
]
TfliteRuntime = Annotated[
    Path | None, typer.Option(help="Python of an environment with tflite-runtime (3.11, numpy<2).")
]


@app.command(
    epilog="Example:  python -m export regate model.tflite --head gate.npz --representative pictures.npz "
    "--known held.npz --out new.tflite --version 0.4.0"
)
def regate(
    bundle: BundleFile,
    head: Head,
    representative: Tensors,
    out: Out,
    version: Version,
    known: Known = None,
    anatomy: Limit = None,
    anatomy_stated: StatedLimit = None,
    calibration: CalibrationFile = None,
    figures: Figures = None,
    gate_metrics: GateMetrics = None,
    recipe: RecipeFile = None,
    pictures: Pictures = None,
    reason: Reason = "",
    found: Found = None,
    tflite_runtime: TfliteRuntime = None,
) -> None:
    """Give a bundle a new anatomy head; its trunk and other heads stay, byte for byte. Takes minutes.

    Golden frames of the old bundle are kept where they notice weights of the new one; others are searched beside them.
    """
    from edge.models.bundle import load_bundle
    from export.cross_validation_results import CrossValidationResults, read_calibration, read_reported_metrics
    from export.gate_files import read_data_sources, read_gate_metrics, read_limits, read_tensors
    from export.golden.coverage import coverage_table, read_pictures
    from export.head_replacement.head_design import read_design
    from export.regate import BundleChanges, GoldenOptions, NewGate
    from export.regate import regate as write

    loaded = load_bundle(bundle)
    shape = loaded.manifest.input.shape[1:]
    gate = NewGate(
        read_design(head),
        read_tensors(representative, shape),
        read_limits(anatomy, anatomy_stated, known),
        read_tensors(known, shape) if known else None,
        tuple(read_gate_metrics(gate_metrics)) if gate_metrics else (),
        tuple(read_data_sources(recipe)) if recipe else (),
    )
    folds = CrossValidationResults(
        read_calibration(calibration) if calibration else None, tuple(read_reported_metrics(figures)) if figures else ()
    )
    shown = read_pictures(pictures, loaded.lesion_manifest.recipe) if pictures else None
    options = GoldenOptions(shown, found, tflite_runtime)
    made, noticed = write(loaded, out, gate, BundleChanges(version, reason, folds), _progress, options)
    print(coverage_table(noticed))
    print(f"{out}: {len(made.golden)} golden cases, {made.size:,} bytes, sha256 {made.sha256}")


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
