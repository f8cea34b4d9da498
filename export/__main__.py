"""Command line ``python -m export``: make a bundle from a training run, and print its metrics again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

import edge
from edge.cli import model_adopt
from edge.cli.errors import report
from edge.process.text_streams import set_up_text_streams
from export import cli_clip, cli_regate, run_kinds

app = typer.Typer(
    name="python -m export",
    help="From a training run to the bundle that devices run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_regate.app)
app.command("adopt", epilog="Example:  python -m export adopt own.tflite --labels labels.txt --out own.sono.tflite")(
    model_adopt.command
)
app.add_typer(cli_clip.app)

RunFolder = Annotated[Path, typer.Argument(help="Folder of a training run, runs/<id>.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
TfliteRuntime = Annotated[
    Path | None, typer.Option(help="Python of an environment with tflite-runtime (3.11, numpy<2).")
]
BusiFolder = Annotated[
    Path | None, typer.Option(help="Folder of the BUSI set, to measure a model on it that never saw it.")
]
RepresentativeFolder = Annotated[
    Path | None,
    typer.Option(
        file_okay=False,
        help="Folder of representative pictures: weights of channels that are zero on all of them do not count.",
    ),
]


@app.command(epilog="Example:  python -m export bundle runs/first --out model.tflite --name breast")
def bundle(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    name: Annotated[str | None, typer.Option(help="Of the model; the recipe's name if not given.")] = None,
    version: Annotated[str, typer.Option(help="Of the model.")] = edge.__version__,
    busi: BusiFolder = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="calibration.json (int8) of the folds, for a model of protocol all; needs --figures."),
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="report.json of the folds: what the card says.")] = None,
    tflite_runtime: TfliteRuntime = None,
    clear: Annotated[
        str | None, typer.Option(help="Label that means that there is nothing to find (labels alone).")
    ] = None,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card (labels alone).")] = "",
) -> None:
    """Quantise a run's model, choose its thresholds, measure it, and write the bundle.

    A run of recipe breast or phantom becomes a lesion model; one of text-cnn, folder and their like, a classifier; with
    --masks, a segmentation; one of recipe clip, its frame model's bundle with a recurrent step.
    """
    if cli_clip.is_clip_run(run):
        run_kinds.refuse_lesion_options(run, {"--busi": busi, "--calibration": calibration, "--figures": figures})
        cli_clip.step(run, out, None, None, name, version if name else None)
        return
    if (way := run_kinds.way_of_run(run)) is not None:
        run_kinds.refuse_lesion_options(run, {"--busi": busi, "--calibration": calibration, "--figures": figures})
        way.bundle(run, out, name, version, tflite_runtime, clear, licence, progress)
        return
    run_kinds.refuse_label_options(run, {"--clear": clear, "--licence": licence})
    from export.bundle import make_bundle
    from export.cross_validation_results import CrossValidationResults, read_calibration, read_reported_metrics
    from export.measure_bundle import metrics_table
    from export.training_run import open_run

    opened = open_run(run)
    folds = CrossValidationResults(
        read_calibration(calibration) if calibration else None,
        tuple(read_reported_metrics(figures)) if figures else (),
    )
    made = make_bundle(opened, out, name or opened.record.recipe.name, version, progress, busi, folds, tflite_runtime)
    print(metrics_table(made.manifest.metrics))
    print(f"{out}: {made.size:,} bytes, sha256 {made.sha256}")


@app.command(epilog="Example:  python -m export evaluate model.tflite --run runs/first")
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="The bundle to judge.")],
    run: Annotated[Path, typer.Option(help="Folder of the run that it was made from: its held-back pictures.")],
    busi: BusiFolder = None,
) -> None:
    """Run a bundle on a run's held-back pictures and print its figures with their 95 % intervals."""
    from edge.models.bundle import load_bundle
    from export.bundle import bundle_metrics
    from export.measure_bundle import metrics_table
    from export.training_run import open_run

    loaded = load_bundle(bundle)
    if (way := run_kinds.way_of_bundle(loaded)) is not None:
        run_kinds.refuse_lesion_options(run, {"--busi": busi})
        measured = way.measure(loaded, run)
    else:
        measured = bundle_metrics(open_run(run), loaded.model_bytes, loaded.lesion_manifest, busi)
    print(f"{loaded.manifest.name} {loaded.manifest.version}, sha256 {loaded.sha256[:16]}, on {measured[0].data}\n")
    print(metrics_table(measured))


