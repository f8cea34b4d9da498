"""Adopts a classifier from elsewhere: reads the file, settles what it leaves open, proves it, writes the bundle."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.adopt.card import adopted_card
from edge.adopt.computed_cases import compute_cases, golden_tolerances, load_foreign, settled_kind, settled_rules
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.golden_pictures import MadePicture, cases_kept, most_different
from edge.adopt.input_range import Normalisation, find_normalisation
from edge.adopt.metadata import ForeignMetadata, graph_size, read_metadata, write_metadata
from edge.adopt.old_classifier import complete, read_card
from edge.adopt.settle import AdoptOptions, draft_manifest, score_tensor, settled_labels, settled_recipe
from edge.adopt.signed_graph import INPUT, with_signature
from edge.contracts.errors import DeviceError, ModelError
from edge.contracts.manifest import LABELS
from edge.models.bundle import load_bundle
from edge.models.bundle_file import MAX_BUNDLE, read_model_file
from edge.models.bundle_writer import append_zip, pack_golden, write_atomically
from edge.pipeline.selftest import require_selftest
from edge.preprocess.recipes import as_version_2
from edge.process.sealed_file import seal_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.score_kind import ScoreKind
    from edge.contracts.manifest import ClassificationManifest
    from edge.contracts.placement import Placement
    from edge.models.bundle import Bundle

RUNTIME = "litert://?threads=1"

__all__ = ["AdoptOptions", "Adoption", "adopt"]


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


@dataclass(frozen=True)
class _Draft:
    """A model with all that can be settled without running it."""

    model: ForeignModel
    metadata: ForeignMetadata
    normalisation: Normalisation
    graph: bytes
    manifest: ClassificationManifest


def adopt(path: Path, out: Path, options: AdoptOptions, runtime: str = RUNTIME) -> Adoption:
    """Make a bundle of the classifier in ``path`` and write it to ``out``, once it has proved itself.

    Raises:
        ModelError: the file is damaged, or cannot run here; the text says why.
        UsageError: something cannot be known, and was not said; or contradicts the file.
        DeviceError: ``out`` cannot be written, or the model crashes its runtime.
    """
    data = read_model_file(path)
    try:
        draft = _draft(data, path, options)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error.message}", hint=error.hint) from error.__cause__
    model, graph, labels = draft.model, draft.graph, tuple(draft.manifest.heads[LABELS].class_names)
    with closing(load_foreign(graph, draft.manifest, path, runtime)) as loaded:
        cases = compute_cases(loaded, draft.manifest)
        kind = settled_kind(options.scores, graph, model.outputs[0][1], cases, draft.manifest)
        rules, golden = settled_rules(kind, labels, options), golden_tolerances(model, graph, kind, cases)
        manifest = msgspec.structs.replace(draft.manifest, labels=rules, golden=golden)
        kept = most_different(cases, LABELS, cases_kept(cases[0].tensor.nbytes))
        settled = _settled(draft, kind, len(labels))
        data = _bundle_bytes(graph, manifest, kept, adopted_card(manifest, settled, len(graph)))
        if len(data) > MAX_BUNDLE:
            raise ModelError(
                f"{path.name}: the bundle would have {len(data) >> 20} MB, and the most is {MAX_BUNDLE >> 20}",
                hint="quantise the model to 8 bits, or take a smaller one",
            )
        require_selftest(load_bundle(seal_bytes(data, out)), loaded)  # read as a device reads it
        placement = loaded.spec.placement
    try:
        write_atomically(out, data)
    except OSError as error:
        raise DeviceError(f"{out} cannot be written: {error.strerror}", hint="give --out another place") from error
    return Adoption(load_bundle(out), draft.normalisation, kind, settled, placement)


def _draft(data: bytes, path: Path, options: AdoptOptions) -> _Draft:
    """Read the file and settle what can be without running it. Raises as `adopt`."""
    size = graph_size(data)
    model = read_foreign_model(data[:size])
    metadata = read_metadata(data, size)
    card = read_card(seal_bytes(data, path))
    if card is not None:
        options = complete(options, card)
    head = score_tensor(model, options.judges)
    labels = settled_labels(options.labels, metadata, model.outputs[0][2].shape)
    if card is not None:
        normalisation = Normalisation((0.0,), (1.0,), "as its classifier.json says")
        recipe = as_version_2(card.recipe)
    else:
        normalisation = find_normalisation(options.input_range, metadata, model.input)
        recipe = settled_recipe(model, normalisation, metadata, options)
    name = options.name or metadata.name or path.name.split(".")[0]
    version = options.version or metadata.version or "1"
    licence = options.licence or metadata.licence or ""
    text = write_metadata(name, "Adopted from elsewhere. Research use only.", version, licence, recipe)
    graph = with_signature(model, {LABELS: head}, text)
    manifest = draft_manifest(model, graph, recipe, labels, options, name, version, licence)
    if card is not None:
        manifest = msgspec.structs.replace(
            manifest, training_data=card.training_data, metrics=card.metrics, git_revision=card.git_revision
        )
    return _Draft(model, metadata, normalisation, graph, manifest)


def _settled(draft: _Draft, kind: ScoreKind, labels: int) -> tuple[str, ...]:
    """Lines for people: what was settled, and how it is known."""
    from_file = bool(draft.metadata.labels) and list(draft.metadata.labels) == draft.manifest.heads[LABELS].class_names
    return (
        f"input      {INPUT} {draft.model.input}; {draft.normalisation.why}",
        f"labels     {labels}, {'as its metadata say' if from_file else 'as they were given'}",
        f"scores     {kind.output}, {'one label at a time' if kind.exclusive else 'each label for itself'}; {kind.why}",
        f"metadata   {'read' if draft.metadata != ForeignMetadata() else 'none'}",
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
