"""Labels and scores of a classifier's outputs: real values, probabilities, and which labels they give a frame."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts import precision
from edge.contracts.labels import LABELS_SENT, LabelScore
from edge.contracts.manifest import ANATOMY, LABELS
from edge.postprocess.dequantise import dequantise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ClassificationManifest, LabelRules
    from edge.postprocess.frame_context import FrameContext

SLACK = 0.02
"""So far beyond 0 and 1 a probability may be: quantised softmax ends a step short of 1, or over it."""
LEAST = 1e-7
"""Smallest probability whose logarithm is taken."""


class JudgedLabels:
    """Labels of one frame as a rule or verdict asks for them; each value is computed when it is first asked for."""

    def __init__(
        self, outputs: Mapping[str, NDArray[Any]], manifest: ClassificationManifest, context: FrameContext
    ) -> None:
        """Arguments as for `edge.postprocess.classify.classify`."""
        self._outputs, self.manifest = outputs, manifest
        self.limits = manifest.labels
        self.context = context
        """What else is known of the frame."""

    @cached_property
    def anatomy(self) -> float | None:
        """Probability that the picture is of the manifest's body part, 0 to 1; None: the model has no such head."""
        if ANATOMY not in self.manifest.heads:
            return None
        return float(dequantise(self._outputs[ANATOMY], self.manifest.heads[ANATOMY].tensor).item())

    @cached_property
    def _scored(self) -> tuple[tuple[LabelScore, ...], tuple[str, ...]]:
        rules, head = self.limits, self.manifest.heads[LABELS]
        values = dequantise(self._outputs[LABELS], head.tensor).astype(np.float64).reshape(-1)
        probabilities = label_probabilities(values, rules)
        order = np.argsort(-probabilities, kind="stable")
        names = head.class_names
        judged = order[:1] if rules.exclusive else order
        given = [int(i) for i in judged if probabilities[i] >= rules.threshold_of(names[i])]
        told = list(dict.fromkeys([*order[:LABELS_SENT].tolist(), *given[:LABELS_SENT]]))[:LABELS_SENT]
        scores = tuple(
            LabelScore(names[i], precision.probability(float(probabilities[i]), rules.threshold_of(names[i])))
            for i in told
        )
        return scores, tuple(names[i] for i in given if i in told)

    @property
    def scores(self) -> tuple[LabelScore, ...]:
        """Scores of the labels, the highest first. Raises ValueError as `label_probabilities`."""
        return self._scored[0]

    @property
    def found(self) -> tuple[str, ...]:
        """Labels that reach their thresholds, the highest score first."""
        return self._scored[1]

    @property
    def nothing_found(self) -> bool:
        """Whether one of the labels says that there is nothing to find."""
        return self.limits.clear_label in self.found


def label_probabilities(values: NDArray[np.float64], rules: LabelRules) -> NDArray[np.float64]:
    """Score of each label, (n,) float64 from 0 to 1, from what the head gives as real values, (n,) float64.

    Raises ValueError if the head is said to give probabilities, and does not.
    """
    if rules.output == "probabilities":
        low, high = float(values.min()), float(values.max())
        if low < -SLACK or high > 1 + SLACK:
            raise ValueError(f"expected probabilities from 0 to 1, got {low:.3g} to {high:.3g}")
        values = np.clip(values, 0.0, 1.0)
        if rules.temperature == 1.0:
            return values
        q = np.clip(values, LEAST, 1 - LEAST)
        values = np.log(q) if rules.exclusive else np.log(q / (1 - q))
    values = values / rules.temperature
    if rules.exclusive:
        powers = np.exp(values - values.max())
        shares: NDArray[np.float64] = powers / powers.sum()
        return shares
    with np.errstate(over="ignore"):  # a logit of -1000 is a probability of 0
        logistic: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-values))
    return logistic
