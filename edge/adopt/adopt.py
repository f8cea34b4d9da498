"""Adopts a classifier from elsewhere: reads the file, settles what it leaves open, proves it, writes the bundle."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.adopt.card import adopted_card, not_known
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.golden_pictures import MadePicture, cases_kept, made_pictures, most_different
from edge.adopt.input_range import find_normalisation
from edge.adopt.metadata import graph_size, read_metadata, write_metadata
from edge.adopt.score_kind import detect_kind, named_kind
from edge.adopt.signed_graph import INPUT, with_signature
from edge.contracts.errors import ModelError, UsageError
from edge.contracts.manifest import LABELS, MAX_LABELS, ClassificationManifest, Golden, HeadSpec, LabelRules
from edge.contracts.picture_recipe import PictureRecipe
from edge.contracts.tensors import Tensor
from edge.models.bundle import load_bundle
from edge.models.bundle_file import MAX_BUNDLE, read_model_file
from edge.models.bundle_writer import append_zip, pack_golden, write_atomically
from edge.models.classification_checks import is_vector
from edge.models.operators import read_operators
from edge.pipeline.selftest import require_selftest
from edge.plugins import make_runtime
from edge.postprocess.dequantise import dequantise
from edge.preprocess.recipes import make_preprocessor
from edge.process.sealed_file import seal_bytes

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.input_range import Normalisation
    from edge.adopt.metadata import ForeignMetadata
    from edge.adopt.score_kind import ScoreKind
    from edge.contracts.placement import Placement
    from edge.contracts.ports import Runtime
    from edge.models.bundle import Bundle

DEFAULT_THRESHOLD = 0.5
"""Of every label where nothing else is said: over it a label is likelier than all others together."""
ANSWER_S = 60.0
FLOAT_TOLERANCE = 0.005
"""Absolute difference that float scores may have between processors; of logits, for each unit of their size."""
HYBRID_TOLERANCE = 0.03
"""The same of models with 8-bit weights and float values, whose kernels round activations at run time."""
RUNTIME = "litert://?threads=1"


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
    name: str | None = None
    version: str | None = None
    licence: str | None = None
    body_part: str = ""
    fit: Literal["stretch", "letterbox", "centre-crop"] = "stretch"
    crop: Literal["full", "scan-area"] = "full"
    grey: bool = False
    """Whether a model with three channels is given grey pictures."""


@dataclass(frozen=True)
class Adoption:
    """A model that was adopted, and how what the file left open was settled."""

    bundle: Bundle
    normalisation: Normalisation
    kind: ScoreKind
    settled: tuple[str, ...]
    """For people, a line each."""
    placement: Placement | None
    """Which operators XNNPACK takes here."""


def adopt(path: Path, out: Path, options: AdoptOptions, runtime: str = RUNTIME) -> Adoption:
    """Make a bundle of the classifier in ``path`` and write it to ``out``, once it has proved itself.

    Raises:
        ModelError: the file is damaged, or cannot run here; the text says why.
        UsageError: something cannot be known, and was not said; or contradicts the file.
    """
    data = read_model_file(path)
    try:
        size = graph_size(data)
        model = read_foreign_model(data[:size])
        metadata = read_metadata(data, size)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error.message}", hint=error.hint) from error.__cause__
    head = _head(model, options.judges)
    labels = _labels(options.labels, metadata, model.outputs[0][2].shape)
    normalisation = find_normalisation(options.input_range, metadata, model.input)
    recipe = _recipe(model, normalisation, metadata, options)
    name = options.name or metadata.name or path.name.split(".")[0]
    version = options.version or metadata.version or "1"
    licence = options.licence or metadata.licence or ""
    text = write_metadata(name, "Adopted from elsewhere. Research use only.", version, licence, recipe)
    graph = with_signature(model, {LABELS: head}, text)
    draft = _manifest(model, graph, recipe, labels, options, name, version, licence)
    cases, loaded = _computed(graph, draft, path, runtime)
    kind = _kind(options.scores, graph, head, cases, draft)
    manifest = msgspec.structs.replace(
        draft, labels=_rules(kind, labels, options), golden=_tolerances(model, graph, kind, cases)
    )
    golden = most_different(cases, LABELS, cases_kept(cases[0].tensor.nbytes))
    settled = _settled(model, normalisation, kind, metadata, options, labels)
    data = _bundle_bytes(graph, manifest, golden, adopted_card(manifest, settled, len(graph)))
    if len(data) > MAX_BUNDLE:
        raise ModelError(
            f"{path.name}: the bundle would have {len(data) >> 20} MB, and the most is {MAX_BUNDLE >> 20}",
            hint="quantise the model to 8 bits, or take a smaller one",
        )
    _prove(data, out, loaded)
    write_atomically(out, data)
    return Adoption(load_bundle(out), normalisation, kind, settled, loaded.spec.placement)


def _prove(data: bytes, out: Path, runtime: Runtime) -> None:
    """Read the bundle as a device does, and replay its golden vectors. Raises `ModelError`."""
    try:
        bundle = load_bundle(seal_bytes(data, out))
        require_selftest(bundle, runtime)
    finally:
        runtime.close()


def _head(model: ForeignModel, judges: str | None) -> int:
    """Number of the tensor that holds the scores. Raises `ModelError` for what is no classifier."""
    if judges not in (None, "classification"):
        raise UsageError(f"--judges {judges} cannot be adopted yet", hint="classifiers can: --judges classification")
    if len(model.outputs) != 1:
        shapes = ", ".join(f"{name} {spec.shape}" for name, _, spec in model.outputs)[:200]
        raise ModelError(
            f"expected one output, the scores; the model has {len(model.outputs)}: {shapes}",
            hint="export it with its scores alone",
        )
    name, number, spec = model.outputs[0]
    if not is_vector(spec.shape, spec.shape[-1]):
        what = " (a map, as of segmentation, which cannot be adopted yet)" if len(spec.shape) == 4 else ""
        raise ModelError(
            f"expected one vector of scores, (1, labels), got {name} {spec.shape}{what}", hint="adopt a classifier"
        )
    if spec.dtype not in ("uint8", "int8", "float32"):
        raise ModelError(
            f"expected scores of uint8, int8 or float32, got {name} {spec.dtype}", hint="export it with its scores"
        )
    return number


def _labels(given: tuple[str, ...] | None, metadata: ForeignMetadata, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Labels of the output. Raises `UsageError` where none are known, or their number is another."""
    labels, where = (given, "--labels") if given is not None else (metadata.labels, "its metadata")
    wanted = shape[-1]
    if not labels:
        raise UsageError(
            f"nothing names the {wanted} outputs of the model", hint="give --labels FILE, one label a line, in order"
        )
    if len(labels) != wanted:
        hint = "one label a line, in the order of the output"
        if wanted == 1:
            hint = "one output is the score of one label: name that one alone"
        raise UsageError(f"{where} has {len(labels)} labels, the model has {wanted} outputs", hint=hint)
    if len(labels) > MAX_LABELS:
        raise UsageError(f"{len(labels)} labels are more than {MAX_LABELS}", hint="take a model with fewer")
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"{where}: {twice[:100]!r} stands there twice", hint="each label needs a name of its own")
    return labels


