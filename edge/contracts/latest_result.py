"""``results/{stream}``: message with the latest result, for screens; not durable, rate-limited."""

from __future__ import annotations

from typing import Literal

from edge.contracts.envelope import Envelope
from edge.contracts.finding import RuntimeRef
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
    research_only: Literal[True] = True
