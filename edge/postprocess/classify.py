"""Verdict of a classifier on one frame: its scores, and which labels they give.

When a frame is not judged is said in one table: `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts import precision
from edge.contracts.labels import LABELS_SENT, LabelScore, LabelVerdict
from edge.contracts.manifest import LABELS
from edge.contracts.results import Status
from edge.postprocess.abstention_rules import ANATOMY_RULES, LABEL_RULES
from edge.postprocess.dequantise import dequantise
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.judged_labels import JudgedLabels, read_anatomy
from edge.postprocess.rule_table import first_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ClassificationManifest, ScoreRules
    from edge.contracts.region import Region
    from edge.postprocess.frame_context import FrameContext

SLACK = 0.02
"""So far beyond 0 and 1 a probability may be: quantised softmax ends a step short of 1, or over it."""
LEAST = 1e-7
"""Smallest probability whose logarithm is taken."""


def classify(
    outputs: Mapping[str, NDArray[Any]],
    manifest: ClassificationManifest,
    region: Region,
    context: FrameContext = NOTHING_KNOWN,
) -> LabelVerdict:
    """Verdict of a classifier on one frame.

    Args:
        outputs: raw (still quantised) outputs by head name, all of them finite.
        manifest: of the model that made them.
        region: what the judgement is about.
        context: what else is known of the frame; the picture beside the crop is measured only for a `clear`.

    Raises:
        ValueError: the head gives something else than the manifest says.
    """
    rules = manifest.labels
    if (reason := first_reason(ANATOMY_RULES, read_anatomy(outputs, manifest, context))) is not None:
        return LabelVerdict(Status.ABSTAINED, reason, region=region)
    head = manifest.heads[LABELS]
    values = dequantise(outputs[LABELS], head.tensor).astype(np.float64).reshape(-1)
    probabilities = label_probabilities(values, rules)
    order = np.argsort(-probabilities, kind="stable")
    names = head.class_names
    judged = order[:1] if rules.exclusive else order
    given = [int(i) for i in judged if probabilities[i] >= rules.threshold_of(names[i])]
    told = list(dict.fromkeys([*order[:LABELS_SENT].tolist(), *given[:LABELS_SENT]]))[:LABELS_SENT]
    scores = tuple(
        LabelScore(names[i], precision.probability(float(probabilities[i]), rules.threshold_of(names[i]))) for i in told
    )
    found = tuple(names[i] for i in given if i in told)
    reason = first_reason(LABEL_RULES, JudgedLabels(found, rules.clear_label in found, context))
    if reason is not None:
        return LabelVerdict(Status.ABSTAINED, reason, region=region, scores=scores)
    status = Status.CLEAR if found == (rules.clear_label,) else Status.FINDING
    return LabelVerdict(status, region=region, scores=scores, given=found)


def label_probabilities(values: NDArray[np.floating], rules: ScoreRules) -> NDArray[np.floating]:
    """Score of each label, 0 to 1, from what the head gives as real values, (…, n): the labels are its last axis.

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
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        shares: NDArray[np.floating] = powers / powers.sum(axis=-1, keepdims=True)
        return shares
    with np.errstate(over="ignore"):  # a logit of -1000 is a probability of 0
        logistic: NDArray[np.floating] = 1.0 / (1.0 + np.exp(-values))
    return logistic
