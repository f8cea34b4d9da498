"""Result of one frame inside the frame process: the verdict, which frame it is about, and what computed it."""

from __future__ import annotations

from edge.contracts.finding import RuntimeRef, Verdict
from edge.contracts.results import Status


class Result(Verdict, frozen=True, kw_only=True):
    """Result of one frame; checked when it is made.

    ``malignancy`` is a number for `finding` and `clear` and None for the others; ``suspicious`` is None unless
    `finding`, and only the call of a `finding` can be uncertain. Raises ValueError otherwise: an inconsistent result is
    a bug, never a message.
    """

    stream: str
    frame_seq: int
    captured_ns: int
    image_size: tuple[int, int] = (0, 0)
    """(width, height) of the source picture in pixels."""
    runtime: RuntimeRef | None = None
    """Runtime that computed this, and whether as a fall-back; None where nothing did."""
    latency_ms: dict[str, float] = {}
    """Time that each stage took for this frame, in milliseconds."""

    def __post_init__(self) -> None:
        judged = self.status in (Status.FINDING, Status.CLEAR)
        if judged != (self.malignancy is not None):
            raise ValueError(f"{self.status.value} with malignancy {self.malignancy}")
        if self.malignancy is not None and not 0.0 <= self.malignancy <= 1.0:  # NaN too: JSON would say null for it
            raise ValueError(f"{self.status.value} with malignancy {self.malignancy}")
        if judged == (self.reason is not None):
            raise ValueError(f"{self.status.value} with reason {self.reason}")
        if (self.status is Status.FINDING) != bool(self.lesions):
            raise ValueError(f"{self.status.value} with {len(self.lesions)} lesions")
        if (self.status is Status.FINDING) != (self.suspicious is not None):
            raise ValueError(f"{self.status.value} with suspicious {self.suspicious}")
        if self.call_uncertain and self.status is not Status.FINDING:
            raise ValueError(f"{self.status.value} with an uncertain call")
