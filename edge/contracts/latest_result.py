"""``results/{stream}``: message with the latest result, for screens; not durable, rate-limited."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Envelope
from edge.contracts.finding import RuntimeRef
from edge.contracts.labels import LabelArea, LabelScore
from edge.contracts.manifest import Gate
from edge.contracts.results import Lesion, Reason, Status


class LatestResult(Envelope, frozen=True, kw_only=True):
    """Result of the newest frame. Count nothing by these: use findings and coverage."""

    schema: Literal["result/1"] = "result/1"
    stream: str
    exam_id: str
    frame_seq: int
    status: Status
    reason: Reason | None
    malignancy: float | None
    suspicious: bool | None
    call_uncertain: bool = False
    """Whether ``suspicious`` is an uncertain call, see `Finding`. Absent in messages of older versions: false."""
    lesions: list[Lesion]
    image_size: tuple[int, int]
    latency_ms: dict[str, float]
    runtime: RuntimeRef | None = None
    """Runtime that computed it; None where nothing did."""
    labels: list[LabelScore] | msgspec.UnsetType = msgspec.UNSET
    """Scores of a classifier or segmentation, the highest first, at most 20. Absent: the model is neither."""
    found: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Labels that the frame has: at or over their thresholds. Absent: it is a lesion model."""
    areas: list[LabelArea] | msgspec.UnsetType = msgspec.UNSET
    """Area of each label of ``found``, in the same order. Absent: the model is no segmentation network."""
    gate: Gate | msgspec.UnsetType = msgspec.UNSET
    """What refuses pictures of other body parts; ``none``: nothing does. Absent: a lesion model's anatomy head."""
    research_only: Literal[True] = True
