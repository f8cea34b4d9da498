"""Thresholds from pictures: what a model says of a user's own pictures, of which nothing is kept.

A folder with a folder for each label tells which label is right: then each label's threshold is the lowest from which
nine of ten pictures that get it are rightly given it. Other pictures only show how the scores lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.contracts.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

RIGHT = 0.9
"""Share of pictures with a label that are to have it rightly."""
LEAST_PICTURES = 10
"""Fewer pictures of a label say too little: its threshold stays the default."""
HIGHEST = 0.99
"""A threshold over this would be one for the pictures at hand alone."""


@dataclass(frozen=True, slots=True)
class JudgedPicture:
    """What the model says of one picture: its highest score's label, that score, and the right label, if known."""

    label: str
    score: float
    right: str | None


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """Threshold of one label, and the figures behind it."""

    label: str
    threshold: float | None
    """None: too little was known; the default holds."""
    given: int
    """Pictures whose highest score is this label's."""
    right: int
    """How many of these have it rightly, of those with a known label."""


def choose_thresholds(judged: Sequence[JudgedPicture], labels: Sequence[str], default: float) -> list[ThresholdChoice]:
    """Choose a threshold for each label, at least ``default``. Raises `UsageError` where there is no picture."""
    if not judged:
        raise UsageError("--pictures has no picture that could be judged", hint="PNG, JPEG, BMP, TIFF or DICOM files")
    choices = []
    for label in labels:
        mine = [each for each in judged if each.label == label]
        known = [each for each in mine if each.right is not None]
        right = sum(each.right == label for each in known)
        threshold = _lowest(known, label, default) if len(known) >= LEAST_PICTURES else None
        choices.append(ThresholdChoice(label, threshold, len(mine), right))
    return choices


def _lowest(known: Sequence[JudgedPicture], label: str, default: float) -> float:
    """Lowest threshold from which `RIGHT` of the pictures have the label rightly; `HIGHEST` where none has it so."""
    scores = np.array([each.score for each in known])
    right = np.array([each.right == label for each in known])
    for threshold in sorted({default, *(round(float(s), 3) for s in scores if s >= default)}):
        at = scores >= threshold
        if at.any() and right[at].mean() >= RIGHT:
            return min(HIGHEST, threshold)
    return HIGHEST