def _recipe(
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
        crop=options.crop,
        fit=options.fit,
        mean=normalisation.mean,
        std=normalisation.std,
    )


def _manifest(
    model: ForeignModel,
    graph: bytes,
    recipe: PictureRecipe,
    labels: tuple[str, ...],
    options: AdoptOptions,
    name: str,
    version: str,
    licence: str,
) -> ClassificationManifest:
    """Manifest without what is settled by running the model: kind of the scores, and tolerances."""
    return ClassificationManifest(
        judges="classification",
        name=name,
        version=version,
        task="classification",
        body_part=options.body_part.upper(),
        licence=licence,
        graph_sha256=hashlib.sha256(graph).hexdigest(),
        input=model.input,
        recipe=recipe,
        recipe_sha256=recipe.digest(),
        heads={LABELS: HeadSpec(tensor=model.outputs[0][2], class_names=list(labels))},
        golden=Golden(max_abs_diff={"xnnpack": 0, "reference": 16}),
        training_data=[],
        metrics=[],
        not_shown=not_known(),
        git_revision="",
        created=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        labels=LabelRules(output="logits", threshold=DEFAULT_THRESHOLD),
    )


def _computed(
    graph: bytes, manifest: ClassificationManifest, path: Path, uri: str
) -> tuple[list[MadePicture], Runtime]:
    """What the model gives for made pictures, and the runtime that computed it. Raises what loading it raises."""
    runtime = make_runtime(uri, seal_bytes(graph, path), manifest)
    try:
        preprocess = make_preprocessor(manifest)
        cases = []
        for pixels, regions in made_pictures():
            tensor = preprocess(pixels, regions)[0]
            runtime.submit(Tensor(tensor, manifest.input))
            outputs = runtime.wait(ANSWER_S)
            if outputs is None:
                raise ModelError(f"{path.name}: it gave no answer within {ANSWER_S:.0f} s", hint="take a smaller model")
            cases.append(MadePicture(pixels, regions, tensor, {k: np.array(v) for k, v in outputs.items()}))
    except BaseException:
        runtime.close()
        raise
    return cases, runtime


