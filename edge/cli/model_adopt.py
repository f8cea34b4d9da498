"""``edge-cli model adopt``: makes a bundle of a classifier or segmentation network from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edge.adopt.adopt import Adoption
    from edge.adopt.labelled_pictures import ThresholdChoice
    from edge.adopt.settle import AdoptOptions


NO_PICTURES = "--pictures chooses thresholds of labels, and this model gives areas"
NO_PICTURES_HINT = "leave it out; --threshold sets them, and infer --overlay shows what comes of them"

ModelPath = Annotated[Path, typer.Argument(help="A .tflite file from elsewhere.", metavar="MODEL")]
OutPath = Annotated[Path, typer.Option(help="The bundle to write.")]
LabelsFile = Annotated[
    Path | None, typer.Option(help="Labels, one a line, in the order of the output; default: the metadata's.")
]
InputRange = Annotated[
    str | None,
    typer.Option(help="What pixels become: 0..1, -1..1, 0..255 or imagenet; default: as the file tells."),
]
Judges = Annotated[str | None, typer.Option(help="Kind of the model; default: by the shape of its output.")]
Scores = Annotated[
    str | None,
    typer.Option(help="What the output is: softmax, sigmoid, logits or sigmoid-logits; default: told apart."),
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(help="Score from which a label is given: 0.6, or for one label: cyst=0.7. Default: 0.5."),
]
ClearLabel = Annotated[
    str | None, typer.Option(help="Label that means that there is nothing to find; of areas: empty.")
]
MinArea = Annotated[
    float | None, typer.Option(help="Smallest piece of an area, as a share of the input; default: 0.001.")
]
Pictures = Annotated[
    Path | None, typer.Option(help="Pictures to choose thresholds by, best in a folder for each label. Not kept.")
]
Fit = Annotated[str, typer.Option(help="stretch, letterbox or centre-crop, as in the model's training.")]
Crop = Annotated[str, typer.Option(help="full, or scan-area: what stands out from the background.")]
Grey = Annotated[bool, typer.Option("--grey", help="Give grey pictures to a model with three channels.")]
Name = Annotated[str | None, typer.Option(help="Of the model; default: the metadata's, else the file's.")]
Version = Annotated[str | None, typer.Option(help="Of the model.")]
Licence = Annotated[str | None, typer.Option(help="Of the model's weights.")]
BodyPart = Annotated[
    str, typer.Option(help="What it is for, as DICOM spells BodyPartExamined; others are then refused by name.")
]


def command(
    path: ModelPath,
    out: OutPath,
    labels: LabelsFile = None,
    input_range: InputRange = None,
    judges: Judges = None,
    scores: Scores = None,
    threshold: Threshold = None,
    clear: ClearLabel = None,
    min_area: MinArea = None,
    pictures: Pictures = None,
    fit: Fit = "stretch",
    crop: Crop = "full",
    grey: Grey = False,
    name: Name = None,
    version: Version = None,
    licence: Licence = None,
    body_part: BodyPart = "",
) -> int:
    """Make a bundle of a classifier or segmentation network from elsewhere, so that devices take it.

    Reads what the file says of itself, and asks for the rest by name. Refuses what cannot run here. Writes recipe,
    labels, thresholds, model card and golden vectors; the weights stay as they are. Needs no TensorFlow.

    Example:
      edge-cli model adopt own.tflite --labels labels.txt --input-range 0..1 --out own.sono.tflite
      edge-cli model adopt own.tflite --threshold 0.6 --threshold cyst=0.7 --clear normal --out own.sono.tflite
      edge-cli model adopt own.tflite --labels labels.txt --pictures organ/ --out own.sono.tflite
      edge-cli model adopt map.tflite --labels labels.txt --input-range 0..1 --clear empty --out map.sono.tflite
    """
    from edge.adopt.settle import AdoptOptions

    options = AdoptOptions(
        labels=None if labels is None else read_labels(labels),
        input_range=input_range,
        scores=scores,
        judges=judges,
        thresholds=parse_thresholds(threshold or []),
        clear_label=clear,
        min_area=min_area,
        name=name,
        version=version,
        licence=licence,
        body_part=body_part,
        fit=fit,
        crop=crop,
        grey=grey,
    )
    adopt_and_tell(path, out, options, pictures)
    return 0


def adopt_and_tell(path: Path, out: Path, options: AdoptOptions, pictures: Path | None) -> None:
    """Adopt a model, choose thresholds by ``pictures`` where none are given, and print what was made."""
    from dataclasses import replace

    from edge.adopt.adopt import adopt
    from edge.cli.output import printable
    from edge.contracts.errors import UsageError

    if pictures is not None and options.judges == "segmentation":
        raise UsageError(NO_PICTURES, hint=NO_PICTURES_HINT)
    if out.exists() and path.exists() and out.samefile(path):
        raise UsageError(f"{out} is the model itself, and would be written over", hint="give --out another name")
    made = adopt(path, out, options)
    if pictures is not None and made.bundle.manifest.judges == "segmentation":
        raise UsageError(NO_PICTURES, hint=NO_PICTURES_HINT)
    if pictures is not None:
        choices = judge_pictures(made, pictures)
        print(printable(describe_choices(choices)))
        if options.thresholds is None:
            chosen = {choice.label: choice.threshold for choice in choices if choice.threshold is not None}
            method = f"by {sum(c.given for c in choices)} pictures of the user, so that 9 of 10 are right"
            made = adopt(path, out, replace(options, thresholds=chosen, threshold_method=method))
    print(printable(describe_adoption(made)))


def read_labels(path: Path) -> tuple[str, ...]:
    """Labels of a text file. Raises `UsageError` if it cannot be read."""
    from edge.adopt.metadata import LABELS_LIMIT, parse_labels
    from edge.contracts.errors import UsageError
    from edge.process.sealed_file import read_once

    try:
        return parse_labels(read_once(path, LABELS_LIMIT))
    except OSError as error:
        raise UsageError(f"--labels {path} cannot be read: {error.strerror}", hint="one label a line") from error


def parse_thresholds(given: list[str]) -> dict[str, float] | None:
    """Thresholds by label (the empty name: of all others), of ``0.6`` and ``label=0.6``; None: none was given.

    Raises `UsageError` for a number that is no threshold.
    """
    from edge.contracts.errors import UsageError

    found: dict[str, float] = {}
    for text in given:
        label, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not 0 < value < 1:
            raise UsageError(f"--threshold {text}: expected a number between 0 and 1", hint="0.6, or cyst=0.7")
        found[label] = value
    return found or None


def judge_pictures(made: Adoption, folder: Path) -> list[ThresholdChoice]:
    """Judge all pictures of a folder with the adopted model, and choose thresholds. Raises `UsageError`."""
    import os

    from edge.adopt.labelled_pictures import JudgedPicture, choose_thresholds
    from edge.adopt.settle import DEFAULT_THRESHOLD
    from edge.app.compose import make_analyser
    from edge.config.load import load_settings
    from edge.infer.inputs import find_inputs
    from edge.infer.run import answers

    flags = {"model": str(made.bundle.path), "gate.none_allowed": True}
    analyser = make_analyser(load_settings(None, os.environ, flags), isolated=False)
    inputs, _ = find_inputs([folder])
    names = set(made.bundle.labels)
    judged = []
    try:
        for answer in answers(inputs, analyser):
            if answer.result is not None and answer.result.scores:
                top, parent = answer.result.scores[0], answer.path.parent.name
                judged.append(JudgedPicture(top.name, top.score, parent if parent in names else None))
    finally:
        analyser.close()
    return choose_thresholds(judged, made.bundle.labels, DEFAULT_THRESHOLD)


def describe_choices(choices: list[ThresholdChoice]) -> str:
    """Text of what the pictures showed, a line a label."""
    width = max(len(choice.label) for choice in choices)
    lines = [f"{'label':{width}}  pictures  right  threshold"]
    for choice in choices:
        value = "default" if choice.threshold is None else f"{choice.threshold:.3f}"
        lines.append(f"{choice.label:{width}}  {choice.given:8}  {choice.right:5}  {value:>9}")
    return "\n".join(lines)


def describe_adoption(made: Adoption) -> str:
    """Text of what was made, how it was settled, what accelerators would take, and what to do next."""
    from edge.adopt.operator_support import edge_tpu_line
    from edge.models.delegate_placement import describe_placement
    from edge.models.operators import read_operators

    operators = read_operators(made.bundle.file.view())
    placed = "not told" if made.placement is None else describe_placement(made.placement)
    model = made.bundle.path
    return "\n".join(
        [
            f"{model}: {made.bundle.manifest.name} {made.bundle.manifest.version}, {made.bundle.size:,} bytes, "
            f"{len(made.bundle.golden)} golden vectors",
            *(f"  {line}" for line in made.settled),
            f"  XNNPACK    {placed}",
            f"  Edge TPU   {edge_tpu_line(operators)}",
            "  gate       none: whatever is in the picture may get a label",
            f"next: edge-cli model info {model}",
            f"      edge-cli infer PICTURE --model {model} --allow-no-gate --overlay out/",
        ]
    )
