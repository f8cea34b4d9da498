"""Verdict of a classifier on one frame: its scores, and which labels they give.

When a frame is not judged is said in one table: `edge.postprocess.abstention_rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.contracts.labels import LabelVerdict
from edge.contracts.results import Reason, Status
from edge.postprocess.abstention_rules import LABEL_RULES
from edge.postprocess.frame_context import NOTHING_KNOWN
from edge.postprocess.label_scores import JudgedLabels
from edge.postprocess.label_scores import label_probabilities as label_probabilities  # export and training know it here
from edge.postprocess.rule_table import first_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.contracts.manifest import ClassificationManifest
    from edge.contracts.region import Region
    from edge.postprocess.frame_context import FrameContext


def classify(
    outputs: Mapping[str, NDArray[Any]],
    manifest: ClassificationManifest,
    region: Region,
    context: FrameContext = NOTHING_KNOWN,
) -> LabelVerdict:
    """Verdict of a classifier on one frame, by the abstention rules first and the labels' thresholds then.

    Args:
        outputs: raw (still quantised) outputs by head name, all of them finite: the labels' (1, n), n in all.
        manifest: of the model that made them.
        region: what the judgement is about.
        context: what else is known of the frame; the picture beside the crop is measured only for a `clear`.

    Raises:
        ValueError: the head gives something else than the manifest says.
    """
    judged = JudgedLabels(outputs, manifest, context)
    reason = first_reason(LABEL_RULES, judged)
    if reason is Reason.WRONG_ANATOMY:  # labels of another body part mean nothing, and are not told
        return LabelVerdict(Status.ABSTAINED, reason, region=region)
    if reason is not None:
        return LabelVerdict(Status.ABSTAINED, reason, region=region, scores=judged.scores)
    status = Status.CLEAR if judged.nothing_found else Status.FINDING
    return LabelVerdict(status, region=region, scores=judged.scores, given=judged.found)
