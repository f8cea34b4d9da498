"""Adopts a model from elsewhere: reads the file, settles what it leaves open, proves it, writes the bundle."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edge.adopt.card import adopted_card
from edge.adopt.computed_cases import compute_cases, golden_tolerances, load_foreign, settled_kind, settled_rules
from edge.adopt.foreign_model import BY_XNNPACK, read_foreign_model
from edge.adopt.golden_pictures import cases_kept, made_figures, made_pictures, most_different
from edge.adopt.input_range import Normalisation, find_normalisation
from edge.adopt.metadata import ForeignMetadata, graph_size, read_metadata, write_metadata
from edge.adopt.old_classifier import complete, read_card
from edge.adopt.settle import AdoptOptions, draft_manifest, kind_of, settled_labels, settled_recipe
from edge.adopt.signed_graph import INPUT, with_signature
from edge.adopt.write_bundle import write_label_bundle
from edge.contracts.errors import ModelError
from edge.contracts.manifest import MASK, NAMED_HEADS, SegmentationManifest
from edge.models.bundle_file import read_model_file
from edge.models.segmentation_checks import LEAST_APART, farthest_apart, largest_tolerance
from edge.preprocess.recipes import as_version_2
from edge.process.sealed_file import seal_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from edge.adopt.foreign_model import ForeignModel
    from edge.adopt.golden_pictures import MadePicture
    from edge.adopt.score_kind import ScoreKind
    from edge.contracts.manifest import PictureManifest
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
    manifest: PictureManifest


def adopt(path: Path, out: Path, options: AdoptOptions, runtime: str = RUNTIME) -> Adoption:
    """Make a bundle of the model in ``path`` and write it to ``out``, once it has proved itself.

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
    model, graph, head = draft.model, draft.graph, NAMED_HEADS[draft.manifest.judges]
    with closing(load_foreign(graph, draft.manifest, path, runtime)) as loaded:
        pictures = (*made_pictures(), *(made_figures() if draft.manifest.judges == "segmentation" else ()))
        cases = compute_cases(loaded, draft.manifest, pictures)
        kind = settled_kind(options.scores, graph, model.outputs[0][1], cases, draft.manifest)
        manifest = settled_rules(kind, draft.manifest, options)
        manifest = msgspec.structs.replace(manifest, golden=golden_tolerances(model, graph, kind, cases, head))
        output_bytes = cases[0].outputs[head].nbytes
        kept = most_different(cases, head, cases_kept(cases[0].tensor.nbytes, output_bytes))
        _require_apart(manifest, kept)
        settled = _settled(draft, kind)
        card = adopted_card(manifest, settled, len(graph))
        bundle = write_label_bundle(graph, manifest, kept, card, out, loaded, path.name)
        placement = loaded.spec.placement
    return Adoption(bundle, draft.normalisation, kind, settled, placement)


def _require_apart(manifest: PictureManifest, kept: list[MadePicture]) -> None:
    """Raise `ModelError` for a map that made pictures hardly change: no device could be proved by them."""
    if not isinstance(manifest, SegmentationManifest):
        return
    apart = farthest_apart(np.concatenate([case.outputs[MASK] for case in kept]))
    least = LEAST_APART * largest_tolerance(manifest)
    if apart <= least:
        raise ModelError(
            f"its maps of made pictures differ by {apart:.3g} at most, and a device is proved by over {least:.3g}",
            hint="is --input-range right? what knows nothing of phantoms, noise and drawn people cannot be adopted",
        )


def _draft(data: bytes, path: Path, options: AdoptOptions) -> _Draft:
    """Read the file and settle what can be without running it. Raises as `adopt`."""
    size = graph_size(data)
    model = read_foreign_model(data[:size])
    metadata = read_metadata(data, size)
    card = read_card(seal_bytes(data, path))
    if card is not None:
        options = complete(options, card)
    judges = kind_of(model, options.judges)
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
    head = NAMED_HEADS[judges]
    text = write_metadata(name, "Adopted from elsewhere. Research use only.", version, licence, recipe, head=head)
    graph = with_signature(model, {head: model.outputs[0][1]}, text)
    manifest = draft_manifest(judges, model, graph, recipe, labels, options, name, version, licence)
    if card is not None:
        manifest = msgspec.structs.replace(
            manifest, training_data=card.training_data, metrics=card.metrics, git_revision=card.git_revision
        )
    return _Draft(model, metadata, normalisation, graph, manifest)


def _settled(draft: _Draft, kind: ScoreKind) -> tuple[str, ...]:
    """Lines for people: what was settled, and how it is known."""
    names = draft.manifest.label_names
    from_file = bool(draft.metadata.labels) and list(draft.metadata.labels) == names
    lines = [
        f"input      {INPUT} {draft.model.input}; {draft.normalisation.why}",
        f"labels     {len(names)}, {'as its metadata say' if from_file else 'as they were given'}",
        f"scores     {kind.output}, {'one label at a time' if kind.exclusive else 'each label for itself'}; {kind.why}",
        f"metadata   {'read' if draft.metadata != ForeignMetadata() else 'none'}",
    ]
    if draft.manifest.judges == "segmentation":
        ground = f"{names[0]!r} is the background" if kind.exclusive else "each is an area, and none the background"
        lines.insert(1, f"output     a map {draft.model.outputs[0][2]}; of its labels {ground}")
    only = sorted({each.removeprefix("CUSTOM ") for each in draft.model.kinds if each in BY_XNNPACK})
    if only:
        lines.append(f"operators  {', '.join(only)}: only LiteRT's XNNPACK has it, no other runtime runs this model")
    return tuple(lines)
