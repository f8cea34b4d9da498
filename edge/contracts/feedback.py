"""``feedback/{stream}``: message that a person at the device agrees or disagrees with what was found."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Durable


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a person said of one finding in one frame. It has no free text: that could name a patient."""

    exam_id: str
    """Id of the exam that the finding is of."""
    finding_id: str
    """Id of the lesion's track (``finding_id``) or of the classifier's label (``label_id``)."""
    frame_seq: int
    """``frame.seq`` of the frame that the person looked at."""
    agrees: bool
    """True: the person agrees with what was found; false: disagrees."""


class Feedback(Durable, frozen=True, kw_only=True):
    """A person's word on one finding. Several on one finding may come: the last of the highest seq holds."""

    schema: Literal["feedback/1"] = "feedback/1"
    exam_id: str
    """Id of the exam that the finding is of."""
    finding_id: str
    """``finding_id`` of the lesion, or ``label_id`` of a classifier's label."""
    frame_seq: int
    """``frame.seq`` of the frame that the person looked at."""
    agrees: bool
    """True: the person agrees with what was found; false: disagrees."""
    research_only: Literal[True] = True
