"""Settles what a foreign model's file leaves open, by what the user says: kind, labels, recipe, a first manifest."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from edge.adopt.card import not_known
from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import (
    MAX_LABELS,
    NAMED_HEADS,
    AreaRules,
    ClassificationManifest,
    Golden,
    HeadSpec,
    LabelRules,
    SegmentationManifest,
)
from edge.contracts.picture_recipe import PictureRecipe
from edge.models.classification_checks import MAX_LABEL, is_vector
from edge.models.segmentation_checks import why_no_map

if TYPE_CHECKING:
    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.input_range import Normalisation
    from edge.adopt.metadata import ForeignMetadata
    from edge.contracts.manifest import PictureManifest

Fit = Literal["stretch", "letterbox", "centre-crop"]
Crop = Literal["full", "scan-area"]
FITS, CROPS = get_args(Fit), get_args(Crop)
DEFAULT_THRESHOLD = 0.5
"""Of every label where nothing else is said: over it a label is likelier than all others together."""
EMPTY = "empty"
"""What ``--clear`` says of a segmentation network for which a frame without any area is `clear`."""
ADOPTED = ("classification", "segmentation")
"""Kinds of models that can be adopted."""


@dataclass(frozen=True, kw_only=True)
class AdoptOptions:
    """What the user says of a model that its file does not."""

    labels: tuple[str, ...] | None = None
    """In the order of the output; None: those of the file's metadata."""
    input_range: str | None = None
    scores: str | None = None
    judges: str | None = None
    thresholds: dict[str, float] | None = None
    """By label; of the empty name: of all labels that are not named. None: the default."""
    threshold_method: str = ""
    """For people: how they were chosen."""
    clear_label: str | None = None
    """Of a segmentation network: `EMPTY`, or the background's label, which mean the same."""
    min_area: float | None = None
    """Smallest piece of an area, as a share of the input; None: the default."""
    name: str | None = None
    version: str | None = None
    licence: str | None = None
    body_part: str = ""
    fit: str = "stretch"
    """As in the model's training; of `FITS`."""
    crop: str = "full"
    """Of `CROPS`."""
    grey: bool = False
    """Whether a model with three channels is given grey pictures."""

    def __post_init__(self) -> None:
        for option, value, known in (("--fit", self.fit, FITS), ("--crop", self.crop, CROPS)):
            if value not in known:
                raise UsageError(f"{option} {value} is not known", hint=f"give {', '.join(known)}")
        if self.min_area is not None and not 0 <= self.min_area < 0.5:
            raise UsageError(f"--min-area {self.min_area}: expected a share of the input under 0.5", hint="0.001")


def kind_of(model: ForeignModel, judges: str | None) -> str:
    """Kind of a model, by what is said and the shape of its output. Raises `EdgeError` for what cannot be adopted."""
    if judges is not None and judges not in ADOPTED:
        raise UsageError(
            f"--judges {judges} cannot be adopted; {' and '.join(ADOPTED)} can",
            hint="leave --judges out: the shape of the output tells",
        )
    if len(model.outputs) != 1:
        shapes = ", ".join(f"{name} {spec.shape}" for name, _, spec in model.outputs)[:200]
        raise ModelError(
            f"expected one output, scores or a map of them; the model has {len(model.outputs)}: {shapes}",
            hint="export it with these alone; detectors, which have several, are not judged here",
        )
    name, _, spec = model.outputs[0]
    vector = is_vector(spec.shape, spec.shape[-1])
    what = f"{name} {spec.shape}"
    if judges == "segmentation" and vector and len(spec.shape) < 4:
        raise UsageError(f"a segmentation network gives a map, this model gives {what}", hint="leave --judges out")
    kind = judges or ("classification" if vector else "segmentation")
    if kind == "classification" and not vector:
        raise UsageError(f"a classifier gives one vector of scores, this model gives {what}", hint="leave --judges out")
    why = None if kind == "classification" else why_no_map(spec.shape, model.input.shape)
    if why is not None:
        if len(spec.shape) != 4:
            why = f"expected scores (1, labels), or a map of them (1, height, width, labels), got {what}"
        raise ModelError(why, hint="adopt a classifier or a segmentation network, or export it with such an output")
    if spec.dtype not in ("uint8", "int8", "float32"):
        raise ModelError(
            f"expected scores of uint8, int8 or float32, got {name} {spec.dtype}",
            hint="export it with its scores, not with numbers of classes",
        )
    return kind


