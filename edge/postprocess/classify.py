"""Verdict of a classifier on one frame: its scores, and which labels they give.

When a frame is not judged: another body part than the model's is stated or seen, or no label reaches its threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.contracts import precision
from edge.contracts.labels import LABELS_SENT, LabelScore, LabelVerdict
from edge.contracts.manifest import ANATOMY, LABELS
from edge.contracts.results import Reason, Status
from edge.postprocess.abstention_rules import MAX_UNSEEN
from edge.postprocess.dequantise import dequantise
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.tissue_proof import hides_tissue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ClassificationManifest, LabelRules, PictureManifest, ScoreRules
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
    if is_wrong_anatomy(outputs, manifest, context):
        return LabelVerdict(Status.ABSTAINED, Reason.WRONG_ANATOMY, region=region)
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
    reason = _why_not_judged(found, rules)
    if reason is None and rules.clear_label in found:
        reason = why_not_clear(context)
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


def is_wrong_anatomy(outputs: Mapping[str, NDArray[Any]], manifest: PictureManifest, context: FrameContext) -> bool:
    """Whether another body part than the model's is stated, or its anatomy head, where it has one, sees another."""
    rules, score = manifest.rules, None
    if ANATOMY in manifest.heads:
        score = float(dequantise(outputs[ANATOMY], manifest.heads[ANATOMY].tensor).item())
    return context.is_wrong_body_part(manifest.body_part, score, rules.anatomy, rules.anatomy_stated)


def _why_not_judged(found: tuple[str, ...], rules: LabelRules) -> Reason | None:
    """Why the labels that were found are no verdict; None: they are one."""
    if not found:
        return Reason.TOO_UNCERTAIN
    if rules.clear_label not in found:
        return None
    return Reason.HEADS_DISAGREE if len(found) > 1 else None  # nothing to find, and something found


def why_not_clear(context: FrameContext) -> Reason | None:
    """Why a frame with the label that means clear is not: the same reasons as of a lesion model."""
    if context.unseen_share() > MAX_UNSEEN:
        return Reason.PARTLY_SEEN
    if context.view is not None and hides_tissue(context.view):
        return Reason.TISSUE_NOT_SEEN
    return Reason.SCAN_AREA_UNKNOWN if context.scan_unknown else None
