"""Answers of classifiers and segmentation networks as the abstention rules ask for them: body part, labels found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.contracts.manifest import ANATOMY
from edge.postprocess.dequantise import dequantise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import PictureManifest
    from edge.contracts.score_rules import ScoreRules
    from edge.postprocess.frame_context import FrameContext


@dataclass(frozen=True, slots=True)
class JudgedAnatomy:
    """Body part of one frame: what is said of it, and what the anatomy head of a classifier or its like sees."""

    manifest: PictureManifest
    anatomy: float | None
    """Probability that the picture is of the manifest's body part, 0 to 1; None: the model has no such head."""
    context: FrameContext

    @property
    def limits(self) -> ScoreRules:
        """Limits of the anatomy head."""
        return self.manifest.rules


@dataclass(frozen=True, slots=True)
class JudgedLabels:
    """Labels of one frame, by classifier or segmentation network."""

    found: tuple[str, ...]
    """Labels that reach their thresholds, or have an area."""
    nothing_found: bool
    """Whether the answer says that there is nothing to find: by a label of this meaning, or by empty maps."""
    context: FrameContext


def read_anatomy(
    outputs: Mapping[str, NDArray[Any]], manifest: PictureManifest, context: FrameContext
) -> JudgedAnatomy:
    """Read the anatomy head, where there is one, from raw outputs (1, 1) by head name."""
    score = None
    if ANATOMY in manifest.heads:
        score = float(dequantise(outputs[ANATOMY], manifest.heads[ANATOMY].tensor).item())
    return JudgedAnatomy(manifest, score, context)