def settled_labels(given: tuple[str, ...] | None, metadata: ForeignMetadata, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Labels of the output. Raises `UsageError` where none are known, or their number is another."""
    labels, where = (given, "--labels") if given is not None else (metadata.labels, "its metadata")
    if given is None:
        metadata.require_sound("labels")
    wanted = shape[-1]
    if not labels:
        raise UsageError(
            f"nothing names the {wanted} outputs of the model", hint="give --labels FILE, one label a line, in order"
        )
    if len(labels) != wanted:
        hint = "one label a line, in the order of the output"
        if len(shape) == 4 and wanted > 1:
            hint += "; of a map the first is the background"
        if wanted == 1:
            hint = "one output is the score of one label: name that one alone"
        raise UsageError(f"{where} has {len(labels)} labels, the model has {wanted} outputs", hint=hint)
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{len(labels)} labels are more than {MAX_LABELS}", hint="take a model with fewer")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: {twice[:100]!r} stands there twice", hint="each label needs a name of its own")
    bad = next((each for each in labels if not each.strip() or len(each) > MAX_LABEL or not each.isprintable()), None)
    if bad is not None:
        raise UsageError(f"{where}: {bad[:40]!r} is no label", hint=f"1 to {MAX_LABEL} printable characters each")
    return labels


def settled_recipe(
    model: ForeignModel, normalisation: Normalisation, metadata: ForeignMetadata, options: AdoptOptions
) -> PictureRecipe:
    """Preprocessing recipe. Raises `ModelError` where the metadata's colour is not the input's."""
    _, height, width, channels = model.input.shape
    if metadata.colour and (metadata.colour == "grey") != (channels == 1):
        raise ModelError(
            f"its metadata say {metadata.colour}, its input has {channels} channel{'s' * (channels > 1)}",
            hint="correct the metadata: they lie",
        )
    return PictureRecipe(
        width=width,
        height=height,
        channels=1 if channels == 1 else 3,
        colour="grey" if channels == 1 or options.grey else "rgb",
        crop=cast("Crop", options.crop),
        fit=cast("Fit", options.fit),
        mean=normalisation.mean,
        std=normalisation.std,
    )


def draft_manifest(
    kind: str,
    model: ForeignModel,
    graph: bytes,
    recipe: PictureRecipe,
    labels: tuple[str, ...],
    options: AdoptOptions,
    name: str,
    version: str,
    licence: str,
) -> PictureManifest:
    """Manifest without what is settled by running the model: kind of the scores, and tolerances."""
    said: dict[str, Any] = {
        "judges": kind,
        "name": name,
        "version": version,
        "task": kind,
        "body_part": options.body_part.upper(),
        "licence": licence,
        "graph_sha256": hashlib.sha256(graph).hexdigest(),
        "input": model.input,
        "recipe": recipe,
        "recipe_sha256": recipe.digest(),
        "heads": {NAMED_HEADS[kind]: HeadSpec(tensor=model.outputs[0][2], class_names=list(labels))},
        "golden": Golden(max_abs_diff={"xnnpack": 0}),
        "training_data": [],
        "metrics": [],
        "not_shown": not_known(),
        "git_revision": "",
        "created": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if kind == "segmentation":
        return SegmentationManifest(**said, areas=AreaRules(output="logits", threshold=DEFAULT_THRESHOLD))
    return ClassificationManifest(**said, labels=LabelRules(output="logits", threshold=DEFAULT_THRESHOLD))