@app.command(epilog="Example:  python -m export quantise runs/first")
def quantise(run: RunFolder) -> None:
    """What each step before quantisation brings on a run's held-back pictures; writes nothing."""
    from edge.models.graph import read_graph
    from export.parity import parity_row
    from export.predict import as_predictions, run_graph
    from export.quantisation.convert import convert, run_float
    from export.quantisation.full_integer import RECIPES, quantise_float
    from export.training_run import open_run

    if (way := run_kinds.way_of_run(run)) is not None:
        for line in way.quantise(run):
            print(line, flush=True)
        return
    opened = open_run(run)
    progress(f"convert {opened.path / 'saved_model'}, run it on {len(opened.test)} pictures")
    whole = convert(opened.path / "saved_model", opened.representative)
    raw = run_float(opened.path / "saved_model", opened.test.tensors)
    print(f"{'steps':12}{'AUC':>8}{'Dice':>8}{'|dp| mean':>11}{'p95':>8}{'max':>8}")
    for name, recipe in RECIPES.items():
        graph = quantise_float(whole, opened.representative, recipe)
        specs = read_graph(graph).outputs
        floats, int8 = as_predictions(raw, specs), as_predictions(run_graph(graph, opened.test.tensors), specs)
        r = parity_row(name, int8, floats, opened.test)
        print(f"{name:12}{r.auc:8.4f}{r.dice:8.4f}{r.dp_mean:11.4f}{r.dp_p95:8.4f}{r.dp_max:8.4f}", flush=True)
    float_row = parity_row("float", floats, floats, opened.test)
    print(f"{'float':12}{float_row.auc:8.4f}{float_row.dice:8.4f}")


@app.command(epilog="Example:  python -m export variants runs/first --out variants/")
def variants(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="Folder for the .tflite files.")],
    as_json: AsJson = False,
) -> None:
    """Convert a run's model to int8, float32, float16, dynamic and int16x8, with size, time and accuracy of each."""
    from export.number_formats import convert_all_formats, formats_table
    from export.training_run import open_run

    if (way := run_kinds.way_of_run(run)) is not None:
        found, text = way.variants(run, out, progress)
        print(_json(found) if as_json else text)
        return
    made = convert_all_formats(open_run(run), out, progress)
    print(_json(made) if as_json else formats_table(made))


@app.command(epilog="Example:  python -m export parity model.tflite --run runs/first")
def parity(
    bundle: Annotated[Path, typer.Argument(help="The bundle to compare.")],
    run: Annotated[Path, typer.Option(help="Folder of the run that it was made from.")],
    tflite_runtime: TfliteRuntime = None,
    as_json: AsJson = False,
) -> None:
    """The same pictures through TensorFlow, LiteRT, tflite-runtime and ONNX Runtime; what accelerators take."""
    from edge.models.bundle import load_bundle
    from export.parity import compare_runtimes, parity_tables
    from export.training_run import open_run

    loaded = load_bundle(bundle)
    if (way := run_kinds.way_of_bundle(loaded)) is not None:
        found, text = way.parity(loaded, run, progress, tflite_runtime)
        print(_json(found) if as_json else text)
        return
    report = compare_runtimes(loaded, open_run(run), progress, tflite_runtime)
    print(_json(report) if as_json else parity_tables(report))


@app.command(epilog="Example:  python -m export folds runs/cv runs/b2b")
def folds(
    runs: Annotated[list[Path], typer.Argument(help="Folders with fold-1, fold-2 …, or of one run each.")],
) -> None:
    """Quantise each fold's or run's model and keep what it says of its test pictures; what is done is kept."""
    from export.quantise_folds import quantise_run

    for run in runs:
        print(quantise_run(run, progress))


