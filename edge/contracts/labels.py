"""``labels/{stream}``: message about one label of a classifier or segmentation, new, changed or gone; its verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

from edge.contracts.envelope import Durable
from edge.contracts.finding import (
    EndReason,
    EquipmentRef,
    FrameRef,
    ImageRef,
    Laterality,
    Lifecycle,
    ModelRef,
    RuntimeRef,
    Verdict,
)
from edge.contracts.manifest import Gate
from edge.contracts.region import Box, Point, Region
from edge.contracts.results import Reason, Status

LABELS_SENT = 20
"""Most labels of one frame that are told, the highest scores first: a model may know thousands."""
OUTLINES_SENT = 8
"""Most outlines of one area: a map that falls to pieces must not fill the outbox."""


class LabelScore(msgspec.Struct, frozen=True):
    """One label of a model with its score for one frame."""

    name: str
    score: float
    """0 to 1. Not malignancy, and no probability of a disease unless the model's card shows that it is one. Of a
    segmentation network the highest of the label's map: how sure it is that the label is anywhere."""


class LabelArea(msgspec.Struct, frozen=True, kw_only=True):
    """Area of one label in one frame, in pixels of the source picture; in mm2 only where a calibration covers it."""

    name: str
    score: float
    """Mean of the label's map over the area, 0 to 1. Not malignancy."""
    share: float
    """Size of the area, as a share of the part of the picture that the model saw; holes are not counted."""
    area_mm2: float | None = None
    """The same in square millimetres. None: no calibration holds for all of it."""
    pieces: int
    """Number of connected pieces."""
    box: Box
    """(x, y, width, height) around all pieces."""
    outlines: list[list[Point]]
    """Outer outline of each piece, the largest first, at most `OUTLINES_SENT`: closed polygons, first point not
    repeated."""


class LabelVerdict(Verdict, frozen=True):
    """Verdict of a classifier or segmentation on one frame. It never has malignancy, ``suspicious`` or lesions."""

    scores: tuple[LabelScore, ...] = ()
    """The highest scores first, at most `LABELS_SENT`; also of a frame that is `too_uncertain`."""
    given: tuple[str, ...] = ()
    """Labels that a `finding` or `clear` frame has, the highest score first: at or over their thresholds."""
    areas: tuple[LabelArea, ...] | None = None
    """Area of each of ``given``, in the same order, of a segmentation network; None: the model is none."""


class Labels(Durable, frozen=True, kw_only=True):
    """One event of a label over time. ``label_id`` is shared by its ``new``, ``update`` and ``end``."""

    schema: Literal["labels/1"] = "labels/1"
    label_id: str
    lifecycle: Lifecycle
    end_reason: EndReason | None = None
    """Why the label ended; only with ``end``, which else repeats what was last said of it."""
    exam_id: str
    """Id of the exam; changes between patients. Random: says nothing of who."""
    captured_at: str
    """Time when the frame was captured (RFC 3339, UTC), under the same caveat as ``at``."""
    frame: FrameRef
    image_ref: ImageRef | None = None
    image_size: tuple[int, int]
    """(width, height) in pixels of the picture."""
    body_part: str
    """Body part that the model is for; empty: any."""
    laterality: Laterality
    equipment: EquipmentRef
    region: Region | None
    """The calibrated or scanned region that the judgement is about."""
    status: Status
    reason: Reason | None
    label: str
    """Label that this is about."""
    score: float
    """Its score in this frame, 0 to 1."""
    threshold: float
    """The score from which on the label is given."""
    labels: list[LabelScore]
    """Scores of the frame, the highest first, at most 20 of them."""
    area: LabelArea | msgspec.UnsetType = msgspec.UNSET
    """Area that the label has in this frame. Absent: the model is a classifier, which knows none."""
    gate: Gate
    """What refuses pictures of other body parts; ``none``: nothing does, whatever is in the picture gets a label."""
    model: ModelRef
    runtime: RuntimeRef
    preprocess_hash: str
    scan_area_finder: str | None = None
    """Version of what found the scan's outline (``region.outline``), whether or not it found one."""
    latency_ms: dict[str, float]
    research_only: Literal[True] = True
