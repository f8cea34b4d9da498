"""Rules that turn the scores of a classifier or of a segmentation network into labels and areas: thresholds, limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Probability = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]

MIN_AREA = 0.001
"""Least area of a label where nothing else is said, as a share of the input tensor."""


class ScoreRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that models share whose outputs are scores of labels, and how their thresholds were chosen."""

    output: Literal["probabilities", "logits"]
    """What the head gives. Of logits the device makes probabilities: softmax, or logistic where not ``exclusive``."""
    exclusive: bool = True
    """True: the scores of all labels add up to 1, and the highest is judged. False: each label is judged for itself."""
    threshold: Probability
    """A label whose score is under this is not reported; if none is over its own, the frame is `too_uncertain`."""
    thresholds: dict[str, Probability] = {}
    """By label, in place of ``threshold``."""
    temperature: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0
    """Calibration: logits (of probabilities, their logarithms) are divided by this before they become scores."""
    anatomy: Probability | None = None
    """A picture whose anatomy output is under this is not of the body part. None: the model has no such head."""
    anatomy_stated: Probability | None = None
    """Limit in place of ``anatomy``, as in `Thresholds`."""
    method: str = ""
    """For people: how thresholds and temperature were chosen, and on what."""

    def threshold_of(self, label: str) -> float:
        """Threshold that holds for ``label``."""
        return self.thresholds.get(label, self.threshold)


class LabelRules(ScoreRules, frozen=True, kw_only=True):
    """Rules that turn a classifier's outputs into scores and labels, and how their thresholds were chosen."""

    clear_label: str | None = None
    """Label that means that there is nothing to find: a frame that gets it is `clear`. None: no frame ever is."""


class AreaRules(ScoreRules, frozen=True, kw_only=True):
    """Rules that turn the map of a segmentation network into areas of its labels.

    ``exclusive``: the first label is the background, and never an area. Each pixel is of its likeliest label, if that
    is at or over its threshold. Otherwise each label is an area by itself.
    """

    min_area: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = MIN_AREA
    """Smallest connected piece of an area, as a share of the input tensor's area; smaller ones are left out."""
    empty_is_clear: bool = False
    """Whether a frame in which no pixel of any label is over its threshold, and the background, where there is one, is
    the likeliest everywhere, is `clear`. False: it is `too_uncertain`."""
