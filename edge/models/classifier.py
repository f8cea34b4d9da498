"""Plain classifier file: a ``.tflite`` with labels and ``classifier.json`` appended, for any TFLite tool.

It has no lesion mask, no anatomy gate and no golden vectors, so nothing could be judged by it on a device: only
``edge-cli model info`` and the workstation read it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.contracts.classifier import ClassifierCard
from edge.contracts.decoding import UnreadableError, decode_json, decode_text
from edge.contracts.errors import ModelError
from edge.models.bundle_file import CLASSIFIER_JSON, CLASSIFIER_LIMITS, member_names, seal_model, split_bundle
from edge.models.graph import read_graph

if TYPE_CHECKING:
    from pathlib import Path

HINT = "the file is inconsistent: export it anew"


@dataclass(frozen=True)
class Classifier:
    """A plain classifier that passed every check."""

    path: Path
    sha256: str
    """SHA-256, hex, of the whole file."""
    size: int
    """Size of the whole file in bytes."""
    card: ClassifierCard
    graph: bytes
    """The flatbuffer."""


def is_classifier(path: str | Path) -> bool:
    """Whether the file carries a ``classifier.json``; False also where it cannot be read."""
    try:
        return CLASSIFIER_JSON in member_names(bytes(seal_model(path).view()))
    except ModelError:
        return False


def load_classifier(path: str | Path) -> Classifier:
    """Read and check a classifier; ``path`` may be a `SealedFile`, whose signature was verified.

    Raises:
        ModelError: the file is missing, damaged, no classifier, or its ``classifier.json`` is not true.
    """
    file = seal_model(path)
    path = file.origin
    parts = split_bundle(bytes(file.view()), CLASSIFIER_LIMITS, optional=False)
    try:
        card = decode_json(parts.members[CLASSIFIER_JSON], ClassifierCard)
        labels = decode_text(parts.members["labels.txt"]).splitlines()
    except UnreadableError as error:
        raise ModelError(f"{path.name}: {CLASSIFIER_JSON} is not valid: {error}", hint=HINT) from error
    if card.graph_sha256 != hashlib.sha256(parts.graph_view).hexdigest():
        raise ModelError(f"{path.name}: the model's bytes are not those that were described", hint="copy it again")
    graph = read_graph(parts.graph_view)
    for what, declared, got in (
        ("input", [card.input], list(graph.inputs.values())),
        ("output", [card.output], list(graph.outputs.values())),
        ("output", (1, len(card.class_names)), card.output.shape),
        ("labels.txt", card.class_names, labels),
        ("recipe_sha256", card.recipe_sha256, card.recipe.digest()),
    ):
        if declared != got:
            raise ModelError(f"{path.name}: {CLASSIFIER_JSON} says {what} {declared}, the file has {got}", hint=HINT)
    return Classifier(path, file.sha256, file.size, card, parts.graph)
