"""Adopts a classifier from elsewhere: reads the file, settles what it leaves open, proves it, writes the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from edge.adopt.card import adopted_card
from edge.adopt.computed_cases import compute_cases, golden_tolerances, settled_kind, settled_rules
from edge.adopt.foreign_model import read_foreign_model
from edge.adopt.golden_pictures import cases_kept, most_different
from edge.adopt.input_range import find_normalisation
from edge.adopt.metadata import graph_size, read_metadata, write_metadata
from edge.adopt.settle import AdoptOptions, draft_manifest, score_tensor, settled_labels, settled_recipe
from edge.adopt.signed_graph import INPUT, with_signature
from edge.adopt.write_bundle import write_classifier_bundle
from edge.contracts.errors import ModelError
from edge.contracts.manifest import LABELS
from edge.models.bundle_file import read_model_file

if TYPE_CHECKING:
    from pathlib import Path

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.input_range import Normalisation
    from edge.adopt.metadata import ForeignMetadata
    from edge.adopt.score_kind import ScoreKind
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
    head = score_tensor(model, options.judges)
    labels = settled_labels(options.labels, metadata, model.outputs[0][2].shape)
    normalisation = find_normalisation(options.input_range, metadata, model.input)
    recipe = settled_recipe(model, normalisation, metadata, options)
    name = options.name or metadata.name or path.name.split(".")[0]
    version = options.version or metadata.version or "1"
    licence = options.licence or metadata.licence or ""
    text = write_metadata(name, "Adopted from elsewhere. Research use only.", version, licence, recipe)
    graph = with_signature(model, {LABELS: head}, text)
    draft = draft_manifest(model, graph, recipe, labels, options, name, version, licence)
    cases, loaded = compute_cases(graph, draft, path, runtime)
    kind = settled_kind(options.scores, graph, head, cases, draft)
    manifest = msgspec.structs.replace(
        draft, labels=settled_rules(kind, labels, options), golden=golden_tolerances(model, graph, kind, cases)
    )
    golden = most_different(cases, LABELS, cases_kept(cases[0].tensor.nbytes))
    settled = _settled(model, normalisation, kind, metadata, options, labels)
    card = adopted_card(manifest, settled, len(graph))
    bundle = write_classifier_bundle(graph, manifest, golden, card, out, loaded, path.name)
    return Adoption(bundle, normalisation, kind, settled, loaded.spec.placement)


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
