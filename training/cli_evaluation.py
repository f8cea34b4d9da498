"""Commands ``training eval``, ``calibrate`` and ``report``: evaluate a model, choose its calibration, report on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("eval", epilog="\b\nExample:\n  python -m training eval model.tflite held.csv")
def evaluate(
    model: Annotated[Path, typer.Argument(help="A bundle of any kind, or the folder of a run.")],
    table: Annotated[
        Path | None,
        typer.Argument(help="CSV of path,label[,group][,mask]; paths as below its folder. None: what a run held back."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Judge a model on pictures and print its figures with 95 % bootstrap intervals over groups."""
    if table is None:
        from training.classify.recipe import is_classifier_run, is_mask_run
        from training.clips.recipe import is_clip_run
        from training.evaluation.evaluate import evaluate_run
        from training.reporting.class_figures import evaluate_classes
        from training.reporting.mask_report import evaluate_masks

        if is_mask_run(model):
            typer.echo(evaluate_masks(model, as_json))
            return
        of_classes = is_classifier_run(model) or is_clip_run(model)
        typer.echo(evaluate_classes(model, as_json) if of_classes else evaluate_run(model))
        return
    import json

    from training.classify.metrics import table as as_table
    from training.inspect.evaluate_table import evaluate_table

    figures, confusion = evaluate_table(model, table)
    typer.echo(json.dumps(figures, indent=1) if as_json else f"{as_table(figures)}\n\n{confusion}")


Across = Annotated[
    list[Path] | None,
    typer.Option("--across", "--busi-run", help="A run judged on another data set than it learnt from; repeatable."),
]
LeftOut = Annotated[list[Path] | None, typer.Option(help="A run judged on a scanner that it never saw; repeatable.")]
GateFile = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False, help="Scores of an anatomy gate (.npz: ids, anatomy, threshold), for runs without one."
    ),
]
Home = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False, help="A calibration.json whose lesion thresholds are taken, for a RUN that is one fold."
    ),
]
Sensitivity = Annotated[
    float, typer.Option(min=0.5, max=0.999, help="Wanted at the operating point, on --across and --left-out.")
]
Int8 = Annotated[bool, typer.Option("--int8", help="By the quantised models' outputs (RUN/int8.npz).")]


@app.command(
    epilog="\b\nExample:\n  python -m training calibrate runs/cv --int8 --across runs/b2b --across runs/i2b "
    "--left-out runs/no-ge7 --left-out runs/no-ge5"
)
def calibrate(
    run: Annotated[
        Path,
        typer.Argument(
            help="Folder of a cross-validation or of one run; or a calibration.json, to keep what is of home."
        ),
    ],
    int8: Int8 = False,
    across: Across = None,
    left_out: LeftOut = None,
    sensitivity: Sensitivity = 0.9,
) -> None:
    """Choose calibration, operating point, lesion and abstention thresholds; write them to RUN/calibration.json.

    Calibration and operating point by test pictures of the runs --across and --left-out, which never saw their hospital
    or scanner; without any, by out-of-fold predictions of a cross-validation, or a single run's validation pictures.
    """
    from training.evaluation.write_calibration import write_calibration

    found = write_calibration(run, int8, [*(across or ()), *(left_out or ())], sensitivity)
    limits = found.thresholds
    typer.echo(
        f"{found.method}; slope {found.calibration.slope}, intercept {found.calibration.intercept}, "
        f"presence {found.calibration.presence}"
    )
    for point in found.operating_points:
        empty = "" if point.empty_suspicious is None else f", without a lesion {point.empty_suspicious:.3f} suspicious"
        typer.echo(
            f"{point.name:15} from {point.threshold:.3f}: sensitivity {point.sensitivity:.3f}, "
            f"specificity {point.specificity:.3f}{empty}"
        )
    for each in found.strangers:
        typer.echo(
            f"{each.name:15} left out, from {each.threshold:.3f}: sensitivity {each.sensitivity:.3f}, specificity "
            f"{each.specificity:.3f}, ECE {each.ece:.3f}, n = {each.n}"
        )
    typer.echo(f"lesion from {limits.lesion:g}, presence {limits.lesion_score:g}, anatomy {limits.anatomy:g}")
    typer.echo(
        f"calls uncertain between {limits.uncertain}: {1 - found.judged:.1%}; wrong calls {found.error_all:.3f} "
        f"of all, {found.error_judged:.3f} of the others"
    )


@app.command(
    epilog="\b\nExample:\n  python -m training delivered runs/cv --int8 --across runs/b2b --across runs/i2b "
    "--left-out runs/no-ge7 --left-out runs/no-ge5"
)
def delivered(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation, or of one fold.")],
    int8: Int8 = False,
    across: Across = None,
    left_out: LeftOut = None,
    sensitivity: Sensitivity = 0.9,
    gate: GateFile = None,
    home: Home = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print what a user gets: the device's own rules on each fold and stranger split, and which goals are reached.

    Calibration and operating point of each picture are fitted on the stranger splits without its patient.
    """
    from training.reporting.collect import ReportOptions
    from training.reporting.command import print_delivered

    print_delivered(
        ReportOptions(run, int8, across or (), left_out or (), gate=gate, home=home, sensitivity=sensitivity),
        typer.echo,
        as_json,
    )


@app.command(epilog="\b\nExample:\n  python -m training bent runs/cv gate/bent.npz --out runs/bent")
def bent(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation whose folds are quantised.")],
    pictures: Annotated[Path, typer.Argument(help="bent.npz, which `training gate --out` writes.")],
    out: Annotated[Path, typer.Option(help="Folder that is written, for: training delivered OUT --int8 --gate …")],
) -> None:
    """Let each fold's quantised model look at its held-back pictures, bent into the shapes of other scans."""
    from training.evaluation.bent_run import write_bent_run

    write_bent_run(run, pictures, out, typer.echo)
    typer.echo(f"done: {out}")


@app.command("report", epilog="\b\nExample:\n  python -m training report runs/cv --out report")
def make_report(
    run: Annotated[Path, typer.Argument(help="Folder of a cross-validation, or of one run.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = Path("report"),
    int8: Int8 = False,
    across: Across = None,
    left_out: LeftOut = None,
    sensitivity: Sensitivity = 0.9,
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets: adds the negative control.")] = None,
    model: Annotated[bool, typer.Option(help="Ask the run's models about changed pictures (minutes).")] = True,
    gate: GateFile = None,
    home: Home = None,
    clips: Annotated[
        bool, typer.Option("--clips", help="Print which rule joins views and frames best, and write nothing.")
    ] = False,
    cines: Annotated[
        Path, typer.Option(help="With --clips: folder of `training cines`, for its second maker's sweeps.")
    ] = Path("runs/cines"),
    video: Annotated[
        Path | None,
        typer.Option(help="With --clips: folder of `training video`, to judge its network beside the rules."),
    ] = None,
) -> None:
    """Write what a run's predictions are worth: one HTML file, and all figures as JSON. For every recipe.

    The options are for breast runs. The page shows pictures of the data sets: it is for whoever has them.
    """
    if clips:
        if video is not None:
            from training.clips.report import print_rivals

            print_rivals(run, cines, video, typer.echo)
            return
        from training.cines.command import print_joining

        print_joining(run, cines, typer.echo)
        return
    from training.reporting.collect import ReportOptions
    from training.reporting.command import write_report

    write_report(
        ReportOptions(run, int8, across or (), left_out or (), data, model, gate, home, sensitivity), out, typer.echo
    )
