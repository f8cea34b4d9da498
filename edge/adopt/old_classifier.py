"""What ``classifier.json`` says of a plain classifier of an earlier version: it is adopted without any question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edge.models.bundle_file import CLASSIFIER_JSON, member_names
from edge.models.classifier import load_classifier

if TYPE_CHECKING:
    from edge.adopt.settle import AdoptOptions
    from edge.contracts.classifier import ClassifierCard
    from edge.process.sealed_file import SealedFile


def read_card(file: SealedFile) -> ClassifierCard | None:
    """Card of a plain classifier; None for any other file. Raises `ModelError` if the card is not true."""
    if CLASSIFIER_JSON not in member_names(bytes(file.view())):
        return None
    return load_classifier(file).card


def complete(options: AdoptOptions, card: ClassifierCard) -> AdoptOptions:
    """Options with what the card says, where the user said nothing."""
    return replace(
        options,
        labels=options.labels or tuple(card.class_names),
        name=options.name or card.name,
        version=options.version or card.version,
        licence=options.licence or card.licence,
        body_part=options.body_part or card.body_part,
    )