def _kind(
    given: str | None, graph: bytes, head: int, cases: list[MadePicture], manifest: ClassificationManifest
) -> ScoreKind:
    spec = manifest.heads[LABELS].tensor
    real = np.stack([dequantise(case.outputs[LABELS], spec).reshape(-1) for case in cases])
    if not np.isfinite(real).all():
        raise ModelError(f"{manifest.name} gives NaN or infinite values", hint="train or export it anew")
    if (real == real[0]).all():
        raise ModelError(
            f"{manifest.name} gives the same for every picture", hint="was it trained? is --input-range right?"
        )
    return detect_kind(read_operators(graph), head, real) if given is None else named_kind(given)


def _rules(kind: ScoreKind, labels: tuple[str, ...], options: AdoptOptions) -> LabelRules:
    """Rules of the labels. Raises `UsageError` for a threshold or clear label that names none of them."""
    thresholds = dict(options.thresholds or {})
    method = options.threshold_method or (
        "as --threshold says" if thresholds else "the default of adopt, chosen on no data"
    )
    common = thresholds.pop("", DEFAULT_THRESHOLD)
    for label in (*thresholds, *([] if options.clear_label is None else [options.clear_label])):
        if label not in labels:
            raise UsageError(f"{label[:100]!r} is no label of the model", hint=f"it has {', '.join(labels)[:200]}")
    return LabelRules(
        output=kind.output,
        exclusive=kind.exclusive,
        threshold=common,
        thresholds=thresholds,
        clear_label=options.clear_label,
        method=f"thresholds: {method}",
    )


def _tolerances(model: ForeignModel, graph: bytes, kind: ScoreKind, cases: list[MadePicture]) -> Golden:
    """How near other runtimes and processors must come to the golden outputs."""
    spec = model.outputs[0][2]
    floats = any("float32" in operator.types for operator in read_operators(graph))
    steps = 0
    if floats and spec.dtype != "float32":  # rounded after floats: a value may fall on the other side
        steps = 2
    size = 1.0
    if kind.output == "logits":
        size = max(1.0, max(float(np.abs(dequantise(c.outputs[LABELS], spec)).max()) for c in cases))
    hybrid = "int8" in model.weight_types
    allowed = (HYBRID_TOLERANCE if hybrid else FLOAT_TOLERANCE) * size
    most = 0.2 if kind.output == "logits" else 0.05
    return Golden(
        max_abs_diff={"xnnpack": steps, "reference": 16},
        max_abs_float={family: min(most, allowed) for family in ("xnnpack", "reference")} if floats else {},
        method="defaults of adopt: what other processors differ by was not measured",
    )


def _settled(
    model: ForeignModel,
    normalisation: Normalisation,
    kind: ScoreKind,
    metadata: ForeignMetadata,
    options: AdoptOptions,
    labels: tuple[str, ...],
) -> tuple[str, ...]:
    """Lines for people: what was settled, and how it is known."""
    return (
        f"input      {INPUT} {model.input}; {normalisation.why}",
        f"labels     {len(labels)}, {'as --labels says' if options.labels is not None else 'as its metadata say'}",
        f"scores     {kind.output}, {'one label at a time' if kind.exclusive else 'each label for itself'}; {kind.why}",
        f"metadata   {'read' if metadata != type(metadata)() else 'none'}",
    )


def _bundle_bytes(graph: bytes, manifest: ClassificationManifest, golden: list[MadePicture], card: str) -> bytes:
    """The whole file: the flatbuffer, and the members of the ZIP behind it."""
    members = {
        "labels.txt": "\n".join(manifest.heads[LABELS].class_names).encode(),
        "manifest.json": msgspec.json.format(msgspec.json.encode(manifest), indent=1),
        "golden.npz": pack_golden(
            [case.pixels for case in golden],
            [case.regions for case in golden],
            np.concatenate([case.tensor for case in golden]),
            {LABELS: np.concatenate([case.outputs[LABELS] for case in golden])},
        ),
        "MODEL_CARD.md": card.encode(),
    }
    return append_zip(graph, members)