@app.command(epilog="Example:  python -m export onnx model.tflite --out model.onnx")
def onnx(
    bundle: Annotated[Path, typer.Argument(help="The bundle to convert.")],
    out: Annotated[Path, typer.Option(help="The ONNX file to write.")],
) -> None:
    """Write the bundle's quantised graph as ONNX, and replay its golden tensors in ONNX Runtime."""
    from edge.models.bundle import load_bundle
    from edge.models.bundle_file import split_bundle
    from export.other_runtimes import largest_differences, run_onnx, to_onnx

    loaded = load_bundle(bundle)
    graph = split_bundle(loaded.model_bytes).graph
    to_onnx(graph, out)
    worst = largest_differences(run_onnx(out, graph, loaded.golden.tensors), loaded.golden.outputs)
    print(f"{out}: {out.stat().st_size:,} bytes; golden tensors differ by at most, in steps of 1/256: {worst}")


@app.command(epilog="Example:  python -m export golden-coverage model.tflite --pictures DATA/images --layers")
def golden_coverage(
    bundle: Annotated[Path, typer.Argument(help="The bundle to measure.")],
    pictures: RepresentativeFolder = None,
    drawn: Annotated[int, typer.Option(min=1, help="Weights of each head that are changed, one at a time.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the choice of weights.")] = 0,
    layers: Annotated[bool, typer.Option("--layers", help="Each layer too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Share of changed weights of each head that a bundle's golden vectors notice."""
    from edge.models.bundle import load_bundle
    from edge.models.bundle_file import split_bundle
    from export.golden.coverage import coverage_table, read_pictures, silent_channels
    from export.golden.coverage import golden_coverage as measure

    loaded = load_bundle(bundle)
    graph = split_bundle(loaded.model_bytes).graph
    silent = silent_channels(graph, read_pictures(pictures, loaded.lesion_manifest.recipe)) if pictures else None
    found = measure(graph, loaded.golden.tensors, silent, drawn, seed)
    print(_json(found) if as_json else coverage_table(found, by_layer=layers))


@app.command(epilog="Example:  python -m export repack model.tflite --out new.tflite --version 0.3.1")
def repack(
    bundle: Annotated[Path, typer.Argument(help="The bundle whose graph and manifest are taken.")],
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    version: Annotated[str, typer.Option(help="Of the new bundle.")],
    pictures: RepresentativeFolder = None,
    reason: Annotated[str, typer.Option(help="Why there is another version, for the model card.")] = "",
    found: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, help="Folder that keeps pictures as they are found; an interrupted search goes on from it."
        ),
    ] = None,
) -> None:
    """Give a bundle golden vectors that are searched anew; its graph stays the same, byte for byte. Takes minutes."""
    from edge.models.bundle import load_bundle
    from export.golden.coverage import coverage_table, read_pictures
    from export.repack import repack as write

    loaded = load_bundle(bundle)
    tensors = read_pictures(pictures, loaded.lesion_manifest.recipe) if pictures else None
    made, noticed = write(loaded, out, version, tensors, progress, reason, found)
    print(coverage_table(noticed))
    print(f"{out}: {len(made.golden)} golden cases, {made.size:,} bytes, sha256 {made.sha256}")


@app.command(epilog="Example:  python -m export sign model.tflite --key key.pem")
def sign(
    file: Annotated[Path, typer.Argument(help="The bundle to sign, or a file that a runtime loads beside it.")],
    key: Annotated[Path, typer.Option(help="Private key, PEM, on a NIST curve.")],
    password: Annotated[str | None, typer.Option(envvar="SONOEDGE_KEY_PASSWORD", help="Of the key.")] = None,
) -> None:
    """Sign a file in the OpenSSF model signing format; devices check it with the public key in model_keys.

    A .tflite must be a whole bundle. Any other file (an ONNX file, a delegate's library) is signed as it is.
    """
    from edge.models.bundle import load_bundle
    from export.sign import sign_file

    if file.suffix == ".tflite":
        load_bundle(file)  # nothing broken is signed
    print(sign_file(file, key, password))


def progress(line: str) -> None:
    """Print a line of progress on stderr, apart from the result on stdout."""
    print(line, file=sys.stderr)


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


def main() -> None:
    """Run the command line; an error is printed in two lines, as everywhere, and sets the exit code."""
    set_up_text_streams()
    try:
        app()
    except Exception as error:
        sys.exit(report(error))


if __name__ == "__main__":
    main()
