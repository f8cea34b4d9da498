"""Judgement of a lesion over all of its frames: malignancy joined by a rule, and the best frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.contracts.frame_result import Result
    from edge.contracts.results import Lesion

METHOD = "softmax"
"""Name of the rule: the mean of logits, each frame weighted by `weight`."""
STEP_METHOD = "gru"
"""The same where the bundle's recurrent step joins them."""
WEIGHTS = (8.0, 1.0)
"""How much presence and sharpness of a frame weigh: what ``python -m training report --clips`` fitted, see
docs/tracks.md."""
LEAST = 1e-4
"""Probabilities are kept so far from 0 and 1 before their logit is taken."""
SHARPNESS = "margin_sharpness"
"""Descriptor of a lesion that tells how sharp its margin is."""


@dataclass(slots=True)
class ClipJudgement:
    """Sums over the frames of one track, as it goes on."""

    frames: int = 0
    first_ns: int = 0
    last_ns: int = 0
    best: Result | None = None
    """The result of the frame that shows the lesion best: sharp, whole and sure."""
    best_quality: float = -1.0
    by_step: float | None = None
    """Malignancy by a recurrent step that joins the frames in place of the rule; None: the rule does."""
    _weights: float = 0.0
    _logits: float = 0.0

    def add(self, lesion: Lesion, result: Result, at_ns: int) -> None:
        """Add a frame that shows the lesion; ``at_ns``: its place in the clip."""
        if result.malignancy is None:
            return
        if not self.frames:
            self.first_ns = at_ns
        self.frames, self.last_ns = self.frames + 1, max(at_ns, self.last_ns)
        share = weight(lesion)
        self._weights += share
        self._logits += share * logit(result.malignancy)
        shown = quality(lesion, result)
        if shown > self.best_quality:
            self.best, self.best_quality = result, shown

    @property
    def seconds(self) -> float:
        """Time from the first frame with the lesion to the last."""
        return (self.last_ns - self.first_ns) / 1e9

    @property
    def method(self) -> str:
        """Name of what joined the frames."""
        return METHOD if self.by_step is None else STEP_METHOD

    @property
    def malignancy(self) -> float:
        """Malignancy by all frames together, 0 to 1."""
        if self.by_step is not None:
            return self.by_step
        return 1 / (1 + math.exp(-self._logits / self._weights)) if self._weights else 0.0


def logit(probability: float) -> float:
    """Logarithm of the odds of a probability, which is kept off 0 and 1."""
    kept = min(1 - LEAST, max(LEAST, probability))
    return math.log(kept / (1 - kept))


def weight(lesion: Lesion) -> float:
    """Weight of a frame in the joined malignancy, by how sure and how sharp its lesion is."""
    return math.exp(WEIGHTS[0] * lesion.score + WEIGHTS[1] * lesion.descriptors.get(SHARPNESS, 0.0))


def quality(lesion: Lesion, result: Result) -> float:
    """How well a frame shows a lesion, 0 to 1: its presence, its sharpness, and whether it is whole."""
    x, y, w, h = lesion.box
    left, top, width, height = (0, 0, *result.image_size) if result.region is None else result.region.box
    whole = x > left and y > top and x + w < left + width and y + h < top + height
    sharp = lesion.descriptors.get(SHARPNESS, 0.0)
    return lesion.score * (0.5 + 0.5 * max(0.0, min(1.0, sharp))) * (1.0 if whole else 0.5)
