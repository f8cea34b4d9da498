"""Result of one frame inside the frame process: the verdict, which frame it is about, and what computed it."""

from __future__ import annotations

from edge.contracts.finding import RuntimeRef, Verdict
from edge.contracts.labels import LabelArea, LabelScore  # noqa: TC001  (msgspec reads the types at run time)
from edge.contracts.manifest import Gate  # noqa: TC001  (as above)
from edge.contracts.results import Status


class Result(Verdict, frozen=True, kw_only=True):
    """Result of one frame; checked when it is made.

    Of a lesion model: ``malignancy`` is a number for `finding` and `clear` and None for the others; ``suspicious`` is
    None unless `finding`, and only the call of a `finding` can be uncertain. Of a classifier (``scores`` are there):
    none of these ever is, and `finding` and `clear` have labels that were given. Of a segmentation network (``areas``
    is not None) a `finding` has the area of each, and `clear` has none. Raises ValueError otherwise: an inconsistent
    result is a bug, never a message.
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
    scores: tuple[LabelScore, ...] = ()
    """Scores of a classifier, the highest first; empty of another model, and where it was not asked."""
    given: tuple[str, ...] = ()
    """Labels that a judged frame has, the highest score first."""
    areas: tuple[LabelArea, ...] | None = None
    """Area of each of ``given``, of a segmentation network; None: of another model, and where it was not asked."""
    gated_by: Gate | None = None
    """What refuses pictures of other body parts, of other models than those for lesions; None: of a lesion model."""

    def __post_init__(self) -> None:
        judged = self.status in (Status.FINDING, Status.CLEAR)
        if self.scores or self.given or self.areas is not None:
            self._check_labels(judged)
            return
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

    def area_of(self, label: str) -> LabelArea | None:
        """Area that ``label`` has in this frame; None: it has none, or the model knows none."""
        return next((area for area in self.areas or () if area.name == label), None)

    def _check_labels(self, judged: bool) -> None:
        """Check the result of a classifier or a segmentation network."""
        if self.malignancy is not None or self.suspicious is not None or self.call_uncertain or self.lesions:
            raise ValueError(f"{self.status.value} with labels, and with malignancy or lesions")
        if judged == (self.reason is not None):
            raise ValueError(f"{self.status.value} with reason {self.reason}")
        has_labels = judged if self.areas is None else self.status is Status.FINDING
        if self.status is Status.NO_RESULT or has_labels != bool(self.given):
            raise ValueError(f"{self.status.value} with the labels {', '.join(self.given) or 'none'} given")
        if self.areas is not None and tuple(area.name for area in self.areas) != self.given:
            raise ValueError(f"areas of {len(self.areas)} labels, {len(self.given)} were given")
        if not all(0.0 <= label.score <= 1.0 for label in self.scores):  # NaN too: JSON would say null for it
            raise ValueError(f"{self.status.value} with a score that is none")
